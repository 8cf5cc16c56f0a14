"""How far the counts of one column are from a reference, for one window or for a batch of them at once.

All functions take histograms whose leading axes broadcast and return float64 of those axes.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt

from leeway_drift.counting.counts import ColumnCounts, ColumnPlan, Integers

Floats = npt.NDArray[np.float64]

_PSEUDOCOUNT = 0.5  # Jeffreys' prior: an empty bin is a rare one, not an impossible one


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts of one column that its distances need.

    Attributes:
        bins: int64 ``[..., plan.size]``.
        below: int64 ``[...]``, distances below the first edge in units of the plan.
        above: int64 ``[...]``, distances above the last edge.
    """

    bins: Integers
    below: Integers
    above: Integers

    @classmethod
    def of(cls, counts: ColumnCounts) -> Self:
        """Of one window or reference, without leading axes."""
        return cls(counts.bins, np.array(counts.below), np.array(counts.above))

    @classmethod
    def stack(cls, windows: Iterable[ColumnCounts]) -> Self:
        """Of several windows, along a leading axis."""
        parts = [cls.of(counts) for counts in windows]
        return cls(*(np.stack([getattr(part, name) for part in parts]) for name in ("bins", "below", "above")))

    @property
    def total(self) -> Integers:
        """Values counted, ``[...]``."""
        total: Integers = self.bins.sum(axis=-1)
        return total


def psi(window: Histogram, reference: Histogram) -> Floats:
    """Population stability index, ``sum((p - q) ln(p / q))``: Jeffreys' divergence of the two (Jeffreys 1946).

    Half a count is added to every bin, so that it is finite.
    """
    p, q = _smoothed(window.bins), _smoothed(reference.bins)
    return _last_sum((p - q) * np.log(p / q))


def jensen_shannon(window: Histogram, reference: Histogram) -> Floats:
    """Jensen-Shannon distance, base 2, in [0, 1] (Endres and Schindelin 2003)."""
    p, q = _proportions(window.bins), _proportions(reference.bins)
    middle = (p + q) / 2
    divergence = _last_sum(_entropy_terms(middle)) - (_last_sum(_entropy_terms(p)) + _last_sum(_entropy_terms(q))) / 2
    return np.sqrt(np.maximum(divergence, 0.0))


def total_variation(window: Histogram, reference: Histogram) -> Floats:
    """Total variation distance, half the sum of ``|p - q|``, in [0, 1]."""
    return _last_sum(np.abs(_proportions(window.bins) - _proportions(reference.bins))) / 2


def kolmogorov_smirnov(window: Histogram, reference: Histogram) -> Floats:
    """Largest difference of the distribution functions at the edges; at most a bin's mass below the exact one."""
    difference: Floats = np.abs(_cumulative(window) - _cumulative(reference)).max(axis=-1, initial=0.0)
    return difference


def wasserstein(window: Histogram, reference: Histogram, plan: ColumnPlan, scale: float) -> Floats:
    """Wasserstein-1 distance: the area between the distribution functions (Vallender 1974), over ``scale``.

    Between two edges the functions are taken as straight lines. What lies beyond the end edges adds the difference of
    the mean distances there: exact if the reference has nothing there, else a lower bound.

    Args:
        window: of a numeric column.
        reference: of the same plan.
        plan: whose edges.
        scale: the reference's standard deviation; the distance is NaN if that is 0.
    """
    if plan.edges is None or plan.edges.size == 0 or not scale > 0:
        return np.full(np.broadcast_shapes(window.bins.shape[:-1], reference.bins.shape[:-1]), np.nan)
    difference = _cumulative(window) - _cumulative(reference)
    left, right = difference[..., :-1], difference[..., 1:]
    heights = np.abs(left) + np.abs(right)
    crossing = np.divide(left**2 + right**2, heights, out=np.zeros_like(heights), where=heights > 0)
    mean_height = np.where(left * right >= 0, heights, crossing) / 2
    inside = _last_sum(mean_height * np.diff(plan.edges.astype(np.float64)))
    outside = np.abs(_mean(window.below, window) - _mean(reference.below, reference)) + np.abs(
        _mean(window.above, window) - _mean(reference.above, reference)
    )
    distance: Floats = (inside + outside * plan.unit) / scale
    return distance


Distance = Callable[[Histogram, Histogram, ColumnPlan, float], Floats]

DISTANCES: Mapping[str, Distance] = MappingProxyType(
    {
        "psi": lambda window, reference, _plan, _scale: psi(window, reference),
        "js": lambda window, reference, _plan, _scale: jensen_shannon(window, reference),
        "tvd": lambda window, reference, _plan, _scale: total_variation(window, reference),
        "ks": lambda window, reference, _plan, _scale: kolmogorov_smirnov(window, reference),
        "wasserstein": wasserstein,
    }
)
"""By the name they have in metrics and documents."""


def chance_distance(statistic: str, bins: int, rows: int) -> float:
    """What rows of the reference itself show on average, if they are few and the reference is large.

    ``n`` times the PSI is about chi-squared, and the squared Jensen-Shannon distance an eighth of the PSI in bits; the
    total variation distance is that of equally frequent bins, the largest there is; the mean of the
    Kolmogorov-Smirnov distance is ``sqrt(pi / 2) ln 2 / sqrt(n)``, and the Wasserstein distance of a normal column is
    somewhat above ``1 / sqrt(n)`` standard deviations.

    Args:
        statistic: one of ``DISTANCES``.
        bins: of the column.
        rows: of the window.
    """
    rows = max(rows, 1)
    freedom = (bins - 1) / rows
    return {
        "psi": freedom,
        "js": min(1.0, math.sqrt(freedom / (8 * math.log(2)))),
        "tvd": min(1.0, math.sqrt(freedom / (2 * math.pi))),
        "ks": min(1.0, math.sqrt(math.pi / 2) * math.log(2) / math.sqrt(rows)),
        "wasserstein": 1 / math.sqrt(rows),
    }[statistic]


def _last_sum(values: Floats) -> Floats:
    total: Floats = values.sum(axis=-1)
    return total


def _smoothed(bins: Integers) -> Floats:
    raised = bins + _PSEUDOCOUNT
    smoothed: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return smoothed


def _proportions(bins: Integers) -> Floats:
    total = bins.sum(axis=-1, keepdims=True)
    proportions: Floats = bins / np.maximum(total, 1)
    return proportions


def _entropy_terms(p: Floats) -> Floats:
    logarithms: Floats = np.log2(p, out=np.zeros_like(p), where=p > 0)
    terms: Floats = -p * logarithms
    return terms


def _cumulative(histogram: Histogram) -> Floats:
    """Share of values below each edge, ``[..., edges]``."""
    return np.cumsum(histogram.bins, axis=-1)[..., :-1] / np.maximum(histogram.total, 1)[..., np.newaxis]


def _mean(sums: Integers, histogram: Histogram) -> Floats:
    return sums / np.maximum(histogram.total, 1)
