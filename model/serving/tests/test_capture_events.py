"""Inferences as CloudEvents: the batch that the detector's own tests read, and what holds for any inference."""

import json
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from leeway_serving.capture.events import Inference, batch, sampled
from leeway_serving.capture.settings import CaptureSettings, settings_from
from leeway_serving.environment import SettingsError

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples" / "events"
SETTINGS = CaptureSettings("http://sink", sample=1.0, namespace="models", inferenceservice="flights-a")
ENVIRONMENT = {
    "LEEWAY_CAPTURE_URL": "http://drift.leeway.svc/",
    "LEEWAY_CAPTURE_SAMPLE": "0.25",
    "LEEWAY_NAMESPACE": "models",
    "LEEWAY_INFERENCESERVICE": "flights-a",
}
DIGEST = "sha256:" + "5e" * 32
# https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md, sections 2 to 4.
TEXT = {"type": "string", "minLength": 1}
BATCH_FORMAT = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["id", "source", "specversion", "type"],
        "propertyNames": {"pattern": "^([a-z0-9]{1,20}|data_base64)$"},
        "properties": {
            "id": TEXT,
            "source": TEXT | {"format": "uri-reference"},
            "specversion": {"const": "1.0"},
            "type": TEXT,
            "time": TEXT | {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"},
            "datacontenttype": TEXT | {"pattern": "^[a-z]+/[a-z-]+$"},
            "data": {},
            "data_base64": {"type": "string", "contentEncoding": "base64"},
        },
        "additionalProperties": {"type": ["string", "integer", "boolean"]},
        "not": {"required": ["data", "data_base64"]},
    },
}


def body_of(example: str) -> bytes:
    event = json.loads((EXAMPLES / example).read_text())
    return b64decode(event["body_base64"]) if "body_base64" in event else event["body"].encode()


def inference(**changes: Any) -> Inference:
    json_answer = Inference(
        request_id="8a3f0c3e-52f1-4f1e-9c0e-6f4f8a7d1b10",
        version="1.0.0",
        digest=DIGEST,
        status=200,
        request=body_of("v2-request.json"),
        response=body_of("v2-response.json"),
        binary_request=False,
        binary_response=False,
        started=1772442901.123456,
        ended=1772442901.125,
    )
    return json_answer._replace(**changes)


def events_of(*inferences: Inference) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(batch(((f"i-{n}", i) for n, i in enumerate(inferences)), SETTINGS))
    return events


def test_a_batch_is_the_one_that_the_detector_is_tested_with() -> None:
    inferences = [
        inference(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        inference(
            request_id="5b1a9d62-0f0e-4a52-8f1b-7d1d2f0c6c22",
            request=body_of("v1-request.json"),
            response=body_of("v1-response.json"),
            started=1772442902.5,
            ended=1772442902.501,
        ),
        inference(
            request_id="c1c36b4e-7a57-4b7f-8e0e-0a8d5f7b3d33",
            request=body_of("v2-binary-request.json"),
            response=body_of("v2-binary-response.json"),
            binary_request=True,
            binary_response=True,
            started=1772442903.0,
            ended=1772442903.002,
        ),
        inference(
            request_id="drill-0f0e",
            digest=None,
            status=400,
            request=b'{"inputs": [',
            response=b'{"error":"the body is not JSON: unexpected end of data"}',
            started=1772442904.0,
            ended=1772442904.0005,
        ),
    ]
    expected = json.loads((EXAMPLES / "direct-batch.json").read_text())
    assert events_of(*inferences) == expected
    Draft202012Validator(BATCH_FORMAT).validate(expected)


json_bodies = st.dictionaries(st.text(), st.none() | st.floats(allow_nan=False) | st.text() | st.integers(-9, 9)).map(
    orjson.dumps
)


@given(
    st.builds(
        inference,
        request_id=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=128),
        digest=st.none() | st.just(DIGEST),
        status=st.sampled_from([200, 400, 500]),
        request=json_bodies,
        response=json_bodies,
        binary_request=st.booleans(),
        binary_response=st.booleans(),
        ended=st.floats(1e9, 4e9),
    )
)
def test_any_inference_is_two_events_of_one_id_that_carry_its_bodies(given_inference: Inference) -> None:
    events = events_of(given_inference)
    Draft202012Validator(BATCH_FORMAT).validate(events)
    request, response = events
    assert request["id"] == response["id"]
    assert [event["type"].rpartition(".")[2] for event in events] == ["request", "response"]
    assert request["status"] == response["status"] == str(given_inference.status)
    for event, body in ((request, given_inference.request), (response, given_inference.response)):
        assert json.loads(event["metadata"]) == {"X-Request-Id": [given_inference.request_id]}
        sent = b64decode(event["data_base64"]) if "data_base64" in event else orjson.dumps(event["data"])
        assert orjson.loads(sent) == orjson.loads(body)


@given(st.binary())
def test_what_was_refused_goes_as_it_came(body: bytes) -> None:
    request, _ = events_of(inference(status=400, request=body))
    assert b64decode(request["data_base64"]) == body


def test_numbers_are_not_written_anew() -> None:
    body = b'{"rows":[{"delay":0.1000,"seats":123456789012345678901234567890}]}'
    assert body in batch([("i", inference(request=body))], SETTINGS)


def test_a_sample_is_the_same_requests_in_every_slot_and_its_share_of_all() -> None:
    ids = [f"request-{number}" for number in range(20_000)]
    chosen = [request_id for request_id in ids if sampled(request_id, 0.1)]
    assert 1_850 < len(chosen) < 2_150  # 3.5 standard deviations
    assert all(sampled(request_id, 0.3) for request_id in chosen)
    assert all(sampled(request_id, 1.0) for request_id in ids)


def test_the_environment_says_where_events_go() -> None:
    expected = CaptureSettings(
        "http://drift.leeway.svc/", sample=0.25, namespace="models", inferenceservice="flights-a"
    )
    assert settings_from(ENVIRONMENT) == expected
    assert settings_from(ENVIRONMENT | {"LEEWAY_CAPTURE_URL": ""}) is None
    assert settings_from({}) is None
    unsaid = {name: value for name, value in ENVIRONMENT.items() if name != "LEEWAY_CAPTURE_SAMPLE"}
    assert settings_from(unsaid) == replace(expected, sample=1.0)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEEWAY_CAPTURE_URL", "drift:80"),
        ("LEEWAY_CAPTURE_URL", "ftp://drift"),
        ("LEEWAY_CAPTURE_URL", "http://"),
        ("LEEWAY_CAPTURE_URL", "http://drift:port"),
        ("LEEWAY_CAPTURE_URL", "http://[drift"),
        ("LEEWAY_CAPTURE_URL", "http://user:secret@drift"),
        ("LEEWAY_CAPTURE_URL", "http://drift/a b"),
        ("LEEWAY_CAPTURE_URL", "http://drift/\r\nx: y"),
        ("LEEWAY_CAPTURE_SAMPLE", "0"),
        ("LEEWAY_CAPTURE_SAMPLE", "1.01"),
        ("LEEWAY_CAPTURE_SAMPLE", "nan"),
        ("LEEWAY_CAPTURE_SAMPLE", "half"),
        ("LEEWAY_NAMESPACE", ""),
        ("LEEWAY_INFERENCESERVICE", "Flights"),
    ],
)
def test_a_variable_that_is_wrong_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} "):
        settings_from(ENVIRONMENT | {variable: value})
