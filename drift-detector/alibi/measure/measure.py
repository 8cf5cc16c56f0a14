# noqa: INP001 - a program, in no package
"""What Alibi-Detect says of half a year of real flights: alarms without cause, faults seen, CPU; prints tables.

``flights.py`` beside this file writes what is read here. Run in drift-detector/alibi:

    OMP_NUM_THREADS=1 uv run --frozen python measure/measure.py FOLDER
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from leeway_alibi.worker import Worker
from leeway_drift.columns import Rows
from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Detector, Judgement, Reference, Verdict, Window
from leeway_drift.detectors.native import native_detectors
from leeway_drift.profile import Profile
from leeway_drift.profile.reference import read_reference
from leeway_drift.profile.windows import cut_windows
from leeway_drift.service.alibi import DETECTORS, judge_header, load_header
from leeway_drift.service.alibi_protocol import judgement_from_json
from leeway_drift.service.alibi_rows import Layout
from leeway_drift.streaming.judging import TRAILING_WINDOWS, Judging
from leeway_drift.streaming.sample import Sample

STARTS = 8
FAULTY_WINDOWS = 3
WARNED_DAYS = 60
QUALITY = "data_quality"

Column = npt.NDArray[Any]
Alarms = Mapping[str, Sequence[bool]]
"""By detector and reference, of each window."""


def _some(percent: int, value: float) -> Callable[[Column], Column]:
    """Puts a value where no pattern in time is."""
    return lambda column: np.where(
        np.random.default_rng(0).random(column.size) * 100 < percent, np.float32(value), column
    )


def _swapped(column: Column) -> Column:
    return np.where(column == "UA", "B6", np.where(column == "B6", "UA", column))


FAULTS: Mapping[str, tuple[str, Callable[[Column], Column]]] = {
    "temperature in °C": ("temp", lambda column: (column - 32) * np.float32(5 / 9)),
    "30 % nulls": ("temp", _some(30, np.nan)),
    "30 % zeros": ("temp", _some(30, 0)),
    "pressure -999 in 10 %": ("pressure", _some(10, -999)),
    "carrier renamed": ("carrier", lambda column: np.where(column == "UA", "United", column)),
    "carriers swapped": ("carrier", _swapped),
    "wind stuck": ("wind_speed", lambda column: np.full_like(column, 9)),
    "wind in m/s": ("wind_speed", lambda column: column * np.float32(0.44704)),
    "delay in seconds": ("dep_delay", lambda column: column * np.float32(60)),
    "delay 5 min longer": ("dep_delay", lambda column: column + np.float32(5)),
    "distance in km": ("distance", lambda column: column * np.float32(1.609344)),
}


class Alibi:
    """The worker, without the process around it.

    Args:
        profile: of the version.
        reference: its ``drift-reference.npz``.
        shuffled: whether to forget which rows are of one day.
    """

    def __init__(self, profile: Profile, reference: bytes, *, shuffled: bool = False) -> None:
        rows = read_reference(reference, profile)
        self._profile, self._layout, self._worker = profile, Layout.of(profile, rows), Worker()
        self._arrays = dict(self._layout.of_reference(rows, in_order_of_time=profile.calibrated))
        if shuffled:
            order = np.random.default_rng(0).permutation(len(rows.block))
            self._arrays |= {name: self._arrays[name][order] for name in ("numbers", "codes")}
        self.taught: dict[str, Any] = {}

    def load(self) -> None:
        """Load the version, as after a restart of the worker if that is not the first time."""
        header = load_header("flights", self._layout, self._profile, self.taught)
        self.taught = self._worker.answer(header, self._arrays)["taught"]

    def judge(self, window: Window) -> list[Judgement]:
        """Judge a window that has a sample."""
        assert window.sample is not None  # noqa: S101 - all windows here have one
        header = judge_header("flights", self._profile, window)
        answer = self._worker.answer(header, dict(self._layout.of_window(window.sample)))
        return [judgement_from_json(judgement) for judgement in answer["judgements"]]


@dataclass(frozen=True)
class Served:
    """What was asked and answered from July to December, and where its windows begin."""

    profile: Profile
    asked: Rows
    answered: Rows
    times: npt.NDArray[np.int64]
    offsets: Sequence[int]

    @classmethod
    def read(cls, folder: Path, profile: Profile) -> Self:
        """Read what ``flights.py`` wrote."""
        with np.load(folder / "served.npz") as file:
            stored = {name: file[name] for name in file.files}
        columns = {
            name.removeprefix("feature:"): values.astype(object) if values.dtype.kind == "U" else values
            for name, values in stored.items()
            if name.startswith("feature:")
        }
        answers, times = stored["answers"], stored["time"]
        outputs = {"label": answers.argmax(axis=1).astype(np.float32)}
        outputs |= {f"probabilities.{index}": answers[:, index] for index in range(answers.shape[1])}
        offsets = cut_windows(times, profile.window_rows, profile.window_seconds).tolist()
        return cls(profile, Rows.of(columns, len(times)), Rows.of(outputs, len(times)), times, offsets)

    def window(self, index: int, column: str = "", change: Callable[[Column], Column] = np.copy) -> Window:
        """A window with a sample of its rows as the engine draws it, with a fault in a column if one is named."""
        start, end = self.offsets[index], self.offsets[index + 1]
        rows = _part(self.asked, start, end)
        if column:
            rows.column(column)[:] = change(rows.column(column))
        counts = Counts.of_request(self.profile.plan, rows)
        counts += Counts.of_response(self.profile.plan, _part(self.answered, start, end))
        first, last = (datetime.fromtimestamp(int(self.times[row]), UTC) for row in (start, end - 1))
        sample = Sample.of(rows, np.random.default_rng(index).random).rows
        # Its rows have the hour they were asked in, so that the last of them ends one.
        return Window(first, last + timedelta(hours=1), counts, sample)


def main(folder: Path) -> None:
    """Measure and print."""
    logging.getLogger("alibi_detect").setLevel(logging.ERROR)
    profile = Profile.parse(json.loads((folder / "drift-profile.json").read_text()))
    reference = (folder / "drift-reference.npz").read_bytes()
    shuffled = Alibi(profile, reference, shuffled=True)
    _say(f"rows in random order: load and calibrate {_cpu(shuffled.load):.1f} s of CPU; classifier: {shuffled.taught}")
    alibi = Alibi(profile, reference)
    _say(f"load and calibrate: {_cpu(alibi.load):.1f} s of CPU; load again: {_cpu(alibi.load):.1f} s")
    _say(f"classifier: {alibi.taught}")
    served = Served.read(folder, profile)
    windows = [served.window(index) for index in range(len(served.offsets) - 1)]
    said: list[list[Judgement]] = []
    seconds = _cpu(lambda: said.extend(alibi.judge(window) for window in windows)) / len(windows)
    _say(f"a window: {seconds * 1e3:.0f} ms of CPU; {_cpu(lambda: shuffled.judge(windows[0])) * 1e3:.0f} ms by both\n")
    native = native_detectors(profile)
    others = [detector for detector in native if detector.name not in DETECTORS]
    _print_ordinary("native", windows, _replay(windows, native, [[] for _ in windows]))
    _print_ordinary("alibi", windows, _replay(windows, others, said))
    _print_faults(served, windows, alibi, native)


def _replay(
    windows: Sequence[Window],
    detectors: Sequence[Detector],
    said: Sequence[Sequence[Judgement]],
    before: Sequence[Window] = (),
) -> list[dict[str, tuple[Judgement, bool]]]:
    """Judge windows in order as the engine does; what each detector says, and whether it is alarmed."""
    judging = Judging()
    judging.trailing.extend(before)
    replayed = []
    for window, judgements in zip(windows, said, strict=True):
        judging.judge_quality(window, detectors, _untimed)
        judging.judge(window, detectors, _untimed)
        judging.add(judgements, window)
        replayed.append({"/".join(key): (one.judgement, one.detected) for key, one in judging.judged.items()})
    return replayed


def _untimed(_name: str, judge: Callable[[], Judgement]) -> Judgement:
    return judge()


def _print_ordinary(backend: str, windows: Sequence[Window], replayed: Sequence[Mapping[str, Any]]) -> None:
    _say(f"| {backend}: no fault, {len(windows)} windows | over | insufficient | episodes |\n|---|---|---|---|")
    for key in replayed[0]:
        verdicts = [said[key][0].verdict for said in replayed]
        over, silent = (sum(verdict is one for verdict in verdicts) for one in (Verdict.OVER, Verdict.INSUFFICIENT))
        episodes = _begins([said[key][1] for said in replayed])
        _say(f"| {key} | {over / len(windows):.1%} | {silent} | {len(episodes)} |")
    everything = _begins([any(detected for _, detected in said.values()) for said in replayed])
    drift = _begins([any(said[key][1] for key in said if not key.startswith(QUALITY)) for said in replayed])
    days = [windows[index].start for index in drift if windows[index].start.month >= 9]  # noqa: PLR2004 - September
    most = max((sum(day <= other < day + timedelta(WARNED_DAYS) for other in days) for day in days), default=0)
    _say(f"\nepisodes of all together: {len(everything)}, of them all but {QUALITY}: {len(drift)};")
    _say(f"most of these in {WARNED_DAYS} days from September on: {most}\n")


def _begins(alarmed: Sequence[bool]) -> list[int]:
    return [index for index, (before, now) in enumerate(pairwise([False, *alarmed])) if now and not before]


def _print_faults(served: Served, windows: Sequence[Window], alibi: Alibi, native: Sequence[Detector]) -> None:
    """How often a detector is alarmed within three windows, by the faulty column where it names columns."""
    (tabular,) = [detector for detector in native if detector.name == "tabular"]
    names = [*(f"{name}/{Reference.TRAINING}" for name in DETECTORS), "native tabular"]
    _say(f"| fault, from {STARTS} beginnings | {' | '.join(names)} |\n|---{'|---' * len(names)}|")
    starts = np.linspace(TRAILING_WINDOWS, len(windows) - FAULTY_WINDOWS, STARTS).astype(int).tolist()
    for fault, (column, change) in FAULTS.items():
        seen, ratios = dict.fromkeys(names, 0), {name: list[float]() for name in names}
        for start in starts:
            faulty = [served.window(start + step, column, change) for step in range(FAULTY_WINDOWS)]
            judged = _replay(faulty, [], [alibi.judge(window) for window in faulty])
            by_counts = _replay(faulty, [tabular], [[] for _ in faulty])
            for said, other in zip(judged, by_counts, strict=True):
                said["native tabular"] = other[f"tabular/{Reference.TRAINING}"]
            for name in names:
                seen[name] += any(detected and _names(said, column) for said, detected in (one[name] for one in judged))
                ratios[name] += [one[name][0].score_ratio or 0.0 for one in judged]
        cells = (f"{seen[name]} of {STARTS} ({np.median(ratios[name]):.1f})" for name in names)
        _say(f"| {fault} | {' | '.join(cells)} |")


def _names(judgement: Judgement, column: str) -> bool:
    return not judgement.columns or any(one.name == column and (one.score_ratio or 0) >= 1 for one in judgement.columns)


def _part(rows: Rows, start: int, end: int) -> Rows:
    return replace(rows, numbers=rows.numbers[start:end].copy(), strings=rows.strings[start:end].copy())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _cpu(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


if __name__ == "__main__":
    main(Path(sys.argv[1]))
