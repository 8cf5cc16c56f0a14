"""From time-ordered windows of the reference to thresholds that keep a stated rate of false alarms."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leeway_drift.counting.counts import Counts, Integers
from leeway_drift.statistics.max_t import Floats, Spread, largest, spread_of, threshold_of
from leeway_drift.statistics.scoring import SCORINGS, TRAILING_WINDOWS, Batch, Scored, Scores, scores

TARGET_PER_30_DAYS = 1.0
"""False alarms in 30 days that all calibrated detectors of a model may raise together."""

LEFT_OUT = 3
"""Windows before and after a window that are left out of the training reference it is compared with."""

_MONTH = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Threshold:
    """The calibrated threshold of one detector.

    Attributes:
        spreads: by (column, statistic).
        value: of T.
        windows: that taught it.
        achieved: share of those windows over the level of T that the others teach.
        half_to_half: share of the second half's windows over a threshold taught by the first; None where a half has
            too few values to tell.
    """

    spreads: Mapping[tuple[str, str], Spread]
    value: float
    windows: int
    achieved: float
    half_to_half: float | None


def window_probability(mean_seconds: float, target_per_30_days: float) -> float:
    """Share of windows that one detector may judge over.

    An alarm is 2 of 3 windows over, whose probability is about ``3 p^2`` for a window's p. With m windows in 30 days
    and d detectors, ``m * 3 p^2 = target / d``.
    """
    windows = _MONTH / mean_seconds
    return min(0.25, math.sqrt(target_per_30_days / (3 * windows * len(SCORINGS))))


def calibrate(scored: Scored, whole: Counts, windows: Sequence[Counts], probability: float) -> dict[str, Threshold]:
    """Calibrate every detector that has a column to score.

    Args:
        scored: how the columns are counted.
        whole: counts of the reference.
        windows: counts of its windows in order of time.
        probability: share of windows that each detector may judge over.
    """
    stacked = Batch.stack(windows)
    references = {"training": _left_out(Batch.of(whole), stacked), "trailing": stacked.combine(trailing_sums)}
    thresholds = {}
    for scoring in SCORINGS:
        skipped = TRAILING_WINDOWS if scoring.reference == "trailing" else 0
        measured = {
            key: values[skipped:]
            for key, values in scores(scoring, scored, stacked, references[scoring.reference]).items()
        }
        if threshold := _threshold(measured, probability):
            thresholds[scoring.key] = threshold
    return thresholds


def _threshold(measured: Scores, probability: float) -> Threshold | None:
    spreads = _spreads(measured)
    if not spreads:
        return None
    values = largest(measured, spreads)
    return Threshold(
        spreads,
        threshold_of(values, probability),
        int(np.count_nonzero(~np.isnan(values))),
        _leave_one_out(values, probability),
        _half_to_half(measured, probability),
    )


def _spreads(measured: Scores) -> dict[tuple[str, str], Spread]:
    found = {key: spread_of(key[1], values) for key, values in measured.items()}
    return {key: spread for key, spread in found.items() if spread is not None}


def _leave_one_out(values: Floats, probability: float) -> float:
    known = values[~np.isnan(values)]
    others = (np.delete(known, index) for index in range(known.size))
    return float(np.mean([known[index] >= threshold_of(rest, probability) for index, rest in enumerate(others)]))


def _half_to_half(measured: Scores, probability: float) -> float | None:
    middle = len(next(iter(measured.values()))) // 2
    first = {key: values[:middle] for key, values in measured.items()}
    spreads = _spreads(first)
    if not spreads:
        return None
    threshold = threshold_of(largest(first, spreads), probability)
    second = largest({key: values[middle:] for key, values in measured.items()}, spreads)
    known = second[~np.isnan(second)]
    return float(np.mean(known >= threshold)) if known.size else None


def _left_out(whole: Batch, stacked: Batch) -> Batch:
    """The reference of each window: the whole without it and its neighbours."""
    near = stacked.combine(_neighbourhood)
    names = ("bins", "below", "above")
    columns = [
        {
            name: type(column)(*(getattr(column, part) - getattr(neighbours[name], part) for part in names))
            for name, column in total.items()
        }
        for total, neighbours in ((whole.features, near.features), (whole.outputs, near.outputs))
    ]
    relations = {name: table - near.relations[name] for name, table in whole.relations.items()}
    return Batch(columns[0], columns[1], relations)


def _running(values: Integers) -> Integers:
    return np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])


def _neighbourhood(values: Integers) -> Integers:
    index = np.arange(len(values))
    running = _running(values)
    upper = np.minimum(index + LEFT_OUT + 1, len(values))
    total: Integers = running[upper] - running[np.maximum(index - LEFT_OUT, 0)]
    return total


def trailing_sums(values: Integers) -> Integers:
    """Sum of the windows ``[windows, ...]`` before each; of fewer than ``TRAILING_WINDOWS`` for the first ones."""
    index = np.arange(len(values))
    running = _running(values)
    total: Integers = running[index] - running[np.maximum(index - TRAILING_WINDOWS, 0)]
    return total
