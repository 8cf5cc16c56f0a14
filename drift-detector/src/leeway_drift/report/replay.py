"""Judging the reference's own windows, as the service judges served ones: what the thresholds do to normal data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from leeway_drift.columns import Float32Array, Rows, as_float32, column_names
from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Window
from leeway_drift.detectors.native import native_detectors
from leeway_drift.profile import Profile
from leeway_drift.profile.windows import cut_windows
from leeway_drift.report.tables import Reference
from leeway_drift.streaming.judging import Judging, Key, Past, untimed


@dataclass(frozen=True)
class Series:
    """What one detector said of the reference's windows.

    Attributes:
        detector: its name.
        reference: what windows were compared with.
        ratios: score over threshold per window, None where insufficient.
        detected: windows in which it had an alarm.
    """

    detector: str
    reference: str
    ratios: tuple[float | None, ...]
    detected: tuple[bool, ...]

    @property
    def judged(self) -> int:
        """Windows it could judge."""
        return sum(ratio is not None for ratio in self.ratios)

    @property
    def over(self) -> int:
        """Windows at or over its threshold."""
        return sum(ratio is not None and ratio >= 1 for ratio in self.ratios)

    @property
    def alarms(self) -> int:
        """How often an alarm began: what people would have been told."""
        return sum(now and not before for before, now in pairwise((False, *self.detected)))


def replay(reference: Reference, profile: Profile) -> tuple[list[Window], list[Series]]:
    """Judge every window of the reference by every native detector; without times there are no windows."""
    detectors = native_detectors(profile)
    closed, judging, past = windows(reference, profile), Judging(), list[Past]()
    for window in closed:
        # The service lets data quality judge a shorter, sliding window as well; here there is one kind.
        judging.judge_quality(window, detectors, untimed)
        judging.judge(window, detectors, untimed)
        past.append(judging.history[-1])
    return closed, [_series(past, (detector.name, detector.reference)) for detector in detectors]


def windows(reference: Reference, profile: Profile) -> list[Window]:
    """Cut the reference into the windows that the service would have closed; none without times."""
    if reference.time is None:
        return []
    offsets = cut_windows(reference.time, profile.window_rows, profile.window_seconds).tolist()
    return [
        Window(
            datetime.fromtimestamp(int(reference.time[start]), UTC),
            datetime.fromtimestamp(int(reference.time[end - 1]), UTC) + timedelta(seconds=1),
            _counts(reference, profile, start, end),
        )
        for start, end in pairwise(offsets)
    ]


def _counts(reference: Reference, profile: Profile, start: int, end: int) -> Counts:
    columns = {
        name: values[start:end] if name in reference.categorical else as_float32(values[start:end])
        for name, values in reference.features.items()
    }
    outputs: dict[str, Float32Array] = {}
    for name, values in reference.outputs.items():
        table = as_float32(values[start:end]).reshape(end - start, -1)
        outputs.update(zip(column_names(name, table.shape[1]), table.T, strict=True))
    counts = Counts.of_request(profile.plan, Rows.of(columns, end - start))
    return counts + Counts.of_response(profile.plan, Rows.of(outputs, end - start)) if outputs else counts


def _series(past: Sequence[Past], key: Key) -> Series:
    name, reference = key
    ratios = tuple(window.ratios.get(key) for window in past)
    return Series(name, reference.value, ratios, tuple(key in window.detected for window in past))
