"""Requests that wait for their turn count, and so does how long: autoscaler, alerts and gates ask for both."""

import asyncio
import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from leeway_serving.http import Limits
from leeway_serving.loading import Served, Told
from leeway_serving.model import Model
from leeway_serving.server import Settings, serve
from leeway_serving.signature import Tensors

BODY = b'{"rows": [{"delay": 20.5, "wind": null, "carrier": "B6"}]}'
PATIENCE = 30
WAITING = 4
HOLD = 0.3
"""Seconds for which the model keeps the others waiting; more than the bound `QUICK`."""
QUICK = "0.2"


class Stepped(Model):
    """A model that takes as long as the test lets it."""

    def __init__(self, model: Model) -> None:
        self.signature = model.signature
        self.entered, self.may_go_on = threading.Semaphore(0), threading.Semaphore(0)
        self._model = model

    def predict(self, tensors: Tensors, outputs: Sequence[str]) -> Tensors:
        self.entered.release()
        assert self.may_go_on.acquire(timeout=PATIENCE)
        return self._model.predict(tensors, outputs)


def test_requests_that_wait_for_the_model_are_in_flight_and_their_latency_knows(served: Served) -> None:
    model = Stepped(served.model)
    seen: list[float] = []
    settings = _settings()
    client = threading.Thread(target=_ask, args=(settings, model, seen))
    client.start()
    asyncio.run(serve(settings, started=time.perf_counter(), load=lambda *_, **__: replace(served, model=model)))
    client.join()
    in_flight, at_last, slow = seen
    assert (in_flight, at_last) == (WAITING, 0)
    assert slow >= WAITING  # and the one that they waited for, if sending took as long


def _ask(settings: Settings, model: Stepped, seen: list[float]) -> None:
    """While one request is answered, more arrive on connections of their own; then all are answered."""
    try:
        connections = [_connected(settings.http_port) for _ in range(1 + WAITING)]
        first, *others = connections
        first.request("POST", "/api/v1/predict", BODY)
        assert model.entered.acquire(timeout=PATIENCE)
        for other in others:
            other.request("POST", "/api/v1/predict", BODY)
        model.may_go_on.release()
        assert model.entered.acquire(timeout=PATIENCE)
        seen.append(_in_flight(settings.metrics_port))
        time.sleep(HOLD)
        model.may_go_on.release(WAITING)
        for connection in connections:
            assert connection.getresponse().read()
            connection.close()
        deadline = time.monotonic() + PATIENCE
        while _in_flight(settings.metrics_port) > 0:  # the last one leaves a moment after its answer
            assert time.monotonic() < deadline, "what was answered is in flight still"
        seen.append(0)
        seen.append(_slow(settings.metrics_port))
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def _connected(port: int) -> http.client.HTTPConnection:
    """Returns a connection that the server has accepted, once it is ready."""
    deadline = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < deadline, "the server was not ready in time"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", "/v2/health/ready")
            answer = connection.getresponse()
        except ConnectionRefusedError:
            continue
        answer.read()
        if answer.status == 200:
            return connection
        connection.close()


def _in_flight(port: int) -> float:
    (sample,) = _scraped(port)["leeway_inference_in_flight"].samples
    return sample.value


def _slow(port: int) -> float:
    """Returns how many requests took longer than `QUICK`."""
    samples = _scraped(port)["leeway_inference_request_duration_seconds"].samples
    (everything,) = (sample.value for sample in samples if sample.name.endswith("_count"))
    (quick,) = (sample.value for sample in samples if sample.labels.get("le") == QUICK)
    return everything - quick


def _scraped(port: int) -> dict[str, Metric]:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE).text
    return {family.name: family for family in text_string_to_metric_families(text)}


def _settings() -> Settings:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        port, metrics_port = one.getsockname()[1], two.getsockname()[1]
    return Settings(
        model_name="flights",
        model_dir=Path(__file__).parent,
        host="127.0.0.1",
        http_port=port,
        metrics_port=metrics_port,
        told=Told(),
        capture=None,
        limits=Limits(),
    )
