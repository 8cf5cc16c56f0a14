"""What every method of Alibi-Detect is to the worker: fitted to reference rows, it measures a sample of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from leeway_alibi.table import Table


class InsufficientError(Exception):
    """The sample does not allow a measurement; the message says why, for a person."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number that a threshold is put on, and what was measured beside it.

    Attributes:
        column: the feature, or "" for a method that looks at all of them at once.
        statistics: raw values by name.
        label: name of the statistic that is the score.
    """

    column: str
    statistics: Mapping[str, float]
    label: str

    @property
    def score(self) -> float:
        """The value that the threshold is put on; larger is further from the reference."""
        return self.statistics[self.label]


class Fitted(Protocol):
    """A method that has its reference."""

    def measure(self, sample: Table) -> Sequence[Measurement]:
        """Measure usable rows; the same columns every time but for those without any value.

        Raises:
            InsufficientError: it cannot be measured.
        """


class Method(Protocol):
    """A way to measure how far a sample is from a reference."""

    @property
    def name(self) -> str:
        """As the detector is called in metrics and alerts."""

    @property
    def floor(self) -> float | None:
        """Threshold of the score where there are no blocks to calibrate one on; None if none makes sense."""

    @property
    def rows(self) -> int:
        """Usable rows it looks at, in a window and in a block, evenly spaced."""

    @property
    def refits(self) -> bool:
        """Whether a fit is cheap enough to be repeated for each block that is left out."""

    def usable(self, rows: Table) -> Table:
        """The rows it can measure.

        Raises:
            InsufficientError: too few; the message names the column that most are missing in.
        """

    def fit(self, reference: Table) -> Fitted:
        """Take the reference.

        Raises:
            InsufficientError: it does not allow any measurement.
        """


def complete_rows(rows: Table, least: int) -> Table:
    """The rows in which nothing is missing: Alibi-Detect takes NaN for a number or for an error.

    Raises:
        InsufficientError: fewer than ``least``.
    """
    complete = rows.complete()
    if len(complete) < least:
        worst, nulls = rows.most_missing()
        raise InsufficientError(
            f"{len(complete)} of {len(rows)} rows are complete, expected at least {least}; "
            f"{worst} is missing in {nulls}"
        )
    return complete
