"""How the proof is told: a table for people, JSON for machines."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from leeway_operators.cli.table import columns
from leeway_operators.verify.core.drive import Followed
from leeway_operators.verify.core.finding import Finding

_HEADER = ("WHAT", "USED BY", "VERDICT", "WHY", "NEXT")
# The gaps last, where a terminal ends.
_ORDER = {"found": 0, "expected": 1, "missing": 2}
_WIDEST = (72, 48, 8, 88, 120)
_NAMED = 2


def table(findings: Sequence[Finding]) -> str:
    """One line for each finding, gaps last, and the sum."""
    rows = [_HEADER, *(_row(finding) for finding in sorted(findings, key=lambda one: _ORDER[one.verdict]))]
    cut = [tuple(_cut(cell, widest) for cell, widest in zip(row, _WIDEST, strict=True)) for row in rows]
    # What is missing is told in full: it is what one came for.
    full = [row if row[2] == "missing" else short for row, short in zip(rows, cut, strict=True)]
    widths = [max(len(row[column]) for row in cut) for column in range(len(_HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in full]
    return "\n".join([*lines, "", summary(findings)])


def followed(outcomes: Sequence[Followed]) -> str:
    """One line for each fault that was injected: what was promised, and what came of it."""
    header = ("ALERT", "PROMISED", "FIRED", "TOLD", "RESOLVED", "VERDICT", "MESSAGE")
    rows = [header]
    for one in outcomes:
        times = (_seconds(one.promised), _seconds(one.fired), _seconds(one.told), _seconds(one.resolved))
        rows.append((one.alert, *times, "missing" if one.gap else "found", one.gap or _cut(one.text, _WIDEST[4])))
    return columns(rows)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.0f} s"


def summary(findings: Sequence[Finding]) -> str:
    """The counts of the verdicts."""
    counts = Counter(finding.verdict for finding in findings)
    gaps = counts["missing"]
    ending = "no gap" if not gaps else f"{gaps} gap{'s' if gaps > 1 else ''}"
    return f"{counts['found']} found, {counts['expected']} absent for a reason, {gaps} missing: {ending}"


def document(findings: Sequence[Finding], outcomes: Sequence[Followed] = ()) -> str:
    """JSON: `{"gaps": n, "findings": […], "faults": […]}`."""
    gaps = sum(finding.verdict == "missing" for finding in findings) + sum(bool(one.gap) for one in outcomes)
    told = {"findings": [asdict(finding) for finding in findings], "faults": [asdict(one) for one in outcomes]}
    return json.dumps({"gaps": gaps, **told}, indent=2)


def _row(finding: Finding) -> tuple[str, ...]:
    return (finding.what, _users(finding.used_by), finding.verdict, finding.why, finding.next)


def _users(users: Sequence[str]) -> str:
    if len(users) <= _NAMED:
        return ", ".join(users)
    return f"{', '.join(users[:_NAMED])} and {len(users) - _NAMED} more"


def _cut(cell: str, widest: int) -> str:
    line = " ".join(cell.split())
    return line if len(line) <= widest else f"{line[: widest - 1]}…"
