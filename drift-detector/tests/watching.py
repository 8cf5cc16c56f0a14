"""What several tests of the running detector share: a bundle, events, and a service whose clock stands still."""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from leeway_drift.profile import build_profile
from leeway_drift.reading.events import Stream
from leeway_drift.service.config import Config
from leeway_drift.service.forwarding import Ask
from leeway_drift.service.profiles import Absent
from leeway_drift.service.wiring import Outside, Replica, Service, wire

FLIGHTS = Stream("models", "flights", "1.0.0")
NOW = 1_772_442_900.0
"""2026-03-02T09:15:00Z, the begin of a tick."""


@cache
def profile(shift: float = 0.0, *, timed: bool = True) -> bytes:
    """A profile of one number and one category, calibrated unless it has no time: a window has 100 rows and 20 s."""
    rows = np.random.default_rng(7).permutation(61 * 200)
    document = build_profile(
        {"delay": rows % 100 + shift, "carrier": np.array(["AA", "UA"], dtype=object)[rows % 2]},
        categorical=["carrier"],
        outputs={"label": rows % 2, "probabilities": np.stack([1 - rows % 100 / 100, rows % 100 / 100], axis=1)},
        time=np.sort(rows) * 60 // 200 if timed else None,
    )
    document["window"] = {"rows": 100, "seconds": 20.0}
    return json.dumps(document).encode()


@dataclass
class Bundle:
    """Answers as the pods of a slot do."""

    files: dict[str, bytes]
    version: str = FLIGHTS.version

    def __call__(self, namespace: str, inferenceservice: str, name: str, limit: int) -> bytes:
        if name == "manifest.json":
            listed = {name: {"sha256": hashlib.sha256(body).hexdigest()} for name, body in self.files.items()}
            return json.dumps({"version": self.version, "files": listed}).encode()
        if name not in self.files:
            raise Absent(f"no {name} in {inferenceservice}.{namespace} within {limit} bytes")
        return self.files[name]


def headers(number: object, *, kind: str = "request", slot: str = "a", at: float = NOW, **extra: str) -> dict[str, str]:
    """Of an event of ``FLIGHTS`` that the server sent itself, having answered with 200."""
    return {
        "ce-specversion": "1.0",
        "ce-type": f"org.kubeflow.serving.inference.{kind}",
        "ce-id": f"{slot}{number}",
        "ce-namespace": FLIGHTS.namespace,
        "ce-inferenceservicename": f"{FLIGHTS.model}-{slot}",
        "ce-endpoint": FLIGHTS.version,
        "ce-time": datetime.fromtimestamp(at, UTC).isoformat(),
        "ce-metadata": json.dumps({"X-Request-Id": [extra.pop("request_id", f"r{number}")]}),
        "ce-status": "200",
        **extra,
    }


def request(delays: list[float | None], carriers: list[str | None] | None = None) -> bytes:
    """The body of a V2 request."""
    count = len(delays)
    codes = carriers if carriers is not None else ["AA", "UA"] * (count // 2) + ["AA"] * (count % 2)
    tensors = [
        {"name": "delay", "datatype": "FP32", "shape": [count, 1], "data": delays},
        {"name": "carrier", "datatype": "BYTES", "shape": [count, 1], "data": codes},
    ]
    return json.dumps({"inputs": tensors}).encode()


def response(scores: list[float], identity: str = "answer") -> bytes:
    """The body of a V2 response."""
    count = len(scores)
    tensors: list[Mapping[str, Any]] = [
        {"name": "label", "datatype": "INT64", "shape": [count], "data": [int(score > 0.5) for score in scores]},
        {
            "name": "probabilities",
            "datatype": "FP32",
            "shape": [count, 2],
            "data": [part for score in scores for part in (1 - score, score)],
        },
    ]
    return json.dumps({"id": identity, "outputs": tensors}).encode()


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Client:
    """Asks the app without a network; a call returns when it is answered."""

    def __init__(self, runner: asyncio.Runner, client: httpx.AsyncClient) -> None:
        self._runner = runner
        self._client = client

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.get(path, **options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.post(path, **options))

    def delete(self, path: str) -> httpx.Response:
        return self._runner.run(self._client.delete(path))


def nobody(url: str) -> tuple[int, str, bytes]:
    """Stands for the other replicas of a service that is alone."""
    raise OSError(f"{url}: nobody is there")


@contextmanager
def serving(
    directory: Path,
    clock: Clock,
    *,
    fetch: Any = None,
    epoch: str = "first",
    replica: Replica | None = None,
    ask: Ask = nobody,
    **config: Any,
) -> Iterator[tuple[Service, Client]]:
    """A running service and its client; the engine's thread is the real one."""
    outside = Outside(fetch or Bundle({"drift-profile.json": profile()}), lambda _: {}, ask)
    service = wire(
        Config.model_validate({"store": {"enabled": False}, **config}),
        directory=directory,
        store_url=None,
        clock=clock,
        epoch=epoch,
        outside=outside,
        replica=replica,
    )
    transport = httpx.ASGITransport(app=service.app)
    with asyncio.Runner() as runner:
        lifespan = service.app.router.lifespan_context(service.app)
        runner.run(lifespan.__aenter__())
        client = httpx.AsyncClient(transport=transport, base_url="http://detector")
        try:
            yield service, Client(runner, client)
        finally:
            runner.run(client.aclose())
            runner.run(lifespan.__aexit__(None, None, None))


def settled(service: Service) -> None:
    """Wait until the engine has processed all that was sent, and publish what it knows."""
    engine = service.engine
    while len(engine.detector.intake):
        engine.ask(lambda: None)

    def look() -> None:
        while engine.detector.step(1000):
            pass
        engine.publish()

    engine.ask(look)
