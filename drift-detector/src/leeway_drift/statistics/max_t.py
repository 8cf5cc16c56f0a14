"""One threshold for the largest of many scores, from windows in which nothing was wrong.

With ``T = max_j (s_j - median_j) / (q90_j - median_j)`` over all scores j of a window, the threshold is a quantile of T
over time-ordered reference windows: the max-T procedure of Westfall and Young (1993). It needs no correction for the
number of columns, and windows that depend on each other or on the season are in the distribution it is taken from.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MINIMUM_SPREAD: Mapping[str, float] = {
    "psi": 0.05,
    "js": 0.05,
    "wasserstein": 0.05,
    "ks": 0.02,
    "tvd": 0.02,
    "surprise": 0.02,
}
"""Least ``q90 - median`` by statistic: a column that hardly ever moved must not alarm on a difference nobody minds."""

_TAIL = 0.1  # of the windows; fewer of fifty would hardly be a tail


@dataclass(frozen=True, slots=True)
class Spread:
    """How one score behaves while nothing is wrong.

    Attributes:
        median: over reference windows.
        above: ``q90 - median``, at least the statistic's ``MINIMUM_SPREAD``.
    """

    median: float
    above: float

    def standardise(self, score: float) -> float:
        """The score's part in T."""
        return (score - self.median) / self.above


def spread_of(statistic: str, scores: Floats) -> Spread | None:
    """Of the scores ``[windows]`` of one column, NaN where a window has none; None if fewer than half have one."""
    known = scores[~np.isnan(scores)]
    if known.size * 2 < scores.size or known.size == 0:
        return None
    median, upper = (float(value) for value in np.quantile(known, [0.5, 0.9]))
    return Spread(median, max(upper - median, MINIMUM_SPREAD[statistic]))


def largest(scores: Mapping[tuple[str, str], Floats], spreads: Mapping[tuple[str, str], Spread]) -> Floats:
    """T of each window, NaN where it has no score at all.

    Args:
        scores: by (column, statistic), each ``[windows]``.
        spreads: of those that have one; the others are left out.
    """
    standard = [(scores[key] - spread.median) / spread.above for key, spread in spreads.items()]
    worst: Floats = np.fmax.reduce(standard)
    return worst


def threshold_of(values: Floats, probability: float) -> float:
    """Level of T that a window exceeds with ``probability``; at least 1, the q90 of a single column.

    It is a quantile of the reference's windows as far as these reach. Where it has to be exceeded more rarely than
    once in all of them, the largest is too low: excesses over the 90 % quantile are then taken to be exponential, the
    tail of light-tailed scores (peaks over threshold: Pickands 1975).
    """
    known = values[~np.isnan(values)]
    level = float(np.quantile(known, 1 - probability))
    if probability * known.size < 1:
        start = float(np.quantile(known, 1 - _TAIL))
        excess = float(np.mean(known[known >= start] - start))
        level = max(level, start + excess * math.log(_TAIL / probability))
    return max(1.0, level)
