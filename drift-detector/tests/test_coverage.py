"""Rows seen over rows served, from counters that start anew with every pod."""

from collections.abc import Mapping

import httpx
import pytest

from leeway_drift.reading.events import Stream
from leeway_drift.service.coverage import (
    FRESH_SECONDS,
    METRICS_BYTES,
    SPAN_SECONDS,
    Coverage,
    CoverageThread,
    Pod,
    http_scrape,
)
from leeway_drift.service.views import View, Views, view
from leeway_drift.streaming.streams import StreamState
from leeway_drift.streaming.timeline import Timeline
from tests.watching import FLIGHTS, Clock


def ratio(*readings: tuple[int, dict[str, float]]) -> float | None:
    coverage = Coverage()
    for number, (seen, served) in enumerate(readings):
        coverage.add(number * 15.0, seen, served)
    return coverage.ratio((len(readings) - 1) * 15.0)


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([(0, {"p": 1000})], None),
        ([(0, {"p": 1000}), (50, {"p": 1100})], 0.5),
        ([(0, {"p": 1000}), (0, {"p": 1000})], 1.0),
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
    coverage.add(15 + SPAN_SECONDS + 1, 10, {"p": 1010})
    assert coverage.ratio(15 + SPAN_SECONDS + 1) == 1.0


@pytest.mark.parametrize("later", [FRESH_SECONDS + 1, SPAN_SECONDS + 1, -3600.0])
def test_what_was_read_long_ago_or_by_another_clock_is_not_known(later: float):
    coverage = Coverage()
    coverage.add(0, 0, {"p": 0})
    coverage.add(15, 50, {"p": 100})
    assert coverage.ratio(15 + FRESH_SECONDS) == 0.5
    assert coverage.ratio(15 + later) is None


class Slots:
    """What a thread sees of two slots of one version, and what it is told."""

    def __init__(self) -> None:
        self.clock = Clock(0.0)
        self.rows = {"a": 0, "b": 0}
        self.pods: dict[str, dict[str, Pod]] = {"a": {}, "b": {}}
        self.ratios: Mapping[tuple[str, str, str], float] = {}
        self.bundles: Mapping[Stream, frozenset[str]] = {}
        self.thread = CoverageThread(
            lambda slot: dict(self.pods[slot[2]]),
            self._views,
            found=lambda ratios: setattr(self, "ratios", ratios),
            serving=lambda bundles: setattr(self, "bundles", bundles),
            clock=self.clock,
        )

    def _views(self) -> Views:
        state = StreamState(timeline=Timeline(5.0), last_seen=0.0, closed=0, rows_seen=dict(self.rows))
        known: dict[Stream, View] = {FLIGHTS: view(FLIGHTS, state)}
        return Views(streams=known)

    def round(self, **served: float) -> None:
        """Pods have served so many rows by now, and are read."""
        self.clock.now += 10
        self.pods = {slot: {f"pod-{slot}": Pod(rows, {"1.0.0": f"sha256:{slot}"})} for slot, rows in served.items()}
        pods = self.thread.read()
        self.thread.compare(pods)


def test_a_slot_whose_requests_are_mirrored_is_covered_like_any_other_and_one_that_fails_is_not_known():
    slots = Slots()
    slots.round(a=0, b=0)
    slots.rows = {"a": 100, "b": 40}
    slots.round(a=100, b=100)
    both = dict(slots.ratios)
    slots.pods = {"a": {}, "b": {}}
    slots.clock.now += FRESH_SECONDS + 1
    slots.thread.compare(slots.thread.read())
    assert both == {("models", "flights", "a"): 1.0, ("models", "flights", "b"): 0.4}
    assert slots.ratios == {}


def test_what_was_still_on_its_way_when_the_pods_were_read_is_seen():
    slots = Slots()
    slots.round(a=0, b=0)
    slots.clock.now += 10
    slots.pods = {"a": {"pod-a": Pod(100, {})}, "b": {}}
    pods = slots.thread.read()
    slots.rows = {"a": 100, "b": 0}
    slots.thread.compare(pods)
    assert slots.ratios == {("models", "flights", "a"): 1.0}


def test_the_bundles_of_a_version_are_those_of_all_its_pods():
    slots = Slots()
    slots.round(a=0, b=0)
    assert slots.bundles == {FLIGHTS: frozenset({"sha256:a", "sha256:b"})}


def test_every_pod_behind_the_service_is_read_and_one_that_fails_is_not_zero():
    metrics = (
        'leeway_inference_rows_total{model="flights",version="1.0.0"} 7.0\n'
        'leeway_inference_model_info{model="flights",version="1.0.0",digest="sha256:d"} 1.0\n'
    )
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
    assert served == {"10.0.0.1": Pod(7.0, {"1.0.0": "sha256:d"})}
    assert asked == ["flights-b-bundle.models.svc"]


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"",
        b"another_metric 1\n",
        b"leeway_inference_rows_total NaN\n",
        b"leeway_inference_rows_total{ 1\n",
        b"x" * (METRICS_BYTES + 1),
    ],
)
def test_a_pod_that_answers_nonsense_is_as_one_that_does_not_answer(body: bytes):
    def answer(request: httpx.Request) -> httpx.Response:
        honest = request.url.host == "10.0.0.1"
        return httpx.Response(200, content=iter([b"leeway_inference_rows_total 7.0\n" if honest else body]))

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        served = http_scrape(client, lambda _: ["10.0.0.2", "10.0.0.1"])(("models", "flights", "b"))
    assert served == {"10.0.0.1": Pod(7.0, {})}
