"""Traces of looks: what is in one, which looks get one, and where they lead."""

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue as Received

import pytest
import yaml
from jsonschema import Draft202012Validator
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import CollectorRegistry

from leeway_operators.shell import api
from leeway_operators.shell.controller import Controller
from leeway_operators.shell.logs import JsonFormatter
from leeway_operators.shell.metrics import Metrics
from leeway_operators.shell.otlp import Export, LookTracer
from leeway_operators.shell.queue import Queue
from leeway_operators.shell.reconcile import Entered, Reconciled
from leeway_operators.shell.tracing import Looks, TracingError, TracingSettings, tracing_from
from tests.stories import LONG, release, until
from tests.world import NAME, NAMESPACE, World, spec

SCHEMAS = Path(__file__).parents[2] / "schemas"
LOG = Draft202012Validator(json.loads((SCHEMAS / "log.schema.json").read_text()))
(CONTRACT,) = [
    span for span in yaml.safe_load((SCHEMAS / "traces.yaml").read_text())["spans"] if span["component"] == "operator"
]
PATIENCE = 30


class Kept:
    """A tracer whose traces are kept."""

    def __init__(self, drawn: float = 0.0) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        ticks = itertools.count(10**18, 1000)
        self.looks = LookTracer(provider, 0.1, draw=lambda: drawn, clock=lambda: next(ticks))

    def spans(self) -> list[ReadableSpan]:
        """Of the look, which is the last; each as `schemas/traces.yaml` lists it."""
        spans = list(self._exporter.get_finished_spans())
        self._exporter.clear()
        for stage in spans[:-1]:
            assert stage.name in CONTRACT["stages"]
            assert not stage.attributes
        for whole in spans[-1:]:
            assert whole.name == CONTRACT["name"]
            assert whole.kind.name.lower() == CONTRACT["kind"]
            attributes = set(whole.attributes or {})
            always, known = (set(CONTRACT["attributes"][when]) for when in ("always", "where known"))
            assert always <= attributes <= always | known
        return spans


def look(world: World, looks: Looks, *, fails: Exception | None = None) -> None:
    """One reconciliation by a worker."""

    def reconcile(namespace: str, name: str, entered: Entered) -> Reconciled | None:
        if fails is not None:
            entered("observe")
            raise fails
        return world.operator().reconcile(namespace, name, entered)

    Controller(
        world,  # type: ignore[arg-type] # nothing is watched here
        None,
        reconcile=reconcile,
        queue=Queue(lambda: 0.0),
        metrics=Metrics(CollectorRegistry()),
        monotonic=lambda: 0.0,
        looks=looks,
    ).work_on((NAMESPACE, NAME))


def test_a_look_that_did_something_is_a_trace_with_a_span_for_each_stage_and_its_line_names_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world, kept = World(), Kept(drawn=0.99)
    world.release(spec())
    with caplog.at_level("INFO"):
        look(world, kept.looks)
    *stages, whole = kept.spans()
    assert [span.name for span in stages] == ["observe", "plan", "act"]
    assert {span.parent and span.parent.span_id for span in stages} == {whole.context.span_id}
    attributes = dict(whole.attributes or {})
    actions = attributes.pop("leeway.actions")
    assert isinstance(actions, tuple)
    assert "ApplySlot flights-a" in actions
    assert attributes == {
        "leeway.namespace": NAMESPACE,
        "leeway.model": NAME,
        "leeway.version": "1",
        "leeway.phase": "Deploying",
    }
    (record,) = caplog.records
    line = json.loads(JsonFormatter().format(record))
    LOG.validate(line)
    assert line["trace_id"] == f"{whole.context.trace_id:032x}"


def test_of_looks_that_found_nothing_to_do_a_share_is_traced() -> None:
    world = World()
    world.release(spec())
    world.settle()
    chosen, others = Kept(drawn=0.09), Kept(drawn=0.1)
    look(world, chosen.looks)
    look(world, others.looks)
    assert [span.name for span in chosen.spans()] == ["observe", "plan", "act", "reconcile"]
    assert others.spans() == []


