"""Traces of a real process: they reach a collector, its absence costs nothing, and off means that nothing is loaded."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[3] / "schemas/log.schema.json").read_text()))
PATIENCE = 30
ROW = {"delay": 20.5, "wind": None, "carrier": "B6"}
TRACE, SENDER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
# It tells at its end what it has loaded, on the stream that the server leaves alone.
PROGRAM = """
import atexit, sys
from leeway_serving.main import main
atexit.register(lambda: print(*sorted(name for name in sys.modules if name.startswith("opentelemetry"))))
sys.exit(main())
"""


class Received(BaseHTTPRequestHandler):
    """Takes what is posted, and answers with what its server was told to."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.put((self.path, body))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Receiver(ThreadingHTTPServer):
    """A collector, or a sink of events."""

    daemon_threads = True

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), Received)
        self.status = status
        self.received: Queue[tuple[str, bytes]] = Queue()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[tuple[dict[str, str], Any]]:
        """All spans of the next delivery, each with its resource."""
        path, body = self.received.get(timeout=PATIENCE)
        assert path == "/v1/traces"
        return [
            ({attribute.key: attribute.value.string_value for attribute in group.resource.attributes}, span)
            for group in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]


@contextmanager
def receiving(status: int = 200) -> Iterator[Receiver]:
    receiver = Receiver(status)
    thread = threading.Thread(target=receiver.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()


class Process:
    """A running server."""

    def __init__(self, directory: Path, **environment: str) -> None:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            self.port, metrics_port = one.getsockname()[1], two.getsockname()[1]
        options = [f"--http-port={self.port}", f"--metrics-port={metrics_port}", "--host=127.0.0.1"]
        command = [sys.executable, "-c", PROGRAM, "--model-name=flights", f"--model-dir={directory}", *options]
        self.popen = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "POD_NAMESPACE": "models", **environment},
        )
        self.lines: list[dict[str, Any]] = []
        self.until("ready")

    def until(self, message: str) -> dict[str, Any]:
        """Reads up to the line that says `message`."""
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self._read(line)
            if self.lines[-1]["message"] == message:
                return self.lines[-1]
        raise AssertionError(f"the process ended without saying {message!r}: {self.lines}")

    def predict(self, **headers: str) -> httpx.Response:
        url = f"http://127.0.0.1:{self.port}/api/v1/predict"
        return httpx.post(url, json={"rows": [ROW]}, headers=headers, timeout=PATIENCE)

    def end(self) -> str:
        """What was loaded of OpenTelemetry, after SIGTERM."""
        self.popen.send_signal(signal.SIGTERM)
        out, err = self.popen.communicate(timeout=PATIENCE)
        for line in err.splitlines():
            self._read(line)
        assert self.popen.returncode == 0
        return out.strip()

    def said(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["message"] == message]

    def _read(self, line: str) -> None:
        self.lines.append(json.loads(line))
        SCHEMA.validate(self.lines[-1])


@contextmanager
def running(directory: Path, **environment: str) -> Iterator[Process]:
    process = Process(directory, **environment)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.communicate()


def tracing(endpoint: str) -> dict[str, str]:
    return {"LEEWAY_TRACING_ENDPOINT": endpoint, "LEEWAY_TRACING_SAMPLE_RATIO": "1"}


def test_one_trace_leads_from_the_sender_over_the_request_to_its_events_and_to_the_log(sealed: Path) -> None:
    with receiving() as collector, receiving() as sink:
        capture = {"LEEWAY_CAPTURE_URL": sink.url, "LEEWAY_NAMESPACE": "models", "LEEWAY_INFERENCESERVICE": "flights-a"}
        with running(sealed, LEEWAY_LOG_LEVEL="debug", **capture, **tracing(collector.url)) as process:
            answer = process.predict(traceparent=f"00-{TRACE}-{SENDER}-01", **{"x-request-id": "asked-1"})
            assert answer.status_code == 200
            spans = collector.spans()
            events = json.loads(sink.received.get(timeout=PATIENCE)[1])
            process.end()
    resource, request = spans[-1]
    assert (resource["service.name"], request.name) == ("onnx-server", "POST /api/v1/predict")
    assert {span.trace_id.hex() for _, span in spans} == {TRACE}
    assert request.parent_span_id.hex() == SENDER
    attributes = {attribute.key: attribute.value for attribute in request.attributes}
    assert attributes["leeway.namespace"].string_value == "models"
    assert attributes["leeway.request_id"].string_value == "asked-1"
    assert {event["traceparent"] for event in events} == {f"00-{TRACE}-{request.span_id.hex()}-01"}
    assert [line["trace_id"] for line in process.said("answered")] == [TRACE]


def test_what_was_traced_before_the_stop_reaches_the_collector(sealed: Path) -> None:
    with receiving() as collector, running(sealed, **tracing(collector.url)) as process:
        process.predict()
        process.end()
        assert collector.spans()[-1][1].name == "POST /api/v1/predict"
        assert not process.said("spans were lost")


def test_a_collector_that_refuses_costs_no_request_and_is_told_of_once_until_it_is_back(sealed: Path) -> None:
    with receiving(status=400) as collector, running(sealed, **tracing(collector.url)) as process:
        for _ in range(3):
            assert process.predict().status_code == 200
            collector.spans()
        assert "400" in process.until("spans are not taken")["error"]
        collector.status = 200
        assert process.predict().status_code == 200
        assert process.until("spans are taken again")["fields"]["lost"] >= 3
        process.end()
        assert len(process.said("spans are not taken")) == 1
        assert process.said("spans were lost")


def test_where_nobody_listens_requests_are_answered_and_the_process_ends(sealed: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with running(sealed, **tracing(nobody)) as process:
            assert [process.predict().status_code for _ in range(20)] == [200] * 20
            process.end()
    (lost,) = process.said("spans were lost")
    assert lost["fields"] == {"recorded": 120, "lost": 120}
    assert all(line["logger"].startswith("leeway_serving") for line in process.lines)


def test_a_collector_that_never_answers_keeps_no_request_and_no_process_waiting(sealed: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with running(sealed, **tracing(hanging)) as process:
            assert process.predict().status_code == 200
            connection, _ = silent.accept()  # the span is on its way, for as long as nobody answers
            with connection:
                assert process.predict().status_code == 200
                process.end()


@pytest.mark.parametrize("environment", [{}, {"LEEWAY_TRACING_SAMPLE_RATIO": "1"}])
def test_without_a_collector_nothing_of_opentelemetry_is_loaded(sealed: Path, environment: dict[str, str]) -> None:
    with running(sealed, LEEWAY_LOG_LEVEL="debug", **environment) as process:
        process.predict(traceparent=f"00-{TRACE}-{SENDER}-01")
        assert process.end() == ""
    assert not [line for line in process.lines if "trace_id" in line]


def test_with_a_collector_it_is(sealed: Path) -> None:
    with receiving() as collector, running(sealed, **tracing(collector.url)) as process:
        assert "opentelemetry.sdk.trace" in process.end().split()
