"""Thresholds from blocks of the reference: what nature does to a distance is learnt from time-ordered rows.

The blocks stand for windows in which nothing was wrong, and the threshold is that of ``leeway_drift.statistics.max_t``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leeway_alibi.methods import Fitted, InsufficientError, Measurement, Method
from leeway_alibi.table import Table
from leeway_drift.statistics.max_t import Spread, largest, threshold_of

MIN_BLOCKS = 50
"""Blocks below which a quantile of their scores is a guess."""

MIN_BLOCK_ROWS = 50
"""Rows per block below which a distance is mostly noise."""

MAX_BLOCKS = 80
"""Blocks measured at most, evenly spaced: a start must not take minutes."""

LEFT_OUT = 3
"""Neighbours on either side that are left out of a block's reference, since they resemble it."""

MINIMUM_SPREAD = 0.01
"""Least ``q90 - median``: a hundredth of a distance, of which every score is a multiple, is no drift."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How a score becomes a ratio, 1 being the threshold.

    Attributes:
        spreads: by (column, score's label).
        limit: the threshold of the standardised score; of the score itself if it is not calibrated.
        calibrated: whether blocks have given it.
    """

    spreads: Mapping[tuple[str, str], Spread]
    limit: float
    calibrated: bool

    def ratio(self, measurement: Measurement) -> float | None:
        """The score over its threshold; None for a column that the blocks could not teach."""
        if not self.calibrated:
            return measurement.score / self.limit
        spread = self.spreads.get((measurement.column, measurement.label))
        return None if spread is None else max(0.0, spread.standardise(measurement.score) / self.limit)


class Blocks:
    """Blocks of consecutive rows of a reference, in time order.

    Args:
        table: the reference.
        block: number of each row's block, int ``[rows]``, ascending.
    """

    def __init__(self, table: Table, block: npt.NDArray[np.int32]) -> None:
        self._table = table
        self._block = block
        self._numbers, sizes = np.unique(block, return_counts=True)
        self._block_rows = int(np.median(sizes)) if sizes.size else 0

    @property
    def suffice(self) -> bool:
        """Whether there are enough of them, of enough rows."""
        return self._numbers.size >= MIN_BLOCKS and self._block_rows >= MIN_BLOCK_ROWS

    def chosen(self) -> npt.NDArray[np.int64]:
        """Positions of at most ``MAX_BLOCKS`` blocks, evenly spaced."""
        count = min(self._numbers.size, MAX_BLOCKS)
        return np.arange(count) * self._numbers.size // count

    def sample_rows(self, method: Method) -> int:
        """Rows a method looks at: as many in a window as in a block, for a distance of fewer is larger by nature."""
        return min(self._block_rows, method.rows)

    def rows(self, position: int) -> Table:
        """The rows of one block."""
        return self._table.take(self._block == self._numbers[position])

    def without(self, position: int) -> Table:
        """The reference without a block and ``LEFT_OUT`` neighbours on either side."""
        left_out = self._numbers[max(0, position - LEFT_OUT) : position + LEFT_OUT + 1]
        return self._table.take((self._block < left_out[0]) | (self._block > left_out[-1]))


def calibrate(method: Method, fitted: Fitted, blocks: Blocks, rate: float) -> Thresholds:
    """Measure blocks as if they were windows and take the threshold that ``rate`` of them is over.

    Args:
        method: refitted for each block without it and its neighbours, if it says that this is cheap.
        fitted: the method, fitted to the whole reference.
        blocks: that suffice.
        rate: share of windows that may be over the threshold in nature.

    Raises:
        InsufficientError: fewer than ``MIN_BLOCKS`` of them could be measured.
    """
    measured = []
    for position in blocks.chosen():
        judge = method.fit(blocks.without(position)) if method.refits else fitted
        try:
            rows = method.usable(blocks.rows(position)).thinned(blocks.sample_rows(method))
            measured.append({(one.column, one.label): one.score for one in judge.measure(rows)})
        except InsufficientError:  # a block of nulls is like a window that could not be judged
            continue
    if len(measured) < MIN_BLOCKS:
        raise InsufficientError(f"{len(measured)} blocks of the reference can be measured, expected {MIN_BLOCKS}")
    keys = sorted({key for block in measured for key in block})
    scores = {key: np.array([block.get(key, math.nan) for block in measured]) for key in keys}
    spreads = {key: _spread(values) for key, values in scores.items() if np.isfinite(values).sum() >= MIN_BLOCKS}
    if not spreads:
        raise InsufficientError(f"no column has values in {MIN_BLOCKS} blocks of the reference")
    values = largest(scores, spreads)
    limit = threshold_of(values, rate)
    if (values >= limit).mean() > max(rate, 2 / len(values)):
        # A score that is often at its highest, such as a share of 1, cannot tell drift from nature.
        limit = math.nextafter(limit, math.inf)
    return Thresholds(spreads, limit, calibrated=True)


def _spread(values: npt.NDArray[np.float64]) -> Spread:
    median, upper = np.nanquantile(values, [0.5, 0.9])
    return Spread(float(median), max(float(upper - median), MINIMUM_SPREAD))
