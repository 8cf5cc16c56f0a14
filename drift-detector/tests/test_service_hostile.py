"""What strangers send to a running detector: refused or counted, and nobody is told of an alarm because of it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection
from starlette.requests import Request

from leeway_drift.reading.events import Kind
from leeway_drift.service.bodies import Bodies, Unread
from leeway_drift.service.prediction_queue import LogLimits
from leeway_drift.service.profiles import ProfileSource
from leeway_drift.service.store.database import Database, StoreUnavailable, sqlite_url
from leeway_drift.service.wiring import Service
from leeway_drift.streaming.streams import Outcome
from tests.labelling import Logged
from tests.test_feedback_api import call
from tests.watching import FLIGHTS, Bundle, Client, Clock, headers, profile, request, response, serving, settled

STATUS = "/v1/status/models/flights/1.0.0"
USUAL = [float(value) for value in range(100)]


def load(service: Service, folder: Path) -> None:
    settled(service)
    source = ProfileSource(Bundle({"drift-profile.json": profile()}), folder / "profiles", with_reference=False)
    service.engine.set_profile(FLIGHTS, source.load(FLIGHTS, "flights-a"))
    settled(service)


def window(running: tuple[Service, Client], clock: Clock, name: str) -> None:
    service, client = running
    client.post("/", headers=headers(name, at=clock.now), content=request(USUAL))
    scores = [value / 100 for value in USUAL]
    client.post("/", headers=headers(name, kind="response", at=clock.now), content=response(scores))
    settled(service)
    clock.now += 20
    settled(service)


GARBAGE = [
    b"",
    b"\xff\xfe\x00",
    b"{" * 100_000,
    b'{"inputs": [{"name": "delay", "datatype": "FP32", "shape": [1000000000, 1], "data": []}]}',
    b'{"inputs": [{"name": "delay", "datatype": "FP32", "shape": [-1], "data": [1]}]}',
    b'{"inputs": [{"name": "delay", "datatype": "FP32", "shape": [2, 1], "data": [1]}]}',
    b'{"instances": {"delay": 1}}',
    b'{"instances": [{"delay": {"nested": []}}]}',
    b'{"inputs": [{"name": "delay", "datatype": "FP32", "shape": [1, 1], "data": [1' + b"0" * 400 + b"]}]}",
    b"[]",
]


def test_garbage_is_counted_and_raises_no_alarm(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock) as (service, client):
        window((service, client), clock, "first")
        load(service, tmp_path)
        for name in ("usual", "before"):
            window((service, client), clock, name)
        before = client.get(STATUS).json()
        for number, body in enumerate(GARBAGE * 30):
            answer = client.post("/", headers=headers(f"garbage-{number}", at=clock.now), content=body)
            assert answer.status_code == 200
        window((service, client), clock, "after")
        after = client.get(STATUS).json()
        alive = client.get("/health/live").status_code
    events = after["events"]["request"]
    assert events["undecodable"] + events["ignored"] == len(GARBAGE) * 30
    assert events["accepted"] == 4
    assert alive == 200
    quality = [
        [said for said in status["detectors"] if said["detector"] == "data_quality"] for status in (before, after)
    ]
    assert quality[0][0]["verdict"] == quality[1][0]["verdict"] == "within"
    assert not any(said["detected"] for said in after["detectors"])


def test_names_that_nobody_uses_neither_make_series_nor_push_out_those_in_use(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock, streams=32) as (service, client):
        client.post("/", headers=headers("real"), content=request(USUAL))
        answers = [
            client.post("/", headers={**headers(number), "ce-namespace": f"invented-{number}"}, content=request(USUAL))
            for number in range(40)
        ]
        wrong = [
            client.post("/", headers={**headers("x"), "ce-namespace": name}, content=b"{}").status_code
            for name in ("../../etc", 'a"} 1\n', "A", "x" * 64, "")
        ]
        settled(service)
        models = client.get("/v1/status").json()
        unattributed = service.engine.views.unattributed
        clock.now += 600
        client.post("/", headers=headers("still-here", at=clock.now), content=request(USUAL))
        late = client.post(
            "/", headers={**headers("late", at=clock.now), "ce-namespace": "released-now"}, content=request(USUAL)
        )
        settled(service)
        watched = client.get("/v1/status").json()
    assert late.status_code == 200  # in the place of one that nobody uses any more
    assert {"namespace": "models", "model": "flights"} in watched
    assert {"namespace": "released-now", "model": "flights"} in watched
    assert [answer.status_code for answer in answers] == [200] * 31 + [503] * 9
    assert wrong == [400] * 5
    assert {"namespace": "models", "model": "flights"} in models
    assert len(models) == 32
    assert (unattributed[Outcome.REFUSED], unattributed[Outcome.MALFORMED]) == (9, 5)


def test_an_id_that_is_used_again_counts_once(tmp_path: Path):
    with serving(tmp_path, Clock()) as (service, client):
        for body in (request([1.0]), request([999.0] * 100)):
            client.post("/", headers=headers("same"), content=body)
        settled(service)
        state = service.engine.detector.streams.get(FLIGHTS)
    assert state is not None
    assert state.outcomes[Kind.REQUEST, Outcome.DUPLICATE] == 1
    assert state.rows_seen == {"a": 1}


def test_a_clock_that_is_set_back_stops_nothing(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock) as (service, client):
        client.post("/", headers=headers("before"), content=request([1.0]))
        settled(service)
        saved = client.get(STATUS).json()
        clock.now -= 3600
        client.post("/", headers=headers("after", at=clock.now), content=request([1.0]))
        while (events := client.get(STATUS).json()["events"]["request"]) == saved["events"]["request"]:
            pass  # the engine publishes by itself, twice a second
    assert (events["accepted"], events["late"]) == (2, 0)


def test_a_stream_that_comes_back_before_anybody_looked_is_judged_again(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock) as (service, client):
        window((service, client), clock, "first")
        load(service, tmp_path)
        clock.now += service.engine.detector.limits.stream_forgotten_seconds

        def forget() -> None:
            service.engine.detector.streams.forget_silent(clock.now)
            service.engine.detector.streams.seen(FLIGHTS, clock.now)
            service.engine.publish()

        service.engine.ask(forget)
        status = client.get(STATUS).json()
    assert status["profile"]["state"] == "loaded"
    assert status["open_window"] is not None
    assert [said["detector"] for said in status["detectors"] if said["detector"] == "slow"]


def body_of(*chunks: bytes) -> Request:
    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        + [{"type": "http.request", "body": b"", "more_body": False}]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    return Request({"type": "http"}, receive)


def test_bodies_have_a_common_bound_and_give_their_room_back():
    async def story() -> list[tuple[int, Outcome] | bytes]:
        bodies, told = Bodies(10), []
        for chunks, limit in (((b"123456", b"789"), 9), ((b"123456", b"7890"), 9), ((b"1234567890", b"x"), 100)):
            try:
                told.append(await bodies.read(body_of(*chunks), limit))
            except Unread as error:
                told.append((error.status_code, error.outcome))
        return [*told, await bodies.read(body_of(b"1234567890"), 100)]

    assert asyncio.run(story()) == [
        b"123456789",
        (413, Outcome.TOO_LARGE),
        (503, Outcome.DROPPED),
        b"1234567890",
    ]


class Talkative(Database):
    """Fails as a server does that tells too much."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        raise StoreUnavailable('the prediction store: OperationalError: user "leeway" at db.internal: no such password')
        yield  # pragma: no cover - a generator


def test_what_a_store_says_of_itself_is_told_to_nobody_outside(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    under_test = Logged(Talkative(sqlite_url(tmp_path)), limits=LogLimits(retry_seconds=()))
    answer: httpx.Response = call(under_test, "POST", "/v1/feedback", json={"id": "r", "model": "flights", "label": 1})
    under_test.log.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json() == {"error": "the prediction store is not available; try again later"}
    reasons = [record.error for record in caplog.records if hasattr(record, "error")]
    assert any("db.internal" in reason for reason in reasons)


def test_a_line_of_labels_may_hold_what_else_ends_a_line(tmp_path: Path):
    under_test = Logged(Database(sqlite_url(tmp_path)))
    line = json.dumps({"id": "a\u2028b", "model": "flights", "label": 1}, ensure_ascii=False)
    headers_ = {"content-type": "application/x-ndjson"}
    answer = call(under_test, "POST", "/v1/feedback", content=f"{line}\n{line}\r\n".encode(), headers=headers_)
    under_test.log.close()
    assert len(answer.json()["results"]) == 2
