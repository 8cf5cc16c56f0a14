import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.reading.events import Envelope, Kind, MalformedEvent, Stream, parse_envelope

GOOD = {
    "ce-specversion": "1.0",
    "ce-type": "org.kubeflow.serving.inference.request",
    "ce-id": "1",
    "ce-namespace": "models",
    "ce-inferenceservicename": "flights-a",
    "ce-endpoint": "1.0.0",
    "ce-time": "2026-03-02T09:15:01Z",
}


def test_a_logger_event_is_read(event: Callable):
    headers, _ = event("v2-request")
    assert parse_envelope(headers) == Envelope(
        stream=Stream("models", "flights", "1.0.0"),
        inferenceservice="flights-a",
        kind=Kind.REQUEST,
        id="0f6c1d1a-7a0b-4a8e-8d63-1c7e5b0f9a01",
        time=datetime(2026, 3, 2, 9, 15, 1, 123456, tzinfo=UTC),
        request_id="8a3f0c3e-52f1-4f1e-9c0e-6f4f8a7d1b10",
        answered=None,
    )


def test_both_halves_of_an_inference_have_different_keys_and_one_request_id(event: Callable):
    request, response = (parse_envelope(event(name)[0]) for name in ("v2-request", "v2-response"))
    assert request.id == response.id
    assert request.key != response.key
    assert request.request_id == response.request_id


@pytest.mark.parametrize(
    ("inferenceservice", "model"),
    [("flights-a", "flights"), ("flights-b", "flights"), ("flights", "flights"), ("flights-ab", "flights-ab")],
)
def test_both_slots_belong_to_one_model(inferenceservice: str, model: str):
    assert parse_envelope({**GOOD, "ce-inferenceservicename": inferenceservice}).stream.model == model


@pytest.mark.parametrize("attribute", sorted(GOOD))
def test_a_missing_attribute_is_named(attribute: str):
    headers = {name: value for name, value in GOOD.items() if name != attribute}
    with pytest.raises(MalformedEvent, match=f"{attribute}: missing"):
        parse_envelope(headers)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("ce-specversion", "0.3"),
        ("ce-type", "org.kubeflow.serving.inference.feedback"),
        ("ce-id", "a b"),
        ("ce-id", "x" * 129),
        ("ce-namespace", "Models"),
        ("ce-namespace", "models\n"),
        ("ce-inferenceservicename", "x" * 64),
        ("ce-endpoint", '1.0"} 1'),
        ("ce-endpoint", "x" * 64),
        ("ce-time", "yesterday"),
        ("ce-time", "2026-03-02T09:15:01"),
        ("ce-metadata", "{"),
        ("ce-metadata", "[" * 100_000),
        ("ce-metadata", "[]"),
    ],
)
def test_an_attribute_that_kserve_would_not_send_is_refused_by_name(attribute: str, value: str):
    with pytest.raises(MalformedEvent, match=f"^{re.escape(attribute)}: .*expected"):
        parse_envelope({**GOOD, attribute: value})


@pytest.mark.parametrize(
    "metadata",
    [
        "{}",
        '{"X-Request-Id":[]}',
        '{"X-Request-Id":[""]}',
        '{"X-Request-Id":"a"}',
        '{"X-Request-Id":["a b"]}',
        '{"X-Request-Id":["' + "x" * 129 + '"]}',
    ],
)
def test_what_is_no_request_id_is_unknown(metadata: str):
    assert parse_envelope({**GOOD, "ce-metadata": metadata}).request_id is None


@given(st.fixed_dictionaries({}, optional={name: st.text(max_size=80) for name in [*GOOD, "ce-metadata"]}))
def test_no_header_breaks_the_sink_or_becomes_a_label_unchecked(overrides: dict[str, str]):
    try:
        stream = parse_envelope({**GOOD, **overrides}).stream
    except MalformedEvent:
        return
    for label in (stream.namespace, stream.model, stream.version):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", label)
