"""Traces of events: whose they are, what is in one and what never is, and that none costs anything when off."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from leeway_drift.reading.events import parse_envelope
from leeway_drift.service.otlp import EventTracer
from leeway_drift.service.tracing import TracingError, TracingSettings, tracing_from
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.limits import Limits
from tests.watching import Clock, headers, request, response

ROOT = Path(__file__).parents[2]
(CONTRACT,) = [
    span
    for span in yaml.safe_load((ROOT / "schemas/traces.yaml").read_text())["spans"]
    if span["component"] == "drift-detector"
]
BATCH = (ROOT / "schemas/examples/events/direct-batch.json").read_bytes()
TRACE, SENDER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACED = {"ce-traceparent": f"00-{TRACE}-{SENDER}-01"}
MARK = "Meier, 4711"
"""Stands for what is nobody's to read."""
PATIENCE = 30


class Kept:
    """A detector whose traces are kept."""

    def __init__(self, ratio: float = 1.0, drawn: float = 0.0) -> None:
        self._spans = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._spans))
        ticks = itertools.count(int(Clock().now * 1e9) + 5_000, 1000)
        traced = EventTracer(provider, ratio, draw=lambda: drawn, clock=lambda: next(ticks))
        self.detector = Detector(Limits(), Clock(), lateness=5, traced=traced)

    def spans(self) -> list[ReadableSpan]:
        """Of all that has come, each as ``schemas/traces.yaml`` lists it."""
        while self.detector.step(100):
            pass
        spans = list(self._spans.get_finished_spans())
        for span in spans:
            attributes = set(span.attributes or {})
            if span.kind is SpanKind.INTERNAL:
                assert span.name in CONTRACT["stages"]
                assert not attributes
            else:
                assert span.kind.name.lower() == CONTRACT["kind"]
                always, known = (set(CONTRACT["attributes"][when]) for when in ("always", "where known"))
                assert always <= attributes <= always | known
        return spans

    def send(self, attributes: dict[str, str], body: bytes) -> None:
        self.detector.intake.offer(self.detector.intake.admit(attributes), body)


def from_logger(number: int, kind: str = "request") -> dict[str, str]:
    """KServe's logger knows no status, and no trace."""
    attributes = headers(number, kind=kind)
    del attributes["ce-status"]
    return attributes


def names(spans: list[ReadableSpan]) -> list[str]:
    return [span.name for span in spans if span.kind is SpanKind.CONSUMER]


def test_the_servers_events_go_on_with_the_trace_that_they_name_and_its_others_begin_none():
    kept = Kept()
    kept.detector.intake.offer_batch(BATCH)
    spans = kept.spans()
    assert [span.name for span in spans] == [
        *("wait", "process", "ingest request"),
        *("wait", "process", "ingest response"),
    ]
    wait, process, ingest = spans[:3]
    assert f"{ingest.context.trace_id:032x}" == TRACE
    assert ingest.parent is not None
    assert f"{ingest.parent.span_id:016x}" == SENDER
    assert ingest.attributes == {
        "leeway.namespace": "models",
        "leeway.model": "flights",
        "leeway.version": "1.0.0",
        "leeway.event": "request",
        "leeway.request_id": "8a3f0c3e-52f1-4f1e-9c0e-6f4f8a7d1b10",
        "leeway.outcome": "accepted",
    }
    assert {span.parent and span.parent.span_id for span in (wait, process)} == {ingest.context.span_id}
    assert ingest.start_time == wait.start_time == int(Clock().now * 1e9)
    assert wait.end_time == process.start_time
    assert process.end_time == ingest.end_time


@pytest.mark.parametrize(("drawn", "expected"), [(0.09, ["ingest request"]), (0.1, [])])
def test_of_the_loggers_inferences_a_share_is_traced_from_the_request_on(drawn: float, expected: list[str]):
    kept = Kept(0.1, drawn)
    kept.send(from_logger(1), request([1.0]))
    kept.send(from_logger(1, "response"), response([0.7]))
    spans = kept.spans()
    assert names(spans) == expected
    assert all(span.parent is None for span in spans if span.kind is SpanKind.CONSUMER)


def test_a_trace_that_an_event_names_is_followed_whatever_the_ratio():
    kept = Kept(0.1, 0.99)
    kept.send(headers(1) | TRACED, request([1.0]))
    assert names(kept.spans()) == ["ingest request"]


def test_no_span_has_what_a_model_saw_or_said_and_each_tells_the_outcome():
    kept = Kept()
    kept.send(headers(1) | TRACED, request([1.0], [MARK]))
    kept.send(headers(2) | TRACED, MARK.encode())
    kept.send(headers(2) | TRACED, b"again")
    spans = kept.spans()
    assert not [span for span in spans if MARK in span.to_json()]
    outcomes = [(span.attributes or {})["leeway.outcome"] for span in spans if span.kind is SpanKind.CONSUMER]
    assert outcomes == ["accepted", "undecodable", "duplicate"]


