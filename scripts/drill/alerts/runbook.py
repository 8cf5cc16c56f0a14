"""The first steps of a runbook's diagnosis; pure."""

import re

STEPS = 2


class NoStepsError(ValueError):
    """A runbook has no numbered steps under Diagnosis; the message says what was expected."""


def first_steps(page: str, *, steps: int = STEPS) -> str:
    """Return the first numbered steps of the section Diagnosis, with their commands.

    Args:
        page: docs/runbooks/<Alert>.md.
        steps: how many.

    Raises:
        NoStepsError: the page has no such section, or no steps in it.
    """
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL))
    # A step begins a line with its number, and goes on with lines that are indented or empty.
    found = re.findall(r"^\d+\. .*\n(?:(?: +.*)?\n)*", sections.get("Diagnosis", "") + "\n", flags=re.MULTILINE)
    if not found:
        raise NoStepsError("steps `1. …` were expected in a section `## Diagnosis`")
    return "".join(found[:steps]).rstrip()
