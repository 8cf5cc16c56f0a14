import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import FastAPI

from leeway_drift.service.feedback import add_feedback
from leeway_drift.service.prediction_queue import LogLimits
from tests.labelling import FLIGHTS, START, Logged, logged, prediction


def call(under_test: Logged, method: str, path: str, **request: Any) -> httpx.Response:
    app = FastAPI()
    add_feedback(app, under_test.log)

    async def story() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://detector") as client:
            return await client.request(method, path, **request)

    return asyncio.run(story())


@pytest.fixture
def send(tmp_path: Path):
    with logged(tmp_path) as under_test:

        def post(**request: Any) -> httpx.Response:
            return call(under_test, "POST", "/v1/feedback", **request)

        post.under_test = under_test
        yield post


def test_a_label_reaches_its_prediction_by_each_of_its_keys(send: Callable):
    send.under_test.keep(prediction("e1", response_id="my-own-id"))
    for key in ("request-e1", "my-own-id", "e1"):
        answer = send(json={"id": key, "model": "flights", "label": 1})
        assert (answer.status_code, answer.json()["result"]) == (200, "accepted")
        assert answer.json()["versions"] == ["1.0.0"]
    [(version, slot, loss, served)] = send.under_test.losses
    assert (version, slot, served) == (FLIGHTS, "a", START)
    assert loss == pytest.approx(0.5625)  # (0.25 - 1)²


def test_a_single_label_is_answered_with_a_status_of_its_own(send: Callable):
    under_test = send.under_test
    under_test.keep(prediction("e1", (0.5, 0.5)), prediction("x1", response_id="1"), prediction("x2", response_id="1"))
    item = {"id": "request-e1", "model": "flights", "label": 1}
    expected = [
        (item, 200, "accepted", ""),
        (item | {"label": 0}, 200, "corrected", ""),
        (item | {"id": "not-yet"}, 202, "pending", "no such prediction yet"),
        (item | {"model": "other"}, 404, "unknown", "no prediction of model 'other' was ever stored"),
        (item | {"namespace": "staging", "id": "e1"}, 202, "pending", ""),
        (item | {"id": "1"}, 409, "ambiguous", "2 predictions fit"),
        (item | {"label": 2}, 422, "invalid", "label: 2, expected the index of a class, an integer from 0 to 1"),
        (item | {"row": 2}, 422, "invalid", "row: 2, expected one of the request's, 0 to 1"),
        (item | {"label": None}, 422, "invalid", "label: None, expected a finite number"),
    ]
    for body, status, result, detail in expected:
        answer = send(json=body)
        assert (answer.status_code, answer.json()["result"]) == (status, result), answer.text
        assert detail in answer.json()["detail"]
        assert ("error" in answer.json()) == (status >= 400)


def test_the_candidates_of_an_ambiguous_label_can_be_told_apart(send: Callable):
    send.under_test.keep(prediction("x1", response_id="1"), prediction("x2", response_id="1"))
    answer = send(json={"id": "1", "model": "flights", "label": 1})
    ids = [candidate["event_id"] for candidate in answer.json()["candidates"]]
    assert sorted(ids) == ["x1", "x2"]
    assert send(json={"id": ids[0], "model": "flights", "label": 1}).status_code == 200


def test_a_list_is_answered_item_by_item(send: Callable):
    send.under_test.keep(prediction("e1", (0.5, 0.5)))
    body = "id,model,row,label\nrequest-e1,flights,0,1\nrequest-e1,flights,1,nan\nrequest-e1,flights,1,0\n"
    answer = send(content=body, headers={"content-type": "text/csv"})
    assert answer.status_code == 200
    assert [item["result"] for item in answer.json()["results"]] == ["accepted", "invalid", "accepted"]
    assert answer.json()["counts"] == {
        "accepted": 2, "corrected": 0, "pending": 0, "unknown": 0, "ambiguous": 0, "invalid": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [(b"{", "application/json", 400), (b"<x/>", "text/xml", 415), (b" " * (4 * 2**20 + 1), "application/json", 413)],
)
def test_a_body_that_cannot_be_read_is_refused(send: Callable, body: bytes, content_type: str, status: int):
    assert send(content=body, headers={"content-type": content_type}).status_code == status


