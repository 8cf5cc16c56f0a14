"""Faults replayed on the reference: which of them the calibrated detectors would see, and how soon."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Float32Array, Rows
from leeway_drift.counting.counts import Counts, Integers
from leeway_drift.profile.measure import measure_quality
from leeway_drift.profile.model import Column, Profile
from leeway_drift.statistics.max_t import largest
from leeway_drift.statistics.scoring import SCORINGS, TRAILING_WINDOWS, Batch, scores

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
    healthy = [
        start
        for start in range(TRAILING_WINDOWS, len(windows) - WINDOWS + 1)
        if not any(seen.any() for seen in _Replay(profile, asked, windows, offsets.tolist(), [start]).untouched())
    ]
    if not healthy:
        return []
    chosen = np.unique(np.linspace(0, len(healthy) - 1, _STARTS).astype(np.int64)).tolist()
    replayed = _Replay(profile, asked, windows, offsets.tolist(), [healthy[index] for index in chosen])
    return [
        {"fault": fault, "column": name, **replayed.run(name, change)}
        for name, column in profile.features.items()
        if column.monitored
        for fault, change in _applicable(column)
    ]


def _applicable(column: Column) -> Iterator[tuple[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]]]:
    if column.numeric:
        yield from ((fault.name, fault.apply) for fault in NUMERIC_FAULTS)
        return
    commonest = sorted(range(len(column.plan.categories)), key=lambda index: -int(column.counts[index]))
    if len(commonest) > 1:
        a, b = (column.plan.categories[index] for index in commonest[:2])
        for fault in CATEGORICAL_FAULTS:
            yield fault.name, lambda values, fault=fault: fault.apply(values, a, b)  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class _Replay:
    profile: Profile
    asked: Rows
    windows: Sequence[Counts]
    offsets: Sequence[int]
    starts: Sequence[int]

    def run(self, name: str, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> dict[str, Any]:
        """Apply one fault to one column and count who sees it."""
        seen = self._seen([self._faulty(name, change, start) for start in self.starts])
        return {
            "starts": len(self.starts),
            "seen": int(np.any(list(seen.values()), axis=0).sum()),
            "detectors": {key: int(starts.sum()) for key, starts in seen.items() if starts.any()},
        }

    def untouched(self) -> Iterable[Flags]:
        """Who alarms at each start without any fault."""
        return self._seen([list(self.windows[start : start + WINDOWS]) for start in self.starts]).values()

    def _seen(self, parts: Sequence[Sequence[Counts]]) -> dict[str, Flags]:
        """By detector, whether it alarms within the windows of each start ``[starts]``."""
        seen: dict[str, Flags] = {
            "data_quality/training": np.array(
                [any((measure_quality(self.profile, window)[0].ratio or 0) >= 1 for window in part) for part in parts]
            )
        }
        stacked = Batch.stack(window for part in parts for window in part)
        references = {
            "training": Batch.of(self.profile.reference),
            "trailing": Batch.stack(self._trailing(start) for start in self.starts for _ in range(WINDOWS)),
        }
        for scoring in SCORINGS:
            threshold = self.profile.thresholds.get(scoring.key)
            if threshold is None or scoring.over == "outputs":
                continue
            found = scores(scoring, self.profile.scored, stacked, references[scoring.reference])
            over = (largest(found, threshold.spreads) >= threshold.value).reshape(len(self.starts), WINDOWS)
            seen[scoring.key] = over.sum(axis=1) >= PERSISTENCE
        return seen

    def _faulty(self, name: str, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]], start: int) -> list[Counts]:
        """Counts of the windows from ``start``, the column changed in all of them as in one stream."""
        first, last = self.offsets[start], self.offsets[start + WINDOWS]
        numbers, strings = self.asked.numbers[first:last].copy(), self.asked.strings[first:last].copy()
        rows = Rows(self.asked.numeric, numbers, self.asked.categorical, strings)
        rows.column(name)[:] = change(rows.column(name))
        plan = self.profile.plan
        counted = []
        for index in range(start, start + WINDOWS):
            inner = slice(self.offsets[index] - first, self.offsets[index + 1] - first)
            request = Counts.of_request(plan, Rows(rows.numeric, numbers[inner], rows.categorical, strings[inner]))
            healthy = self.windows[index]
            counted.append(replace(request, answered=healthy.answered, outputs=healthy.outputs))
        return counted

    def _trailing(self, start: int) -> Counts:
        """The reference of all three windows: it does not move on while an alarm is open."""
        total, *others = self.windows[start - TRAILING_WINDOWS : start]
        for window in others:
            total = total + window
        return total
