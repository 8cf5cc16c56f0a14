"""The drift detectors on half a year of real flights: how often they speak without cause, and what they see.

The profile is that of the shipped example (January to June); July to December is replayed in the windows that the
detector would cut, and judged by its rule: an alarm is two of the last three windows over, for data quality one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import leeway_training
from leeway_drift.columns import Rows
from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Judgement, Reference, Verdict, Window
from leeway_drift.detectors.native import native_detectors
from leeway_drift.profile import Profile, build_profile
from leeway_drift.profile.windows import cut_windows
from leeway_drift.statistics.scoring import TRAILING_WINDOWS
from leeway_drift.streaming.judging import Judged, Judging, Key
from leeway_training.configfile import read_config
from leeway_training.dataset import build_dataset
from leeway_training.pipeline import fit
from leeway_training.source import read_source

CONFIG = Path(leeway_training.__file__).parent / "examples" / "flights.yaml"
QUALITY: Key = ("data_quality", Reference.TRAINING)

Column = npt.NDArray[Any]
Change = Callable[[Column], Column]


@dataclass(frozen=True)
class Flights:
    """The profile, and the flights after it: as rows in order of time, and in windows."""

    profile: Profile
    rows: Rows
    offsets: Sequence[int]
    windows: Sequence[Window]


@pytest.fixture(scope="module")
def flights() -> Flights:
    config = read_config(CONFIG)
    data = build_dataset(read_source(config.data, base=CONFIG.parent).frame, config)
    pipeline = fit(config, config.model, data.train)
    names = [str(name) for name in data.train.features]
    reference = data.train
    profile = Profile.parse(
        build_profile(
            {name: reference.features[name].to_numpy() for name in names},
            categorical=["carrier", "origin"],
            outputs={"probabilities": pipeline.predict_proba(reference.features).astype(np.float32)},
            time=reference.times,
            context=["hour"],
        )
    )
    parts = (data.validation, data.test)
    asked = Rows.of(
        {name: np.concatenate([part.features[name].to_numpy() for part in parts]) for name in names},
        sum(len(part) for part in parts),
    )
    answers = np.concatenate([pipeline.predict_proba(part.features) for part in parts]).astype(np.float32)
    answered = Rows.of({f"probabilities.{k}": answers[:, k] for k in (0, 1)}, asked.count)
    time = np.concatenate([part.times for part in parts])
    offsets = cut_windows(time, profile.window_rows, profile.window_seconds).tolist()
    windows = [
        Window(
            datetime.fromtimestamp(int(time[start]), UTC),
            datetime.fromtimestamp(int(time[end - 1]), UTC),
            Counts.of_request(profile.plan, part_of(asked, start, end))
            + Counts.of_response(profile.plan, part_of(answered, start, end)),
        )
        for start, end in pairwise(offsets)
    ]
    return Flights(profile, asked, offsets, windows)


def part_of(rows: Rows, start: int, end: int) -> Rows:
    return Rows(rows.numeric, rows.numbers[start:end].copy(), rows.categorical, rows.strings[start:end].copy())


def replay(profile: Profile, windows: Sequence[Window], before: Sequence[Window] = ()) -> list[dict[Key, Judged]]:
    """Judge windows in order as the detector does; by detector and reference what it says and whether it is alarmed."""
    detectors = native_detectors(profile)
    judging = Judging()
    judging.trailing.extend(before)
    replayed = []
    for window in windows:
        judging.judge_quality(window, detectors, untimed)
        judging.judge(window, detectors, untimed)
        replayed.append(dict(judging.judged))
    return replayed


def untimed(_name: str, judge: Callable[[], Judgement]) -> Judgement:
    return judge()


def begins(alarmed: Sequence[bool]) -> list[int]:
    """Windows at which an episode of alarm begins."""
    return [index for index, (before, now) in enumerate(pairwise([False, *alarmed])) if now and not before]


def test_half_a_year_of_flights_raises_few_alarms_and_all_of_the_weather_gaps(flights: Flights):
    replayed = replay(flights.profile, flights.windows)
    starts = [window.start for window in flights.windows]
    over = [any(said.judgement.verdict is Verdict.OVER for said in judged.values()) for judged in replayed]
    assert len(replayed) >= 150
    assert np.mean(over) <= 0.20
    assert len(begins([any(said.detected for said in judged.values()) for judged in replayed])) <= 12

    drift = [any(said.detected for key, said in judged.items() if key != QUALITY) for judged in replayed]
    autumn = [starts[index] for index in begins(drift) if starts[index].month >= 9]
    assert all(sum(first <= day < first + timedelta(days=60) for day in autumn) <= 4 for first in autumn)

    gaps = {f"{start:%m-%d}" for start, judged in zip(starts, replayed, strict=True) if judged[QUALITY].detected}
    assert gaps >= {"08-19", "08-22", "10-25", "12-30"}


def some(size: int, percent: int) -> npt.NDArray[np.bool_]:
    """Rows without a pattern in time."""
    return np.random.default_rng(0).random(size) * 100 < percent


def with_some(percent: int, value: float) -> Change:
    return lambda column: np.where(some(column.size, percent), np.float32(value), column)


def swapped(column: Column) -> Column:
    return np.where(column == "UA", "B6", np.where(column == "B6", "UA", column))


FAULTS: Mapping[str, tuple[str, Change, Key]] = {
    "temperature in °C": ("temp", lambda column: (column - 32) * np.float32(5 / 9), ("abrupt", Reference.TRAILING)),
    "30 % nulls": ("temp", with_some(30, np.nan), QUALITY),
    "carrier renamed": ("carrier", lambda column: np.where(column == "UA", "United", column), QUALITY),
    "wind stuck": ("wind_speed", lambda column: np.full_like(column, 9), QUALITY),
    "pressure -999 in 10 %": ("pressure", with_some(10, -999), QUALITY),
    "30 % nulls imputed as 0": ("temp", with_some(30, 0), QUALITY),
    "delay in seconds": ("dep_delay", lambda column: column * np.float32(60), ("slow", Reference.TRAINING)),
    "distance in km": ("distance", lambda column: column * np.float32(1.609344), ("slow", Reference.TRAINING)),
    "carriers swapped": ("carrier", swapped, ("relation", Reference.TRAINING)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_seen_within_three_windows_by_the_detector_that_is_meant_for_it(flights: Flights, fault: str):
    column, change, expected = FAULTS[fault]
    starts = np.linspace(TRAILING_WINDOWS, len(flights.windows) - 3, 20).astype(int).tolist()
    seen = [column_alarmed(flights, start, column, change, expected) for start in starts]
    assert np.mean(seen) >= 0.95


def column_alarmed(flights: Flights, start: int, column: str, change: Change, key: Key) -> bool:
    """Whether a detector is alarmed by the faulty column within three windows, fault from the first of them on."""
    offset = flights.offsets[start]
    rows = part_of(flights.rows, offset, flights.offsets[start + 3])
    rows.column(column)[:] = change(rows.column(column))
    faulty = []
    for index in range(start, start + 3):
        inner = part_of(rows, flights.offsets[index] - offset, flights.offsets[index + 1] - offset)
        healthy = flights.windows[index].counts
        counts = replace(
            Counts.of_request(flights.profile.plan, inner), answered=healthy.answered, outputs=healthy.outputs
        )
        faulty.append(replace(flights.windows[index], counts=counts))
    before = flights.windows[start - TRAILING_WINDOWS : start]
    return any(
        said.detected
        and any(column in item.name.split("~") and (item.score_ratio or 0) >= 1 for item in said.judgement.columns)
        for said in (judged[key] for judged in replay(flights.profile, faulty, before))
    )
