"""What tests of labels share: predictions as the engine offers them, and a log with a clock of their own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from leeway_drift.columns import Rows
from leeway_drift.labels.records import Prediction
from leeway_drift.profile import Profile
from leeway_drift.reading.events import Stream
from leeway_drift.service.prediction_queue import LogLimits
from leeway_drift.service.predictions import PredictionLog
from leeway_drift.service.store.database import Database, sqlite_url

MANIFEST: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "schemas" / "examples" / "manifest.json").read_text()
)
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SALT = bytes(range(32))
FLIGHTS = Stream("models", "flights", "1.0.0")


def column(*values: object) -> np.ndarray:
    if any(isinstance(value, str) for value in values):
        strings = np.empty(len(values), dtype=np.object_)
        strings[:] = values
        return strings
    return np.array(values, dtype=np.float32)


def prediction(event_id: str = "e1", probabilities: tuple[float, ...] = (0.25,), **changed: Any) -> Prediction:
    """A prediction of the flights model, one row per probability of class 1."""
    late = column(*probabilities)
    outputs = {"label": column(*(late > 0.5)), "probabilities.0": 1 - late, "probabilities.1": late}
    features = {
        "dep_delay": column(*(float(row) for row in range(len(probabilities)))),
        "carrier": column(*("UA" for _ in probabilities)),
    }
    fields: dict[str, Any] = {
        "namespace": "models",
        "model": "flights",
        "version": "1.0.0",
        "slot": "a",
        "event_id": event_id,
        "time": START,
        "request_id": f"request-{event_id}",
        "response_id": None,
        "features": Rows.of(features, len(probabilities)),
        "outputs": Rows.of(outputs, len(probabilities)),
    }
    return Prediction(**{**fields, **changed})


class Clock:
    """The time a test says it is."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


class Losses(list[tuple[Stream, str, float, datetime]]):
    """What an engine is told."""

    def __call__(self, *loss: Any) -> None:
        self.append(loss)


class Logged:
    """A log under test with everything around it.

    Attributes:
        log: the log.
        clock: its time.
        losses: what it told of.
        profiles: that it can see.
    """

    def __init__(
        self,
        database: Database,
        *,
        sample: float = 1.0,
        retention: float = 86400.0,
        limits: LogLimits | None = None,
    ) -> None:
        self.clock = Clock()
        self.losses = Losses()
        self.profiles: dict[Stream, Profile] = {}
        self.log = PredictionLog(
            database,
            salt=SALT,
            clock=self.clock,
            sample=sample,
            retention=retention,
            on_loss=self.losses,
            profile_of=self.profiles.get,
            limits=limits or LogLimits(),
        )

    def keep(self, *predictions: Prediction, manifest: dict[str, Any] | None = MANIFEST) -> None:
        """Offer predictions and wait until each has met its fate."""
        rows = sum(offered.outputs.count for offered in predictions)
        self.log.tallies.forget_silent()  # what the writer would forget meanwhile
        before = self._counted()
        for offered in predictions:
            self.log.offer(offered, manifest)
        waiting = threading.Event()
        while self._counted() < before + rows:
            waiting.wait(0.005)

    def _counted(self) -> int:
        return sum(sum(tally.predictions.values()) for tally in self.log.tallies.versions().values())


@contextmanager
def logged(folder: Path, **options: Any) -> Iterator[Logged]:
    """A log on a SQLite file in a folder."""
    with logged_on(sqlite_url(folder), **options) as under_test:
        yield under_test


@contextmanager
def logged_on(url: str, **options: Any) -> Iterator[Logged]:
    """A log on any database."""
    under_test = Logged(Database(url), **options)
    try:
        yield under_test
    finally:
        under_test.log.close()
