"""Rows seen over rows served, from counters that start anew with every pod."""

import httpx
import pytest

from leeway_drift.service.coverage import METRICS_BYTES, Coverage, http_scrape


def ratio(*readings: tuple[int, dict[str, float]]) -> float | None:
    coverage = Coverage()
    for number, (seen, served) in enumerate(readings):
        coverage.add(number * 15.0, seen, served)
    return coverage.ratio


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([(0, {"p": 1000})], None),
        ([(0, {"p": 1000}), (50, {"p": 1100})], 0.5),
        ([(0, {"p": 1000}), (0, {"p": 1000})], None),
        ([(0, {"p": 0}), (100, {"p": 100, "q": 70})], 1.0),
        ([(0, {"p": 900}), (50, {"p": 5}), (100, {"p": 105})], 1.0),
        ([(80, {"p": 0}), (0, {"p": 100}), (50, {"p": 200})], 0.25),
    ],
    ids=["one reading", "half", "nothing served", "a new pod", "a pod that started anew", "a detector that did"],
)
def test_rows_seen_over_rows_served(readings: list, expected: float | None):
    assert ratio(*readings) == expected


def test_minutes_long_past_do_not_count():
    coverage = Coverage()
    coverage.add(0, 0, {"p": 0})
    coverage.add(15, 0, {"p": 1000})
    coverage.add(1000, 10, {"p": 1010})
    assert coverage.ratio == 1.0


def test_every_pod_behind_the_service_is_read_and_one_that_fails_is_not_zero():
    metrics = 'leeway_inference_rows_total{model="flights",version="1.0.0"} 7.0\n'
    answers = {
        "10.0.0.1": httpx.Response(200, content=iter([metrics.encode()])),
        "10.0.0.2": httpx.Response(500),
        "10.0.0.3": None,
    }

    def answer(request: httpx.Request) -> httpx.Response:
        found = answers[request.url.host]
        if found is None:
            raise httpx.ConnectError("refused")
        return found

    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return list(answers)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        served = http_scrape(client, resolve)(("models", "flights", "b"))
    assert served == {"10.0.0.1": 7.0}
    assert asked == ["flights-b-bundle.models.svc"]


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"leeway_inference_rows_total NaN\n", b"leeway_inference_rows_total{ 1\n", b"x" * (METRICS_BYTES + 1)],
)
def test_a_pod_that_answers_nonsense_is_as_one_that_does_not_answer(body: bytes):
    def answer(request: httpx.Request) -> httpx.Response:
        honest = request.url.host == "10.0.0.1"
        return httpx.Response(200, content=iter([b"leeway_inference_rows_total 7.0\n" if honest else body]))

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        served = http_scrape(client, lambda _: ["10.0.0.2", "10.0.0.1"])(("models", "flights", "b"))
    assert served == {"10.0.0.1": 7.0}
