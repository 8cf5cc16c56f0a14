"""Faults replayed on the reference: which of them the calibrated detectors would see, and how soon."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Float32Array, Rows
from leeway_drift.counting.counts import Counts, Integers, Plan
from leeway_drift.profile.calibrate import trailing_sums
from leeway_drift.profile.measure import measure_quality, measure_quality_of
from leeway_drift.profile.model import Column, Profile
from leeway_drift.statistics.max_t import largest
from leeway_drift.statistics.scoring import SCORINGS, TRAILING_WINDOWS, Batch, Scored, Scores, scores

WINDOWS = 3
"""Windows within which a fault has to be seen."""

PERSISTENCE = 2
"""Of them over the threshold for an alarm; data quality alarms at once."""

_STARTS = 5
_RENAMED = "(renamed)"

Strings = npt.NDArray[np.object_]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NumericFault:
    """What may happen to a numeric column; ``apply`` takes its values ``[n]`` and returns the faulty ones."""

    name: str
    apply: Callable[[Float32Array], Float32Array]


@dataclass(frozen=True, slots=True)
class CategoricalFault:
    """What may happen to a categorical column; ``apply`` takes its values ``[n]`` and its two commonest categories."""

    name: str
    apply: Callable[[Strings, str, str], Strings]


def _some(size: int, percent: int) -> Flags:
    """Rows without a pattern in time, the same on every machine."""
    return np.arange(size, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**32) < 2**32 * percent // 100


def _replaced(values: Float32Array, percent: int, by: float) -> Float32Array:
    return np.where(_some(values.size, percent), np.float32(by), values).astype(np.float32)


def _stuck(values: Float32Array) -> Float32Array:
    present = values[~np.isnan(values)]
    return np.full_like(values, present[0] if present.size else np.nan)


def _without(values: Strings, percent: int) -> Strings:
    faulty = values.copy()
    faulty[_some(values.size, percent)] = None
    return faulty


NUMERIC_FAULTS = (
    NumericFault("fahrenheit_to_celsius", lambda values: (values - np.float32(32)) * np.float32(5 / 9)),
    NumericFault("times_60", lambda values: values * np.float32(60)),
    NumericFault("miles_to_kilometres", lambda values: values * np.float32(1.609344)),
    NumericFault("null_storm_30_percent", lambda values: _replaced(values, 30, np.nan)),
    NumericFault("nulls_imputed_as_0_30_percent", lambda values: _replaced(values, 30, 0.0)),
    NumericFault("sentinel_-999_10_percent", lambda values: _replaced(values, 10, -999.0)),
    NumericFault("stuck", _stuck),
)

CATEGORICAL_FAULTS = (
    CategoricalFault("null_storm_30_percent", lambda values, _a, _b: _without(values, 30)),
    CategoricalFault("renamed_category", lambda values, a, _b: np.where(values == a, _RENAMED, values)),
    CategoricalFault("swapped_codes", lambda values, a, b: np.where(values == a, b, np.where(values == b, a, values))),
    CategoricalFault("stuck", lambda values, a, _b: np.full_like(values, a)),
)


def replay_faults(profile: Profile, asked: Rows, windows: Sequence[Counts], offsets: Integers) -> list[dict[str, Any]]:
    """Replay every fault on every monitored feature it could happen to.

    Predictions are not replayed: there is no model here.

    Args:
        profile: calibrated.
        asked: the reference in order of time.
        windows: its windows.
        offsets: of the windows in ``asked``.

    Returns:
        Per fault and column: ``starts`` tried, ``seen`` within three windows, and ``detectors`` with how many of the
        starts each of them saw. Starts are spread evenly over where nothing alarms without a fault; none if there is
        no such place.
    """
    stacked = Batch.stack(windows)
    healthy = _healthy_starts(profile, windows, stacked)
    if not healthy.size:
        return []
    chosen = np.unique(np.linspace(0, healthy.size - 1, _STARTS).astype(np.int64))
    replay = _Replay.at(healthy[chosen], profile, stacked, offsets)
    return [
        {"fault": fault, "column": name, **found}
        for name, column in profile.features.items()
        if column.monitored
        for fault, found in replay.run(name, column, asked)
    ]


def _healthy_starts(profile: Profile, windows: Sequence[Counts], stacked: Batch) -> Integers:
    """The windows from which on nothing alarms while nothing is wrong."""
    broken = np.array([(measure_quality(profile, window)[0].ratio or 0) >= 1 for window in windows])
    starts = np.arange(TRAILING_WINDOWS, len(windows) - WINDOWS + 1)
    over: dict[str, Integers] = {}
    for later in range(WINDOWS):
        found = _scores(profile, profile.scored, _Sides.at(starts + later, starts, stacked))
        for key, values in found.items():
            threshold = profile.thresholds[key]
            flags = largest(values, threshold.spreads) >= threshold.value
            over[key] = over.get(key, np.zeros_like(starts)) + flags
    alarms = [counted >= PERSISTENCE for counted in over.values()]
    alarms += [broken[starts + later] for later in range(WINDOWS)]
    healthy: Integers = starts[~np.any(alarms, axis=0)]
    return healthy


def _applicable(column: Column) -> Iterator[tuple[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]]]:
    if column.numeric:
        yield from ((fault.name, fault.apply) for fault in NUMERIC_FAULTS)
        return
    commonest = sorted(range(len(column.plan.categories)), key=lambda index: -int(column.counts[index]))
    if len(commonest) > 1:
        a, b = (column.plan.categories[index] for index in commonest[:2])
        for fault in CATEGORICAL_FAULTS:
            yield fault.name, partial(_between, fault, a, b)


def _between(fault: CategoricalFault, a: str, b: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return fault.apply(values, a, b)


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """Windows, and the trailing reference of each."""

    windows: Batch
    trailing: Batch

    @classmethod
    def at(cls, indexes: Integers, starts: Integers, stacked: Batch) -> Self:
        """Windows by index; the reference is that of ``starts``: it does not move on while an alarm is open."""
        return cls(
            stacked.combine(lambda values: values[indexes]),
            stacked.combine(lambda values: trailing_sums(values)[starts]),
        )


def _scores(profile: Profile, scored: Scored, sides: _Sides) -> dict[str, Scores]:
    """By detector, what it scores of the features; each ``[windows]``."""
    references = {"training": Batch.of(profile.reference), "trailing": sides.trailing}
    return {
        scoring.key: scores(scoring, scored, sides.windows, references[scoring.reference])
        for scoring in SCORINGS
        if scoring.key in profile.thresholds and scoring.over != "outputs"
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Replay:
    """What is the same for every fault: a fault changes one column, so that no other is counted or scored again.

    Attributes:
        profile: calibrated.
        spans: where the windows of each start begin in the reference, and where the last one ends.
        sides: the windows of all starts, untouched.
        untouched: their scores.
    """

    profile: Profile
    spans: Integers
    sides: _Sides
    untouched: Mapping[str, Scores]

    @classmethod
    def at(cls, starts: Integers, profile: Profile, stacked: Batch, offsets: Integers) -> Self:
        """From these windows on."""
        indexes = starts[:, np.newaxis] + np.arange(WINDOWS)
        sides = _Sides.at(indexes.reshape(-1), np.repeat(starts, WINDOWS), stacked)
        spans = offsets[starts[:, np.newaxis] + np.arange(WINDOWS + 1)]
        return cls(profile, spans, sides, _scores(profile, profile.scored, sides))

    def run(self, name: str, column: Column, asked: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
        """Let every fault happen to one column, and count who sees it."""
        plan = self._touched(name)
        rows = asked.select(plan.features)
        scored = replace(self.profile.scored, plan=plan)
        for fault, change in _applicable(column):
            counted = [counts for span in self.spans.tolist() for counts in _faulty(plan, rows, span, name, change)]
            found = _scores(self.profile, scored, _Sides(Batch.stack(counted), self.sides.trailing))
            quality = [measure_quality_of(name, column, counts.features[name]).ratio or 0.0 for counts in counted]
            seen = {"data_quality/training": (self._by_start(np.array(quality)) >= 1).any(axis=1)}
            for key, scores_of in found.items():
                threshold = self.profile.thresholds[key]
                worst = largest({**self.untouched[key], **scores_of}, threshold.spreads)
                seen[key] = (self._by_start(worst) >= threshold.value).sum(axis=1) >= PERSISTENCE
            yield (
                fault,
                {
                    "starts": len(self.spans),
                    "seen": int(np.any(list(seen.values()), axis=0).sum()),
                    "detectors": {key: int(starts.sum()) for key, starts in seen.items() if starts.any()},
                },
            )

    def _touched(self, name: str) -> Plan:
        """The column, and those that it is watched together with."""
        plan = self.profile.plan
        relations = {key: one for key, one in plan.relations.items() if name in (one.left, one.right)}
        features = {name, *(side for one in relations.values() for side in (one.left, one.right))}
        return Plan({key: one for key, one in plan.features.items() if key in features}, {}, relations)

    def _by_start(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return values.reshape(len(self.spans), WINDOWS)


def _faulty(
    plan: Plan, rows: Rows, span: Sequence[int], name: str, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
) -> Iterator[Counts]:
    """Counts of consecutive windows, the column changed in all of them as in one stream."""
    changed = rows.take(np.arange(span[0], span[-1]))
    with np.errstate(over="ignore"):  # sixty times the largest number is infinite, and counted as such
        changed.column(name)[:] = change(changed.column(name))
    for start, end in pairwise(span):
        yield Counts.of_request(plan, changed.take(np.arange(start, end) - span[0]))
