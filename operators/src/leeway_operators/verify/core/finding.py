"""What was looked at, and what was found."""

from dataclasses import dataclass
from typing import Literal

# `expected`: it is absent, and something that was read says why it may be.
Verdict = Literal["found", "expected", "missing"]
Kind = Literal[
    "metric", "label", "series", "expression", "object", "target", "rule", "alertmanager", "autoscaler", "source"
]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the table.

    Attributes:
        kind: of thing that was looked for.
        what: was looked for.
        verdict: `missing` is a gap, and fails the proof.
        used_by: whoever needs it.
        why: what was seen instead, or why its absence is no gap.
        next: a command that leads on.
    """

    kind: Kind
    what: str
    verdict: Verdict
    used_by: tuple[str, ...] = ()
    why: str = ""
    next: str = ""
