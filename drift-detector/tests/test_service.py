import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from leeway_drift.reading.events import Kind
from leeway_drift.streaming.streams import Outcome
from tests.watching import FLIGHTS, Clock, headers, request, serving, settled

WINDOW = "/v1/windows/models/flights/1.0.0"


def test_request_ids_of_both_halves_can_be_read_back(event: Callable, tmp_path: Path):
    with serving(tmp_path, Clock()) as (service, client):
        for name in ("v2-response", "v2-request", "v1-request", "v1-response"):
            attributes, body = event(name)
            assert client.post("/", headers=attributes, content=body).status_code == 200
        settled(service)
        requests = client.get(WINDOW, params={"type": "request"}).json()
        responses = client.get(WINDOW, params={"type": "response"}).json()
    assert set(requests["request_ids"]) == set(responses["request_ids"])
    assert requests == {
        "namespace": "models",
        "model": "flights",
        "version": "1.0.0",
        "type": "request",
        "events": 2,
        "rows": 4,
        "columns": ["carrier", "departure_delay", "temperature"],
        "oldest": "2026-03-02T09:15:01.123456Z",
        "newest": "2026-03-02T09:15:02.500000Z",
        "request_ids": ["8a3f0c3e-52f1-4f1e-9c0e-6f4f8a7d1b10", "5b1a9d62-0f0e-4a52-8f1b-7d1d2f0c6c22"],
    }


def test_the_sink_answers_while_the_engine_is_stuck(tmp_path: Path):
    stuck, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        stuck.set()
        go_on.wait()

    with serving(tmp_path, Clock()) as (service, client):
        service.engine.tell(hold)
        stuck.wait()
        answers = [client.post("/", headers=headers(number), content=request([1.0])) for number in range(20)]
        go_on.set()
        settled(service)
        state = service.engine.detector.streams.get(FLIGHTS)
    assert [answer.status_code for answer in answers] == [200] * 20
    assert state is not None
    assert state.outcomes[Kind.REQUEST, Outcome.ACCEPTED] == 20


def test_what_is_queued_at_the_end_is_still_decoded(event: Callable, tmp_path: Path):
    attributes, body = event("v2-request")
    with serving(tmp_path, Clock()) as (service, client):
        for number in range(99):
            client.post("/", headers={**attributes, "ce-id": str(number), "ce-status": "200"}, content=body)
    [(_, state)] = service.engine.detector.streams.items()
    assert len(service.engine.detector.intake) == 0
    assert state.outcomes[Kind.REQUEST, Outcome.ACCEPTED] == 99


def test_errors_have_one_shape_and_name_what_was_expected(tmp_path: Path):
    simulate = {"namespace": "models", "model": "x", "version": "1", "start": "2026-01-01T00:00:00", "speed": 10}
    batch = {"content-type": "application/cloudevents-batch+json"}
    with serving(tmp_path, Clock()) as (_, client):
        answers = [
            (client.post("/", content=b"{}"), 400, "ce-specversion: missing"),
            (client.post("/", headers=headers(1), content=b"x" * 2_100_000), 413, "over the limit of 2097152 bytes"),
            (client.post("/", headers=batch, content=b"x" * 8_400_000), 413, "over the limit of 8388608 bytes"),
            (client.get("/v1/windows/models/x/2", params={"type": "request"}), 404, "no events of model 'x'"),
            (client.get("/v1/status/models/x"), 404, "no events of model 'x'"),
            (client.get("/v1/status/models/flights/1.0.0", params={"drill": "x"}), 404, "no drill 'x'"),
            (client.get("/v1/compare/models/x", params={"candidate": "a"}), 404, "no closed tick of model 'x'"),
            (client.get("/v1/compare/models/x", params={"candidate": "c"}), 400, "query.candidate"),
            (client.post("/v1/simulate", json=simulate), 400, "body.start: Input should have timezone"),
            (
                client.post("/v1/simulate", json={**simulate, "start": "9999-12-31T23:59:59Z"}),
                400,
                "body.start: Input should be less than or equal to 2100",
            ),
            (
                client.post("/v1/simulate", json={**simulate, "start": "2026-01-01T00:00:00Z"}),
                404,
                "no events of model",
            ),
            (client.delete("/v1/simulate/x"), 404, "no drill 'x' is on"),
            (client.get(WINDOW), 400, "query.type"),
            (client.get("/"), 405, "Method Not Allowed"),
        ]
    for answer, status, message in answers:
        assert answer.status_code == status
        assert list(answer.json()) == ["error"]
        assert message in answer.json()["error"]


def test_a_sender_that_hangs_up_is_counted(event: Callable, tmp_path: Path):
    attributes, _ = event("v2-request")
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in attributes.items()],
    }
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> dict:
        return next(messages)

    async def ignore(_: object) -> None:
        pass

    with serving(tmp_path, Clock()) as (service, _):
        asyncio.run(service.app(scope, receive, ignore))
        [(_, state)] = service.engine.detector.streams.items()
    assert state.outcomes[Kind.REQUEST, Outcome.INCOMPLETE] == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_dies_asks_for_a_restart(tmp_path: Path):
    def die() -> None:
        raise RuntimeError("a fault of our own")

    with serving(tmp_path, Clock()) as (service, client):
        before = client.get("/health/ready").status_code
        service.engine.tell(die)
        service.engine.join()
        assert [before, client.get("/health/live").status_code] == [200, 503]


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports


def test_the_command_serves_counts_and_ends_in_order(event: Callable, tmp_path: Path):
    port, metrics_port = free_ports(2)
    command = [str(Path(sys.executable).parent / "leeway-drift"), "serve"]
    command += ["--port", str(port), "--metrics-port", str(metrics_port), "--data-dir", str(tmp_path)]
    command += ["--config", str(Path(__file__).parents[2] / "schemas" / "examples" / "detector-config.json")]
    headers, body = event("v2-request")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(json.loads(line))
            if lines[-1]["message"] == "ready":
                break
        with httpx.Client(transport=httpx.HTTPTransport(retries=5)) as client:  # it listens a moment later
            assert client.post(f"http://127.0.0.1:{port}/", content=body, headers=headers).status_code == 200
        while 'outcome="dropped"' not in (metrics := httpx.get(f"http://127.0.0.1:{metrics_port}/metrics").text) or (
            'model="flights"' not in metrics
        ):
            pass  # what the engine knows is published twice a second
        process.send_signal(signal.SIGTERM)
        lines += [json.loads(line) for line in process.stderr]
    assert process.returncode == 0
    assert json.loads((tmp_path / "snapshot.json").read_text().splitlines()[0])["format"] == "leeway-drift-snapshot"
    assert re.search(r'^leeway_drift_events_total\{model="",.*outcome="malformed".*\} 0.0$', metrics, re.MULTILINE)
    assert re.search(r'^leeway_drift_events_total\{model="flights",.*outcome="dropped".*\} 0.0$', metrics, re.MULTILINE)
    assert re.search(r"^process_resident_memory_bytes ", metrics, re.MULTILINE)
    assert [line["message"] for line in lines] == ["starting", "ready", "draining", "stopped"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_no_page_that_loads_scripts_from_elsewhere(path: str, tmp_path: Path):
    with serving(tmp_path, Clock()) as (_, client):
        assert client.get(path).status_code == 404