def test_a_store_that_is_gone_asks_to_come_again(tmp_path: Path):
    with logged(tmp_path / "gone", limits=LogLimits(retry_seconds=())) as under_test:
        answers = [
            call(under_test, "POST", "/v1/feedback", json={"id": "r", "model": "flights", "label": 1}),
            call(under_test, "GET", "/v1/performance/models/flights"),
            call(under_test, "GET", "/v1/threshold/models/flights/1.0.0"),
            call(under_test, "GET", "/v1/predictions/models/flights"),
        ]
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "10")] * 4


def test_versions_are_compared_over_cohorts_of_one_age(send: Callable):
    under_test = send.under_test
    for version, slot in (("1.0.0", "a"), ("2.0.0", "b")):
        under_test.keep(*(prediction(f"{version}-{n}", (n / 100,), version=version, slot=slot) for n in range(100)))
    under_test.clock.advance(hours=3)
    labels = [{"id": f"1.0.0-{n}", "model": "flights", "label": int(n >= 30)} for n in range(100)]
    assert send(json=labels).json()["counts"]["accepted"] == 100
    first, second = call(under_test, "GET", "/v1/performance/models/flights").json()["versions"]
    assert (first["version"], first["labels"], first["label_coverage"]) == ("1.0.0", 100, 1.0)
    assert first["metrics"]["auc"] == 1.0
    assert first["label_delay_seconds"] == {"p50": 10800, "p90": 10800}
    assert (second["labels"], second["label_coverage"], second["metrics"]) == (0, 0.0, {})
    assert second["reason"] == "0 labels of old enough predictions, needs 50"
    younger = call(under_test, "GET", "/v1/performance/models/flights", params={"age": 60}).json()
    assert (younger["age_seconds"], younger["versions"][0]["labels"]) == (60, 0)
    assert call(under_test, "GET", "/v1/performance/models/nobody").status_code == 404


def test_a_threshold_is_proposed_from_enough_labels_only(send: Callable):
    under_test = send.under_test
    under_test.keep(prediction("all", tuple((n % 100) / 100 for n in range(600))))
    path = "/v1/threshold/models/flights/1.0.0"
    insufficient = call(under_test, "GET", path).json()
    assert (insufficient["verdict"], insufficient["threshold"]) == ("insufficient", None)
    send(json=[{"id": "all", "row": n, "model": "flights", "label": int(n % 100 > 20)} for n in range(600)])
    proposed = call(under_test, "GET", path).json()
    assert (proposed["verdict"], proposed["current"], proposed["value"]) == ("proposed", 0.5, 1.0)
    assert 0.2 < proposed["threshold"] < 0.21
    cost = call(under_test, "GET", path, params={"false_positive_cost": 1, "false_negative_cost": 10}).json()
    assert (cost["objective"], cost["value"]) == ("cost", 0.0)
    assert call(under_test, "GET", path, params={"false_positive_cost": 1}).status_code == 400


def test_the_audit_log_tells_each_prediction_with_its_label(send: Callable):
    send.under_test.keep(prediction("e1", (0.25,)), prediction("e2", time=START + timedelta(hours=1)))
    send(json={"id": "e1", "model": "flights", "label": 1, "observed_at": "2026-03-02T09:00:00Z"})
    answer = call(send.under_test, "GET", "/v1/predictions/models/flights", params={"until": "2026-03-02T10:00:00Z"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    [line] = answer.text.splitlines()
    told = json.loads(line)
    assert told["inputs"] == {"dep_delay": 0.0, "carrier": "UA"}
    assert told["outputs"] == {"label": 0.0, "probabilities.0": 0.75, "probabilities.1": 0.25}
    assert (told["time"], told["label"], told["request_id"]) == ("2026-03-02T09:00:00Z", 1.0, "request-e1")


def test_examples_are_what_the_schema_says_and_the_service_takes(send: Callable):
    schemas = Path(__file__).parents[2] / "schemas"
    document = json.loads((schemas / "examples" / "feedback.json").read_text())
    jsonschema.validate(document, json.loads((schemas / "feedback.schema.json").read_text()))
    send.under_test.clock.advance(days=1)  # past the observations in the examples
    results = send(json=document).json()["results"]
    assert {result["result"] for result in results} == {"unknown"}  # well formed, and of no model that is known here
