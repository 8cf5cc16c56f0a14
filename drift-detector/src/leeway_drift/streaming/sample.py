"""A bounded sample of rows that is uniform over everything it was taken from, also after merging."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Rows

SAMPLE_ROWS = 1000
"""Rows a window's sample holds: what detectors on raw rows are calibrated on, too."""

Random = Callable[[int], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The ``SAMPLE_ROWS`` rows with the lowest of priorities drawn at random, one for each row.

    The lowest of a union are among the lowest of its parts: that makes it mergeable (bottom-k sampling; E. Cohen and
    H. Kaplan, Summarizing data using bottom-k sketches, PODC 2007).

    Attributes:
        rows: of requests, restricted to one set of columns.
        priorities: ``[rows]``.
    """

    rows: Rows
    priorities: npt.NDArray[np.float64]

    @classmethod
    def of(cls, rows: Rows, random: Random) -> "Sample":
        """Sample rows; ``random`` draws that many numbers, uniform in [0, 1)."""
        return _lowest(cls(rows, random(rows.count)))

    def __add__(self, other: "Sample") -> "Sample":
        """A sample of the union; both must have the same columns."""
        merged = Rows(
            self.rows.numeric,
            np.concatenate([self.rows.numbers, other.rows.numbers]),
            self.rows.categorical,
            np.concatenate([self.rows.strings, other.rows.strings]),
        )
        return _lowest(Sample(merged, np.concatenate([self.priorities, other.priorities])))


def _lowest(sample: Sample) -> Sample:
    if sample.priorities.size <= SAMPLE_ROWS:
        return sample
    kept = np.sort(np.argpartition(sample.priorities, SAMPLE_ROWS)[:SAMPLE_ROWS])
    return Sample(sample.rows.take(kept), sample.priorities[kept])
