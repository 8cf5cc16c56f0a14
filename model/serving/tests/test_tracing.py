"""Traces of requests: what is in one, what never is, who decides whether there is one, and where it leads."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from leeway_serving.capture.events import Inference, batch
from leeway_serving.capture.settings import CaptureSettings
from leeway_serving.environment import SettingsError
from leeway_serving.loading import Served
from leeway_serving.tracing.otlp import OtlpTracer
from leeway_serving.tracing.parent import Parent, parent_of
from leeway_serving.tracing.settings import TracingSettings, settings_from
from leeway_serving.tracing.trace import UNTRACED

(CONTRACT,) = [
    span
    for span in yaml.safe_load((Path(__file__).parents[3] / "schemas/traces.yaml").read_text())["spans"]
    if span["component"] == "onnx-server"
]
PATH = "/api/v1/predict"
ROW = {"delay": 20.5, "wind": None, "carrier": "B6"}
SENT = Parent(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, sampled=True)
MARK = "Meier, 4711"
"""Stands for what is nobody's to read."""


def header(parent: Parent, **changes: str) -> str:
    parts = {"version": "00", "trace": f"{parent.trace_id:032x}", "span": f"{parent.span_id:016x}"}
    return "-".join((parts | {"flags": f"{parent.sampled:02x}"} | changes).values())


class Traced:
    """A server whose traces are kept."""

    def __init__(self, make_server: Callable[..., Any], served: Served, ratio: float = 1, *draws: float) -> None:
        self.kept = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource.create({}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.kept))
        drawn, ticks = iter(draws), itertools.count(10**18, 1000)
        tracer = OtlpTracer(
            provider,
            ratio,
            {"leeway.namespace": "models", "leeway.model": "flights"},
            draw=lambda: next(drawn, 0.0),
            clock=lambda: next(ticks),
        )
        self.inferences: list[Inference] = []
        self.server = make_server(tracer=tracer, capture=self).serve(served)

    def offer(self, inference: Inference) -> None:
        self.inferences.append(inference)

    def post(self, body: Any, path: str = PATH, **headers: str) -> list[ReadableSpan]:
        """The spans of a request, the request's own last."""
        self.kept.clear()
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.server.request("POST", path, content=content, headers=headers)
        spans = list(self.kept.get_finished_spans())
        for span in spans:
            _check(span)
        return spans


def _check(span: ReadableSpan) -> None:
    """A span is one that `schemas/traces.yaml` lists."""
    attributes = set(span.attributes or {})
    if span.kind is SpanKind.INTERNAL:
        assert span.name in CONTRACT["stages"]
        assert not attributes
        return
    assert span.kind.name.lower() == CONTRACT["kind"]
    always, known = (set(CONTRACT["attributes"][when]) for when in ("always", "where known"))
    assert always <= attributes <= always | known


@pytest.fixture
def traced(make_server: Callable[..., Any], served: Served) -> Traced:
    return Traced(make_server, served)


def test_a_request_is_a_span_of_its_sender_with_a_span_for_each_stage_one_after_the_other(traced: Traced) -> None:
    *stages, request = traced.post({"rows": [ROW, ROW]}, traceparent=header(SENT), **{"x-request-id": "asked-1"})
    assert [span.name for span in stages] == CONTRACT["stages"]
    assert request.name == f"POST {PATH}"
    assert request.parent is not None
    assert (request.parent.trace_id, request.parent.span_id) == (SENT.trace_id, SENT.span_id)
    assert request.attributes == {
        "leeway.namespace": "models",
        "leeway.model": "flights",
        "leeway.version": "1.0.0",
        "leeway.request_id": "asked-1",
        "leeway.rows": 2,
        "leeway.protocol": "plain",
        "http.request.method": "POST",
        "http.route": PATH,
        "http.response.status_code": 200,
    }
    assert request.status.status_code is StatusCode.UNSET
    assert {span.parent and span.parent.span_id for span in stages} == {request.context.span_id}
    times = [(span.start_time, span.end_time) for span in stages]
    assert [ended for _, ended in times[:-1]] == [began for began, _ in times[1:]]
    assert request.start_time == times[0][0]
    assert times[-1][1] == request.end_time


def test_a_request_without_a_sender_begins_a_trace_of_its_own(traced: Traced) -> None:
    first, second = (traced.post({"rows": [ROW]})[-1] for _ in range(2))
    assert first.parent is None
    assert first.context.trace_id != second.context.trace_id


@pytest.mark.parametrize(
    ("path", "body", "stages", "status"),
    [
        (PATH, b"{", ["wait", "read", "decode", "respond"], 400),
        (PATH, {"rows": [{"delay": MARK}]}, ["wait", "read", "decode", "respond"], 400),
        ("/v2/models/flights/infer", {"inputs": []}, ["wait", "read", "decode", "respond"], 400),
    ],
)
def test_a_refused_request_ends_in_the_stage_that_refused_it(
    traced: Traced, path: str, body: Any, stages: list[str], status: int
) -> None:
    *found, request = traced.post(body, path)
    assert [span.name for span in found] == stages
    assert (request.attributes or {})["http.response.status_code"] == status
    assert request.status.status_code is StatusCode.UNSET  # it is the client's fault


def test_our_own_fault_is_an_error_of_the_trace(make_server: Callable[..., Any], served: Served) -> None:
    class Broken:
        def predict(self, *_: Any) -> Any:
            raise RuntimeError(MARK)

    traced = Traced(make_server, served)
    traced.server.serve(Served(**{**_fields(served), "model": Broken()}))
    *stages, request = traced.post({"rows": [ROW]})
    assert [span.name for span in stages] == ["wait", "read", "decode", "predict", "respond"]
    assert request.status.status_code is StatusCode.ERROR
    assert not request.events
    assert MARK not in request.to_json()


