"""A small world to profile: rows of many days whose columns hang together, and move from day to day as real ones do."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Rows
from leeway_drift.counting.counts import Counts, Plan
from leeway_drift.detectors.interface import Window
from leeway_drift.profile import build_profile

ROWS_PER_DAY = 600
SECONDS_PER_ROW = 86_400 // ROWS_PER_DAY
_CITIES = np.array(["Ash", "Birch", "Cedar", "Elm", "Fir"], dtype=object)

Change = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


@dataclass(frozen=True)
class World:
    """Rows in order of time: ``columns`` and ``outputs`` by name, ``time`` in epoch seconds."""

    columns: dict[str, npt.NDArray[Any]]
    outputs: dict[str, npt.NDArray[Any]]
    time: npt.NDArray[np.int64]

    def profile(self, *, timed: bool = True) -> dict[str, Any]:
        """Their profile."""
        return build_profile(
            self.columns,
            categorical=["city", "region"],
            outputs=self.outputs,
            time=self.time if timed else None,
            context=["hour"],
        )

    def changed(self, name: str, change: Change) -> "World":
        """The same with one column changed."""
        return replace(self, columns=self.columns | {name: change(self.columns[name])})

    def windows(self, plan: Plan, rows: int = ROWS_PER_DAY) -> list[Window]:
        """Consecutive windows of these rows, counted."""
        return [self._window(plan, start, start + rows) for start in range(0, len(self.time) - rows + 1, rows)]

    def _window(self, plan: Plan, start: int, end: int) -> Window:
        def packed(columns: dict[str, npt.NDArray[Any]]) -> Rows:
            taken = {name: values[start:end] for name, values in columns.items()}
            return Rows.of(
                {name: v if v.dtype == object else v.astype(np.float32) for name, v in taken.items()}, end - start
            )

        first = datetime.fromtimestamp(int(self.time[start]), UTC)
        counts = Counts.of_request(plan, packed(self.columns)) + Counts.of_response(plan, packed(self.outputs))
        return Window(first, first + timedelta(seconds=int(self.time[end - 1] - self.time[start])), counts)


@cache
def world(days: int, seed: int = 0) -> World:
    """So many days: ``load`` and ``heat`` belong together, ``region`` follows from ``city``, ``rain`` is mostly 0."""
    random = np.random.default_rng(seed)
    size = days * ROWS_PER_DAY
    day = np.repeat(random.normal(0, 0.3, days), ROWS_PER_DAY)
    base = random.normal(0, 1, size) + day
    city = random.choice(5, size, p=[0.3, 0.25, 0.175, 0.175, 0.1])
    region = np.where(random.random(size) < 0.9, city % 2, random.integers(0, 2, size))
    wet = np.repeat(random.random(days) < 0.3, ROWS_PER_DAY) & (random.random(size) < 0.5)
    columns = {
        "load": (50 + 10 * base).astype(np.float32),
        "heat": (70 + 12 * (base + random.normal(0, 0.4, size))).astype(np.float32),
        "rain": np.where(wet, random.exponential(0.1, size), 0).astype(np.float32),
        "hour": (np.arange(size) % ROWS_PER_DAY * 24 // ROWS_PER_DAY).astype(np.float32),
        "city": _CITIES[city],
        "region": np.array(["east", "west"], dtype=object)[region],
    }
    score = (1 / (1 + np.exp(-base))).astype(np.float32)
    time = 1_700_000_000 + np.arange(size) * SECONDS_PER_ROW
    return World(columns, {"probability": score}, time.astype(np.int64))
