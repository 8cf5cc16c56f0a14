"""Judging the reference's own windows, as the service will judge served ones: what the thresholds do to normal data."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Float32Array, Rows, as_float32, column_names
from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Detector, Judgement, Verdict, Window
from leeway_drift.detectors.native import native_detectors
from leeway_drift.profile import Profile
from leeway_drift.report.tables import Reference

TRAILING_WINDOWS = 7
_PERSISTENT, _OF_LAST = 2, 3


@dataclass(frozen=True)
class Series:
    """What one detector said of the reference's windows.

    Attributes:
        detector: its name.
        reference: what windows were compared with.
        ratios: score over threshold per window, None where insufficient.
        judged: windows it could judge.
        over: windows at or over the threshold.
        alarms: episodes in which 2 of the last 3 judged windows were over.
    """

    detector: str
    reference: str
    ratios: tuple[float | None, ...]
    judged: int
    over: int
    alarms: int


def windows(reference: Reference, profile: Profile) -> list[Window]:
    """Cut the reference into the windows that the service would have closed: enough rows, and enough seconds."""
    if reference.time is None:
        return []
    cut, start = [], 0
    for end in _ends(reference.time, profile.window_rows, profile.window_seconds):
        cut.append(_window(reference, profile, start, end))
        start = end
    return cut


def replay(reference: Reference, profile: Profile) -> tuple[list[Window], list[Series]]:
    """Judge every window of the reference by every native detector; the first windows have nothing trailing them."""
    closed = windows(reference, profile)
    return closed, [_series(detector, closed) for detector in native_detectors(profile)]


def _ends(time: npt.NDArray[np.int64], rows: int, seconds: float) -> list[int]:
    ends, start = [], 0
    while start < time.size:
        end = max(start + rows, int(np.searchsorted(time, time[start] + seconds)))
        if end > time.size:
            break  # the last one never closed
        ends.append(end)
        start = end
    return ends


def _window(reference: Reference, profile: Profile, start: int, end: int) -> Window:
    columns = {
        name: values[start:end] if name in reference.categorical else as_float32(values[start:end])
        for name, values in reference.features.items()
    }
    outputs: dict[str, Float32Array] = {}
    for name, values in reference.outputs.items():
        table = as_float32(values[start:end]).reshape(end - start, -1)
        outputs.update(zip(column_names(name, table.shape[1]), table.T, strict=True))
    counts = Counts.of_request(profile.plan, Rows.of(columns, end - start))
    if outputs:
        counts += Counts.of_response(profile.plan, Rows.of(outputs, end - start))
    assert reference.time is not None  # noqa: S101 - windows() has asked
    first, last = (datetime.fromtimestamp(int(reference.time[row]), UTC) for row in (start, end - 1))
    return Window(first, last + timedelta(seconds=1), counts)


def _series(detector: Detector, closed: Sequence[Window]) -> Series:
    judgements: list[Judgement] = []
    for index, window in enumerate(closed):
        judgements.append(detector.judge(window, closed[max(0, index - TRAILING_WINDOWS) : index]))
    verdicts = [judgement.verdict for judgement in judgements if judgement.verdict != Verdict.INSUFFICIENT]
    return Series(
        detector.name,
        detector.reference.value,
        tuple(judgement.score_ratio for judgement in judgements),
        len(verdicts),
        verdicts.count(Verdict.OVER),
        episodes(verdict == Verdict.OVER for verdict in verdicts),
    )


def episodes(over: Iterable[bool]) -> int:
    """How often 2 of the last 3 windows became over after they had not been: alarms, as people would have got them."""
    last: deque[bool] = deque(maxlen=_OF_LAST)
    alarms, alarmed = 0, False
    for window in over:
        last.append(window)
        persists = sum(last) >= _PERSISTENT
        alarms += persists and not alarmed
        alarmed = persists
    return alarms
