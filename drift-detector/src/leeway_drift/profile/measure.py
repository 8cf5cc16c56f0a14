"""How far windows are from a profile, on the scale of its thresholds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from leeway_drift.counting.counts import ColumnCounts, Counts
from leeway_drift.profile.model import Column, Profile
from leeway_drift.profile.quality import quality_ratios
from leeway_drift.statistics.scoring import Batch, Scoring, scores

_LEAST_FAULTY = 3
"""Faulty values that a limit tolerates less one, however low it is and however few rows there are."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on one column, output or relation.

    Attributes:
        name: of it.
        statistics: raw values by name, all of them known.
        ratio: of the worst one over its threshold; None if nothing can be said.
        worst: name of that statistic, empty if there is none.
    """

    name: str
    statistics: Mapping[str, float]
    ratio: float | None
    worst: str = ""


def measure(profile: Profile, scoring: Scoring, window: Counts, reference: Counts) -> list[Measured]:
    """Measure one window for one calibrated detector, the largest ratio first.

    Args:
        profile: whose thresholds.
        scoring: what the detector scores.
        window: counts of the window.
        reference: counts of what it is compared with.
    """
    threshold = profile.threshold(scoring)
    if threshold is None:
        return []
    found = scores(scoring, profile.scored, Batch.of(window), Batch.of(reference), shown=True)
    statistics: dict[str, dict[str, float]] = {}
    ratios: dict[str, list[tuple[float, str]]] = {}
    for (name, statistic), value in found.items():
        score = float(value)
        known = statistics.setdefault(name, {})
        if math.isnan(score):
            continue
        known[statistic] = score
        if spread := threshold.spreads.get((name, statistic)):
            ratio = max(0.0, spread.standardise(score) / threshold.value)
            ratios.setdefault(name, []).append((ratio, statistic))
    return _worst_first([_measured(name, values, ratios.get(name, [])) for name, values in statistics.items()])


def measure_quality(profile: Profile, window: Counts) -> list[Measured]:
    """Measure one window's data quality, features and outputs, the largest ratio first."""
    return _worst_first(
        [
            measure_quality_of(name, column, counts[name])
            for columns, counts in ((profile.features, window.features), (profile.outputs, window.outputs))
            for name, column in columns.items()
        ]
    )


def measure_quality_of(name: str, column: Column, counts: ColumnCounts) -> Measured:
    """Measure the data quality of one column in one window."""
    statistics = quality_ratios(counts, numeric=column.numeric)
    ratios = [
        (statistics[kind] / max(limit, _LEAST_FAULTY / counts.total), kind)
        for kind, limit in column.limits.items()
        if kind in statistics
    ]
    return _measured(name, statistics, ratios)


def _measured(name: str, statistics: Mapping[str, float], ratios: list[tuple[float, str]]) -> Measured:
    ratio, worst = max(ratios, default=(None, ""))
    return Measured(name, statistics, ratio, worst)


def _worst_first(measured: list[Measured]) -> list[Measured]:
    return sorted(measured, key=lambda item: (math.inf if item.ratio is None else -item.ratio, item.name))