def _fields(served: Served) -> dict[str, Any]:
    return {name: getattr(served, name) for name in served.__dataclass_fields__}


def test_no_span_has_what_was_asked_or_answered(traced: Traced) -> None:
    spans = traced.post({"rows": [ROW | {"carrier": MARK}]})
    spans += traced.post({"rows": [{"delay": MARK}]})
    spans += traced.post(MARK.encode())
    assert spans
    assert not [span for span in spans if MARK in span.to_json()]


@pytest.mark.parametrize("headers", [{"x-leeway-probe": "1"}, {}])
def test_what_is_no_request_of_a_client_is_not_traced(traced: Traced, headers: dict[str, str]) -> None:
    path = PATH if headers else "/v1/models/elsewhere:predict"
    assert traced.post({"rows": [ROW]}, path, **headers) == []


@pytest.mark.parametrize(
    ("sampled", "drawn", "is_traced"),
    [(None, 0.09, True), (None, 0.1, False), (True, 0.09, True), (True, 0.1, False), (False, 0.0, False)],
)
def test_a_sender_may_do_without_a_trace_but_get_none_beyond_the_ratio(
    make_server: Callable[..., Any], served: Served, *, sampled: bool | None, drawn: float, is_traced: bool
) -> None:
    traced = Traced(make_server, served, 0.1, drawn)
    headers = {} if sampled is None else {"traceparent": header(SENT._replace(sampled=sampled))}
    assert bool(traced.post({"rows": [ROW]}, **headers)) is is_traced


def test_baggage_and_tracestate_of_a_stranger_are_nowhere(traced: Traced) -> None:
    others = {"baggage": f"who={MARK}", "tracestate": "congo=t61rcWkgMzE"}
    spans = traced.post({"rows": [ROW]}, traceparent=header(SENT), **others)
    written = batch([("1", traced.inferences[0])], CaptureSettings("http://sink", 1.0, "models", "flights-a")).decode()
    for text in (MARK, "congo", "t61rcWkgMzE"):
        assert not [span for span in spans if text in span.to_json()]
        assert text not in written


def test_an_event_names_the_span_of_its_request_and_none_if_there_is_none(
    make_server: Callable[..., Any], served: Served
) -> None:
    traced = Traced(make_server, served, 0.5, 0.0, 0.9)
    settings = CaptureSettings("http://sink", 1.0, "models", "flights-a")
    request = traced.post({"rows": [ROW]})[-1]
    traced.post({"rows": [ROW]})
    with_trace, without = (json.loads(batch([("1", inference)], settings)) for inference in traced.inferences)
    own = Parent(request.context.trace_id, request.context.span_id, sampled=True)
    assert [event["traceparent"] for event in with_trace] == [header(own)] * 2
    assert not [event for event in without if "traceparent" in event]


@given(
    st.binary(max_size=80)
    | st.from_regex(r"\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.{0,3}\Z").map(str.encode)
)
def test_whatever_is_sent_is_a_parent_or_none(sent: bytes) -> None:
    found = parent_of(sent)
    if found is not None:
        assert found.trace_id > 0
        assert found.span_id > 0
        assert sent[3:52] == header(found).encode()[3:52]


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "ff"},
        {"trace": "0" * 32},
        {"span": "0" * 16},
        {"trace": "A" * 32},
        {"trace": "a" * 31},
        {"flags": "1"},
        {"flags": "01-more"},
        {"flags": "01 "},
    ],
)
def test_what_is_no_traceparent_is_as_none(traced: Traced, changes: dict[str, str]) -> None:
    assert parent_of(header(SENT, **changes).encode()) is None
    request = traced.post({"rows": [ROW]}, traceparent=header(SENT, **changes))[-1]
    assert request.parent is None


def test_a_later_version_may_say_more() -> None:
    assert parent_of(header(SENT, version="01", flags="01-more").encode()) == SENT
    assert parent_of(header(SENT, flags="03").encode()) == SENT


def test_an_untraced_request_has_no_id_and_takes_whatever_comes() -> None:
    UNTRACED.enter("read")
    UNTRACED.end({"leeway.rows": 1}, failed=True)
    assert (UNTRACED.id, UNTRACED.traceparent) == (None, None)


def test_the_environment_says_where_and_how_many() -> None:
    assert settings_from({}) is None
    assert settings_from({"LEEWAY_TRACING_ENDPOINT": "", "LEEWAY_TRACING_SAMPLE_RATIO": "nonsense"}) is None
    given_endpoint = {"LEEWAY_TRACING_ENDPOINT": "http://otel:4318"}
    assert settings_from(given_endpoint) == TracingSettings("http://otel:4318", 0.01, None)
    more = {"LEEWAY_TRACING_SAMPLE_RATIO": "0.5", "POD_NAMESPACE": "models"}
    assert settings_from(given_endpoint | more) == TracingSettings("http://otel:4318", 0.5, "models")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEEWAY_TRACING_ENDPOINT", "otel:4318"),
        ("LEEWAY_TRACING_ENDPOINT", "http://user:secret@otel:4318"),
        ("LEEWAY_TRACING_ENDPOINT", "grpc://otel:4317"),
        ("LEEWAY_TRACING_SAMPLE_RATIO", "0"),
        ("LEEWAY_TRACING_SAMPLE_RATIO", "1.01"),
        ("LEEWAY_TRACING_SAMPLE_RATIO", "nan"),
        ("LEEWAY_TRACING_SAMPLE_RATIO", "all"),
    ],
)
def test_what_is_no_address_or_no_share_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} "):
        settings_from({"LEEWAY_TRACING_ENDPOINT": "http://otel:4318", variable: value})
