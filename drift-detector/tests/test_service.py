import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from leeway_drift.reading.events import Kind
from leeway_drift.service.app import create_app
from leeway_drift.service.metrics import DetectorCollector
from leeway_drift.streaming.detector import Detector, Limits
from leeway_drift.streaming.streams import Outcome

METRICS = Path(__file__).parents[2] / "schemas" / "metrics.yaml"
WINDOW = "/v1/windows/models/flights/1.0.0"


@asynccontextmanager
async def running(detector: Detector) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(detector)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://detector") as client,
    ):
        yield client


def new_detector(**limits: int) -> Detector:
    return Detector(Limits(**limits), clock=lambda: 0.0)


def in_service(story: Callable, **limits: int) -> Detector:
    """Run a story with a client of a running service; return the detector after the service has drained and ended."""
    detector = new_detector(**limits)

    async def run() -> None:
        async with running(detector) as client:
            await story(client, detector)

    asyncio.run(run())
    return detector


async def decoded(detector: Detector) -> None:
    while detector.backlog:  # noqa: ASYNC110 - the worker runs in the same loop
        await asyncio.sleep(0)


def test_request_ids_of_both_halves_can_be_read_back(event: Callable):
    async def story(client: httpx.AsyncClient, detector: Detector) -> None:
        for name in ("v2-response", "v2-request", "v1-request", "v1-response"):
            headers, body = event(name)
            assert (await client.post("/", headers=headers, content=body)).status_code == 200
        await decoded(detector)
        requests = (await client.get(WINDOW, params={"type": "request"})).json()
        responses = (await client.get(WINDOW, params={"type": "response"})).json()
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

    in_service(story)


def test_what_is_queued_at_the_end_is_still_decoded(event: Callable):
    async def story(client: httpx.AsyncClient, _: Detector) -> None:
        headers, body = event("v2-request")
        await asyncio.gather(*(client.post("/", headers={**headers, "ce-id": str(n)}, content=body) for n in range(99)))

    detector = in_service(story)
    [(_, state)] = detector.streams.items()
    assert detector.backlog == 0
    assert state.outcomes[Kind.REQUEST, Outcome.ACCEPTED] == 99


def test_errors_have_one_shape_and_name_what_was_expected(event: Callable):
    headers, body = event("v2-request")

    async def story(client: httpx.AsyncClient, _: Detector) -> None:
        answers = [
            (await client.post("/", content=b"{}"), 400, "ce-specversion: missing"),
            (await client.post("/", headers=headers, content=body * 10), 413, "over the limit of 1000 bytes"),
            (await client.post("/", headers={**headers, "ce-endpoint": "2"}, content=body), 503, "1 streams"),
            (await client.get("/v1/windows/models/x/2", params={"type": "request"}), 404, "no events of model 'x'"),
            (await client.get(WINDOW), 400, "query.type"),
            (await client.get("/"), 405, "Method Not Allowed"),
        ]
        for answer, status, message in answers:
            assert answer.status_code == status
            assert list(answer.json()) == ["error"]
            assert message in answer.json()["error"]

    detector = in_service(story, body_bytes=1000, streams=1)
    [(_, state)] = detector.streams.items()
    assert state.outcomes[Kind.REQUEST, Outcome.TOO_LARGE] == 1
    assert detector.unattributed == {Outcome.MALFORMED: 1, Outcome.REFUSED: 1}


def test_a_sender_that_hangs_up_is_counted(event: Callable):
    headers, _ = event("v2-request")
    detector = new_detector()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> dict:
        return next(messages)

    async def ignore(_: object) -> None:
        pass

    asyncio.run(create_app(detector)(scope, receive, ignore))
    [(_, state)] = detector.streams.items()
    assert state.outcomes[Kind.REQUEST, Outcome.INCOMPLETE] == 1


def test_healthy_while_the_worker_lives():
    detector = new_detector()
    app = create_app(detector)

    async def story() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://detector") as client:
            before = await client.get("/health/ready")
            async with app.router.lifespan_context(app):
                during = await client.get("/health/ready")
            after = await client.get("/health/live")
        return [before.status_code, during.status_code, after.status_code]

    assert asyncio.run(story()) == [503, 200, 503]


def test_a_worker_that_dies_asks_for_a_restart(event: Callable):
    class Broken(Detector):
        def process_next(self) -> bool:
            raise RuntimeError("a fault of our own")

    headers, body = event("v2-request")

    async def story() -> None:
        async with asyncio.timeout(30), running(Broken(Limits(), clock=lambda: 0.0)) as client:
            await client.post("/", headers=headers, content=body)
            while (await client.get("/health/live")).status_code != 503:  # noqa: ASYNC110 - the worker dies in the same loop
                await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="a fault of our own"):
        asyncio.run(story())


def test_metrics_are_those_of_the_list(event: Callable):
    detector = new_detector()
    headers, body = event("v2-request")
    detector.offer(detector.admit(headers), body)
    listed = {
        entry["name"]: (entry["type"], entry["help"], set(entry["labels"]))
        for entry in yaml.safe_load(METRICS.read_text())["metrics"]
        if entry["component"] == "drift-detector"
    }
    exposed = {
        sample.name: (family.type, family.documentation, set(sample.labels))
        for family in DetectorCollector(detector).collect()
        for sample in family.samples
    }
    assert exposed == listed


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports


def test_the_command_serves_counts_and_ends_in_order(event: Callable):
    port, metrics_port = free_ports(2)
    command = [str(Path(sys.executable).parent / "leeway-drift"), "serve"]
    command += ["--port", str(port), "--metrics-port", str(metrics_port)]
    headers, body = event("v2-request")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(json.loads(line))
            if "running on" in lines[-1]["message"]:
                break
        assert httpx.post(f"http://127.0.0.1:{port}/", content=body, headers=headers).status_code == 200
        metrics = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics").text
        process.send_signal(signal.SIGTERM)
        lines += [json.loads(line) for line in process.stdout]
    assert process.returncode == 0
    assert re.search(r'^leeway_drift_events_total\{model="",.*outcome="malformed".*\} 0.0$', metrics, re.MULTILINE)
    assert re.search(r'^leeway_drift_events_total\{model="flights",.*outcome="dropped".*\} 0.0$', metrics, re.MULTILINE)
    assert re.search(r"^process_resident_memory_bytes ", metrics, re.MULTILINE)
    assert [line["message"] for line in lines if line["logger"].startswith("leeway_drift")] == [
        "starting",
        "ready",
        "draining",
        "stopped",
    ]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_no_page_that_loads_scripts_from_elsewhere(path: str):
    async def story(client: httpx.AsyncClient, _: Detector) -> None:
        assert (await client.get(path)).status_code == 404

    in_service(story)
