"""A drift detector and what a fleet's servers tell it; runs in the detector's environment.

The service is the real one, with its store in a file, but for what would come over the network. Its clock is moved by
whoever sends.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import numpy as np
import orjson
from cardinality_pods import NAMESPACE

from leeway_drift.labels.feedback import Label
from leeway_drift.profile import build_profile
from leeway_drift.reading.events import Stream
from leeway_drift.service.config import Config
from leeway_drift.service.predictions import PredictionLog
from leeway_drift.service.profiles import ProfileSource
from leeway_drift.service.wiring import Outside, Service, wire

START = 1_772_442_900.0
"""In seconds since the epoch; the begin of a tick."""
WINDOW_SECONDS = 20.0
_REFERENCE_ROWS, _CATEGORICAL_EVERY, _LEVELS = 20_000, 5, 16
_STEP_EVENTS = 1000
_QUEUED = 20
_PATIENCE = 300.0


@dataclass(frozen=True)
class Watched:
    """A version in its slot."""

    model: str
    version: str
    slot: str

    @property
    def stream(self) -> Stream:
        """As the detector names it."""
        return Stream(NAMESPACE, self.model, self.version)


@dataclass
class Detector:
    """The service, and all that reaches it.

    Attributes:
        service: whose engine runs.
        clock: by which it lives.
        features: of every version, each fifth a category.
        window_rows: that a window has.
        folder: where its files are.
        random: draws the rows.
        sent: requests so far.
    """

    service: Service
    clock: "Clock"
    features: int
    window_rows: int
    folder: Path
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))
    sent: int = 0

    def __post_init__(self) -> None:
        """Make the profile that all versions have."""
        random = self.random
        columns: dict[str, Any] = {
            name: _categories(random, _REFERENCE_ROWS) if categorical else random.normal(size=_REFERENCE_ROWS)
            for name, categorical in self._columns()
        }
        score = random.random(_REFERENCE_ROWS)
        outputs = {"label": (score > 0.5).astype(np.float64), "probabilities": np.stack([1 - score, score], axis=1)}  # noqa: PLR2004 - even odds
        document = build_profile(
            columns, categorical=[name for name, categorical in self._columns() if categorical], outputs=outputs
        )
        document["window"] = {"rows": self.window_rows, "seconds": WINDOW_SECONDS}
        document["performance"] = {"calibration_gap": {"mean": 0.0, "sd": 0.02, "windows": 40}}
        self.profile = json.dumps(document).encode()

    def watch(self, watched: Watched) -> None:
        """Give a version its profile; its first event has to have come."""
        files = {"drift-profile.json": {"sha256": hashlib.sha256(self.profile).hexdigest()}}
        manifest = json.dumps({"version": watched.version, "files": files}).encode()

        def fetch(_namespace: str, _inferenceservice: str, name: str, _limit: int) -> bytes:
            return manifest if name == "manifest.json" else self.profile

        source = ProfileSource(fetch, self.folder / "profiles", with_reference=False)
        found = source.load(watched.stream, f"{watched.model}-{watched.slot}")
        self.service.engine.set_profile(watched.stream, found)
        self.settle()

    def rows(self, count: int) -> tuple[bytes, bytes]:
        """So many rows as the data of a request, and of its answer."""
        inputs = [
            _tensor(name, "BYTES", _categories(self.random, count).tolist())
            if categorical
            else _tensor(name, "FP32", self.random.normal(size=count).astype(np.float32).tolist())
            for name, categorical in self._columns()
        ]
        score = self.random.random(count)
        both = np.stack([1 - score, score], axis=1).ravel().tolist()
        outputs = [
            _tensor("label", "INT64", (score > 0.5).astype(int).tolist()),  # noqa: PLR2004 - even odds
            {"name": "probabilities", "datatype": "FP32", "shape": [count, 2], "data": both},
        ]
        return orjson.dumps({"inputs": inputs}), orjson.dumps({"outputs": outputs})

    def infer(self, watched: Watched, rows: tuple[bytes, bytes]) -> str:
        """Have a version answer a request; returns the request's id."""
        self.sent += 1
        attributes = self._attributes(watched)
        events = [
            {**attributes, "type": f"org.kubeflow.serving.inference.{kind}", "data": orjson.Fragment(data)}
            for kind, data in zip(("request", "response"), rows, strict=True)
        ]
        intake = self.service.engine.detector.intake
        intake.offer_batch(orjson.dumps(events))
        if len(intake) >= _QUEUED:
            self.settle()
        return f"request-{self.sent}"

    @property
    def log(self) -> PredictionLog:
        """Its store of predictions."""
        log = self.service.engine.log
        if not isinstance(log, PredictionLog):
            raise TypeError(f"a store of predictions was expected, not {log!r}")
        return log

    def label(self, watched: Watched, request: str, at: float, rows: int) -> None:
        """Tell the truth of each row of a request, whose prediction is stored: it came out at that time.

        Labels that come late are judged late, and the clock stands still.
        """
        truth, observed = self.random.integers(2, size=rows), datetime.fromtimestamp(at, UTC)
        self.log.feedback(
            [Label(watched.model, NAMESPACE, request, None, row, float(truth[row]), observed) for row in range(rows)]
        )

    def settle(self) -> None:
        """Wait until all that was sent is processed; it is not published yet.

        Raises:
            TimeoutError: the engine does not get to it.
        """
        engine = self.service.engine

        def process() -> None:
            while engine.detector.step(_STEP_EVENTS):
                pass
            engine.hand_on()

        self._do(process)

    def publish(self) -> None:
        """Have it tell what it knows now.

        Raises:
            TimeoutError: the engine does not get to it.
        """
        self._do(self.service.engine.publish)

    def _do(self, what: Callable[[], None]) -> None:
        """Have the engine's thread do something, however long that takes."""
        done = Event()

        def do() -> None:
            what()
            done.set()

        self.service.engine.tell(do)
        if not done.wait(_PATIENCE):
            raise TimeoutError(f"the engine has not answered within {_PATIENCE:g} s")

    def _columns(self) -> list[tuple[str, bool]]:
        return [
            (f"feature_{number:03d}", number % _CATEGORICAL_EVERY == _CATEGORICAL_EVERY - 1)
            for number in range(self.features)
        ]

    def _attributes(self, watched: Watched) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": f"event-{self.sent}",
            "source": f"/{NAMESPACE}/{watched.model}-{watched.slot}",
            "time": datetime.fromtimestamp(self.clock.now, UTC).isoformat(),
            "inferenceservicename": f"{watched.model}-{watched.slot}",
            "namespace": NAMESPACE,
            "component": "predictor",
            "endpoint": watched.version,
            "metadata": json.dumps({"X-Request-Id": [f"request-{self.sent}"]}),
            "datacontenttype": "application/json",
            "status": "200",
        }


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: float = START

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


@contextmanager
def running(*, streams: int, features: int, window_rows: int) -> Iterator[Detector]:
    """A detector that watches so many versions of so many features at most, in windows of so many rows."""
    clock = Clock()

    def nothing(*_: object) -> Any:
        raise OSError("nothing is reached from here")

    with TemporaryDirectory(prefix="leeway-cardinality-") as folder:
        service = wire(
            Config(streams=streams),
            directory=Path(folder),
            store_url=None,
            clock=clock,
            epoch="first",
            outside=Outside(nothing, nothing, nothing),
        )
        service.engine.start()
        try:
            yield Detector(service, clock, features, window_rows, Path(folder))
        finally:
            service.engine.stop()


def _categories(random: np.random.Generator, rows: int) -> Any:
    levels = np.array([f"level {level}" for level in range(_LEVELS)], dtype=np.object_)
    return levels[random.integers(_LEVELS, size=rows)]


def _tensor(name: str, datatype: str, data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data), 1], "data": data}
