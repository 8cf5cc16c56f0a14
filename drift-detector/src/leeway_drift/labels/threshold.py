"""A decision threshold proposed from labels: a proposal with its uncertainty, for people to take or leave."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leeway_drift.labels.performance import Float64Array

MIN_LABELS = 500
MIN_OF_EACH_CLASS = 50
"""Below either, an optimum is mostly chance."""

RESAMPLES = 200
_SEED = 20130101  # fixed: the same labels give the same proposal
_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a wrong decision costs, in any unit; only their ratio matters for the threshold."""

    false_positive: float
    false_negative: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the labels say about the threshold.

    Attributes:
        labels: how many there are.
        positives: of class 1.
        reason: why there is no proposal; None if there is one.
        threshold: the label is best taken to be 1 above it; None without a proposal.
        interval: in which 95 % of the resamples' thresholds lie.
        value: of the objective at the threshold: F1, or the mean cost per prediction.
        current_value: at the threshold in use.
        gain_interval: in which 95 % of the resamples' gains over the threshold in use lie; where it reaches below 0,
            the labels do not say that the change is one for the better.
    """

    labels: int
    positives: int
    reason: str | None = None
    threshold: float | None = None
    interval: tuple[float, float] | None = None
    value: float | None = None
    current_value: float | None = None
    gain_interval: tuple[float, float] | None = None


def propose(
    probabilities: Float64Array,
    labels: Float64Array,
    requests: npt.NDArray[np.int64],
    *,
    current: float,
    costs: Costs | None = None,
) -> Proposal:
    """Find the threshold that serves the labels best: the largest F1, or the smallest mean cost if costs are given.

    The gain of a resample is that of the proposed threshold, not of the resample's own optimum, which would always be
    positive. Even so it is measured on the labels that chose the threshold and leans to the optimistic side.

    Args:
        probabilities: of class 1, ``[rows]``.
        labels: 0 or 1, ``[rows]``.
        requests: ``[rows]``, equal for rows of one request; those are resampled together, being alike.
        current: the threshold in use.
        costs: of the two errors; None for F1.
    """
    positives = int((labels == 1).sum())
    if labels.size < MIN_LABELS or min(positives, labels.size - positives) < MIN_OF_EACH_CLASS:
        reason = (
            f"{labels.size} labels, {positives} of them of class 1; "
            f"needs {MIN_LABELS}, and {MIN_OF_EACH_CLASS} of each class"
        )
        return Proposal(labels.size, positives, reason)
    curve = _Curve(probabilities, labels == 1, _negative_cost(costs) if costs else _f1)
    chosen, value, current_value = curve.best(np.ones(labels.size), current)
    _, group = np.unique(requests, return_inverse=True)
    group = group.reshape(-1)
    groups = int(group.max()) + 1
    generator = np.random.default_rng(_SEED)
    thresholds = np.empty(RESAMPLES)
    gains = np.empty(RESAMPLES)
    for resample in range(RESAMPLES):
        weights = np.bincount(generator.integers(0, groups, groups), minlength=groups)[group]
        thresholds[resample], _, at_current = curve.best(weights, current)
        gains[resample] = curve.at(weights, chosen) - at_current
    sign = -1.0 if costs else 1.0
    return Proposal(
        labels=labels.size,
        positives=positives,
        threshold=chosen,
        interval=_quantiles(thresholds),
        value=sign * value,
        current_value=sign * current_value,
        gain_interval=_quantiles(gains),
    )


_Objective = Callable[[Float64Array, Float64Array, float, float], Float64Array]


def _f1(true_positives: Float64Array, said: Float64Array, positives: float, _: float) -> Float64Array:
    either = said + positives
    return np.divide(2 * true_positives, either, out=np.zeros_like(either), where=either > 0)


def _negative_cost(costs: Costs) -> _Objective:
    def objective(true_positives: Float64Array, said: Float64Array, positives: float, total: float) -> Float64Array:
        wrong = costs.false_positive * (said - true_positives) + costs.false_negative * (positives - true_positives)
        return -wrong / max(total, 1.0)

    return objective


class _Curve:
    """An objective at every threshold that tells rows apart, for any weights of the rows."""

    def __init__(self, probabilities: Float64Array, positive: npt.NDArray[np.bool_], objective: _Objective) -> None:
        self._order = np.argsort(-probabilities, kind="stable")
        descending = probabilities[self._order]
        self._positive = positive[self._order]
        self._objective = objective
        # After the last row of each distinct probability: there, and only there, can a threshold cut. No threshold
        # makes a probability of 0 a label of 1.
        ends = np.flatnonzero(np.diff(descending, append=-1.0))
        self._ends = ends[descending[ends] > 0]
        self._distinct = descending[self._ends]
        # Halfway to the next: the same rows are above it, and it survives rounding to float32 by the server.
        self._thresholds = np.concatenate([[1.0], (self._distinct + np.append(self._distinct[1:], 0.0)) / 2])

    def _values(self, weights: npt.NDArray[np.generic]) -> Float64Array:
        ordered = np.asarray(weights, dtype=np.float64)[self._order]
        said = np.concatenate([[0.0], np.cumsum(ordered)[self._ends]])
        hits = np.concatenate([[0.0], np.cumsum(ordered * self._positive)[self._ends]])
        return self._objective(hits, said, float(ordered[self._positive].sum()), float(ordered.sum()))

    def _index(self, threshold: float) -> int:
        """How many distinct probabilities are above a threshold."""
        return int(np.searchsorted(-self._distinct, -threshold, side="left"))

    def at(self, weights: npt.NDArray[np.generic], threshold: float) -> float:
        """The objective at a threshold."""
        return float(self._values(weights)[self._index(threshold)])

    def best(self, weights: npt.NDArray[np.generic], current: float) -> tuple[float, float, float]:
        """The best threshold (of equal ones the highest), the objective there, and at the threshold in use."""
        values = self._values(weights)
        index = int(np.argmax(values))
        return float(self._thresholds[index]), float(values[index]), float(values[self._index(current)])


def _quantiles(values: Float64Array) -> tuple[float, float]:
    low, high = np.quantile(values, _INTERVAL)
    return float(low), float(high)