def test_a_look_at_evidence_tells_the_verdict_of_each_gate(busy: World) -> None:
    kept = Kept()
    release(busy)
    until(busy, "Canary")
    for _ in range(LONG):
        look(busy, kept.looks)
        *stages, whole = kept.spans()
        if "leeway.verdicts" in (whole.attributes or {}) and len(stages) == len(CONTRACT["stages"]):
            break
        busy.tick()
    assert [span.name for span in stages] == CONTRACT["stages"]
    verdicts = (whole.attributes or {})["leeway.verdicts"]
    assert isinstance(verdicts, tuple)
    assert {str(verdict).partition(": ")[0] for verdict in verdicts} >= {"errors", "latency"}
    assert {str(verdict).partition(": ")[2] for verdict in verdicts} <= {"Pass", "Fail", "Insufficient"}


@pytest.mark.parametrize("error", [OSError("Meier, 4711"), api.StaleError(NAME)])
def test_a_look_that_failed_is_always_a_trace_that_says_of_what_kind(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(drawn=0.99)
    look(World(), kept.looks, fails=error)
    stage, whole = kept.spans()
    assert stage.name == "observe"
    assert whole.status.status_code is StatusCode.ERROR
    assert (whole.attributes or {})["error.type"] == type(error).__name__
    assert str(error) not in whole.to_json() or isinstance(error, api.StaleError)
    for record in caplog.records:
        assert json.loads(JsonFormatter().format(record))["trace_id"] == f"{whole.context.trace_id:032x}"


def test_the_environment_says_where_and_how_many() -> None:
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
def test_what_is_no_address_or_no_share_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(TracingError, match=f"^{variable} "):
        tracing_from({"LEEWAY_TRACING_ENDPOINT": "http://otel:4318", variable: value})


@contextmanager
def collector(status: int) -> Iterator[tuple[str, "Received[bytes]"]]:
    """Answers what is posted with this status."""
    received: Received[bytes] = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_look_reaches_the_collector_before_the_end(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.release(spec())
    with collector(200) as (url, received):
        export = Export(url)
        look(world, LookTracer(export.provider, 0.1))
        export.close(PATIENCE)
        delivery = ExportTraceServiceRequest.FromString(received.get(timeout=PATIENCE))
    (group,) = delivery.resource_spans
    resource = {attribute.key: attribute.value.string_value for attribute in group.resource.attributes}
    assert resource["service.name"] == "operator"
    assert [span.name for scope in group.scope_spans for span in scope.spans] == ["observe", "plan", "act", "reconcile"]
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_what_a_collector_does_not_take_is_told_of_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.release(spec())
    with collector(400) as (url, _):
        export = Export(url)
        look(world, LookTracer(export.provider, 0.1))
        export.provider.force_flush()
        look(world, LookTracer(export.provider, 1.0))
        export.close(PATIENCE)
    told = [(record.message, vars(record)) for record in caplog.records if record.levelname == "WARNING"]
    assert [message for message, _ in told] == ["spans are not taken", "spans were lost"]
    assert "400" in told[0][1]["error"]
    assert told[1][1]["fields"] == {"recorded": 8, "lost": 8}


# It tells at its end, for want of a cluster, what it has loaded; on the stream that the operator leaves alone.
PROGRAM = """
import atexit, sys
from leeway_operators.shell.main import run
atexit.register(lambda: print(*sorted(name for name in sys.modules if name.startswith("opentelemetry"))))
run([])
"""


@pytest.mark.parametrize(
    ("environment", "loaded"),
    [
        ({"LEEWAY_TRACING_SAMPLE_RATIO": "1"}, False),
        ({"LEEWAY_TRACING_ENDPOINT": "http://127.0.0.1:9"}, True),
    ],
)
def test_opentelemetry_is_loaded_where_a_collector_is_named_and_nowhere_else(
    environment: dict[str, str], *, loaded: bool, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "KUBECONFIG": str(tmp_path / "none"), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert '"starting"' in done.stderr
    assert ("opentelemetry.sdk.trace" in done.stdout.split()) is loaded
    assert bool(done.stdout.strip()) is loaded
