"""Refusals: what training says instead of writing a bundle nobody should serve."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where it is, what it is, and what was expected there."""

    where: str
    what: str
    expected: str

    def __str__(self) -> str:
        """Render as one line."""
        return f"{self.where}: {self.what}; expected {self.expected}"


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an accident
    """Training stops here and nothing is written.

    Attributes:
        step: the step that refused, for example ``check the data``.
        problems: everything that is wrong, not only the first thing.
    """

    def __init__(self, step: str, problems: Sequence[Problem]) -> None:
        self.step = step
        self.problems = tuple(problems)
        super().__init__("\n".join([f"refused at: {step}", *(f"  - {problem}" for problem in self.problems)]))
