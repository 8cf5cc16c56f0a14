"""The threshold of `classifier` from blocks of the reference: what nature does to it is learnt from rows in time order.

The blocks stand for windows in which nothing was wrong; see ``leeway_drift.statistics.max_t`` for the threshold.
"""

import math

import numpy as np
import numpy.typing as npt

from leeway_alibi.classifier import MIN_ROWS, SAMPLE_ROWS, Classifier
from leeway_alibi.methods import InsufficientError, Thresholds
from leeway_alibi.table import Table
from leeway_drift.profile.calibrate import LEFT_OUT
from leeway_drift.statistics.max_t import Spread, threshold_of

MIN_BLOCKS = 50
"""Blocks below which a quantile of their scores is a guess."""

MAX_BLOCKS = 60
"""Blocks measured at most: a start must not take minutes."""

HIGHEST_MEDIAN = 0.5
"""Half of the scale, which ends at 1; where ordinary blocks take more, what drift adds does not show."""

_MINIMUM_SPREAD = 0.01
_FIRST_BLOCKS = 10  # after which it is seen how much of the scale nature takes
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


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
        return self._numbers.size >= MIN_BLOCKS and self._block_rows >= MIN_ROWS

    @property
    def sample_rows(self) -> int:
        """Rows to look at: as many in a window as in a block, for a distance of fewer is larger by nature."""
        return min(self._block_rows, SAMPLE_ROWS)

    def spread_out(self) -> npt.NDArray[np.int64]:
        """Positions of all blocks in an order of which every beginning is spread over the whole time.

        Multiples of the golden ratio fall most evenly into the unit interval (D. Knuth, TAOCP 3, 6.4, theorem S).
        """
        return np.argsort(np.argsort(np.arange(self._numbers.size) * _GOLDEN_RATIO % 1))

    def rows(self, position: int) -> Table:
        """The rows of one block."""
        return self._table.take(self._block == self._numbers[position])

    def without(self, position: int) -> Table:
        """The reference without a block and ``LEFT_OUT`` neighbours on either side."""
        left_out = self._numbers[max(0, position - LEFT_OUT) : position + LEFT_OUT + 1]
        return self._table.take((self._block < left_out[0]) | (self._block > left_out[-1]))


def calibrate(blocks: Blocks, rate: float) -> Thresholds:
    """Measure blocks as if they were windows and take the threshold that ``rate`` of them is over.

    Args:
        blocks: that suffice.
        rate: share of windows that may be over the threshold in nature.

    Raises:
        InsufficientError: fewer than ``MIN_BLOCKS`` of them could be measured, or they score so high without any drift
            that drift could not score much higher.
    """
    scores: list[float] = []
    for position in blocks.spread_out():
        try:
            measured = Classifier.fit(blocks.without(position)).measure(blocks.rows(position), blocks.sample_rows)
        except InsufficientError:  # a block of nulls is like a window that could not be judged
            continue
        scores.append(measured.score)
        if len(scores) == _FIRST_BLOCKS and (median := float(np.median(scores))) > HIGHEST_MEDIAN:
            raise InsufficientError(
                f"it tells windows of the reference from the rest without any drift: they score {median:.2f}, of at "
                "most 1"
            )
        if len(scores) == MAX_BLOCKS:
            break
    if len(scores) < MIN_BLOCKS:
        raise InsufficientError(f"{len(scores)} blocks of the reference can be measured, expected {MIN_BLOCKS}")
    median, upper = (float(value) for value in np.quantile(scores, [0.5, 0.9]))
    spread = Spread(median, max(upper - median, _MINIMUM_SPREAD))
    limit = threshold_of((np.array(scores) - spread.median) / spread.above, rate)
    if (threshold := spread.median + limit * spread.above) >= 1:
        raise InsufficientError(f"a threshold for windows of the reference is {threshold:.2f}, and no score is over 1")
    return Thresholds({("", "ks"): spread}, limit, calibrated=True)