@given(st.text(max_size=60) | st.from_regex(r"\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.?\Z"))
def test_what_names_no_recorded_span_is_as_none(sent: str):
    found = parse_envelope({**headers(1), "ce-traceparent": sent}).traceparent
    version, *ids, flags = sent.split("-") if sent.count("-") == 3 else ("", "", "", "")
    recorded = version == "00" and all(int(part, 16) for part in ids) and len(flags) == 2 and int(flags, 16) % 2
    assert found == (sent if recorded else None)


def test_the_environment_says_where_and_how_many():
    endpoint = {"LEEWAY_TRACING_ENDPOINT": "http://otel:4318"}
    assert tracing_from({"LEEWAY_TRACING_SAMPLE_RATIO": "nonsense"}) is None
    assert tracing_from(endpoint) == TracingSettings("http://otel:4318", 0.01)
    assert tracing_from(endpoint | {"LEEWAY_TRACING_SAMPLE_RATIO": "1"}) == TracingSettings("http://otel:4318", 1.0)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEEWAY_TRACING_ENDPOINT", "otel:4318"),
        ("LEEWAY_TRACING_ENDPOINT", "http://user:secret@otel:4318"),
        ("LEEWAY_TRACING_ENDPOINT", "http://[otel"),
        ("LEEWAY_TRACING_SAMPLE_RATIO", "0"),
        ("LEEWAY_TRACING_SAMPLE_RATIO", "nan"),
        ("LEEWAY_TRACING_SAMPLE_RATIO", "all"),
    ],
)
def test_what_is_no_address_or_no_share_is_refused_by_name(variable: str, value: str):
    with pytest.raises(TracingError, match=f"^{variable} "):
        tracing_from({"LEEWAY_TRACING_ENDPOINT": "http://otel:4318", variable: value})


# It tells at its end what it has loaded, on the stream that the detector leaves alone.
PROGRAM = """
import atexit, sys
from leeway_drift.command import main
atexit.register(lambda: print(*sorted(name for name in sys.modules if name.startswith("opentelemetry"))))
sys.exit(main())
"""


class Process:
    """A running detector."""

    def __init__(self, directory: Path, **environment: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            port, metrics_port = one.getsockname()[1], two.getsockname()[1]
        options = [f"--port={port}", f"--metrics-port={metrics_port}", f"--data-dir={directory}"]
        self.popen = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "serve", *options],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.lines.append(json.loads(line))
            if self.lines[-1]["message"] == "ready":
                break
        transport = httpx.HTTPTransport(retries=5)  # it listens a moment later
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=PATIENCE)

    def send_batch(self) -> None:
        media_type = {"content-type": "application/cloudevents-batch+json"}
        assert self.client.post("/", content=BATCH, headers=media_type).status_code == 200

    def end(self) -> list[str]:
        """What was loaded of OpenTelemetry, after SIGTERM."""
        self.client.close()
        self.popen.send_signal(signal.SIGTERM)
        out, err = self.popen.communicate(timeout=PATIENCE)
        self.lines += [json.loads(line) for line in err.splitlines()]
        assert self.popen.returncode == 0
        return out.split()


@contextmanager
def running(directory: Path, **environment: str) -> Iterator[Process]:
    process = Process(directory, **environment)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.communicate()


@contextmanager
def collector() -> Iterator[tuple[str, "Queue[bytes]"]]:
    """Takes what is posted."""
    received: Queue[bytes] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_a_process_traced_reaches_the_collector_before_its_end(tmp_path: Path):
    with collector() as (url, received), running(tmp_path, LEEWAY_TRACING_ENDPOINT=url) as process:
        process.send_batch()
        process.end()
        delivery = ExportTraceServiceRequest.FromString(received.get(timeout=PATIENCE))
    (group,) = delivery.resource_spans
    resource = {attribute.key: attribute.value.string_value for attribute in group.resource.attributes}
    assert resource["service.name"] == "drift-detector"
    spans = [span for scope in group.scope_spans for span in scope.spans]
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert {span.parent_span_id.hex() for span in spans if span.name.startswith("ingest")} == {SENDER}
    assert not [line for line in process.lines if line["level"] != "info"]


def test_where_nobody_listens_events_are_taken_and_the_process_ends_and_says_so(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nobody = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with running(tmp_path, LEEWAY_TRACING_ENDPOINT=nobody) as process:
            process.send_batch()
            process.end()
    (lost,) = [line for line in process.lines if line["message"] == "spans were lost"]
    assert lost["fields"] == {"recorded": 6, "lost": 6}


@pytest.mark.parametrize("automatic", [{}, {"FASTAPI_OTEL_AUTO_CONFIGURE": "true"}])
def test_without_a_collector_nothing_that_sends_traces_is_loaded(automatic: dict[str, str], tmp_path: Path):
    # What a cluster may give every pod: FastAPI would send spans of its own there, and texts of exceptions.
    others = {"LEEWAY_TRACING_SAMPLE_RATIO": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with running(tmp_path, **others, **automatic) as process:
        process.send_batch()
        loaded = process.end()
    # FastAPI imports the API of OpenTelemetry itself, which does nothing without an SDK.
    assert not [name for name in loaded if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
