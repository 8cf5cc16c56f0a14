from collections.abc import Callable, Iterable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.reading.events import Kind, MalformedEvent, Stream
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.limits import Limits
from leeway_drift.streaming.streams import Outcome, TooManyStreams
from tests.watching import FLIGHTS, Clock, headers, response

ROW = b'{"instances": [{"a": 1}]}'
SMALL = Limits(queue_events=3, queue_bytes=100, remembered_events=10, streams=2)


def detector(limits: Limits = SMALL, clock: Clock | None = None) -> Detector:
    return Detector(limits, clock or Clock(), lateness=5)


def version(name: str) -> dict[str, str]:
    return {"ce-endpoint": name}


def send(to: Detector, *events: tuple[dict[str, str], bytes]) -> None:
    for attributes, body in events:
        to.intake.offer(to.intake.admit(attributes), body)


def work(of: Detector) -> None:
    while of.step(100):
        pass


def outcomes(of: Detector, stream: Stream = FLIGHTS) -> dict[tuple[Kind, Outcome], int]:
    """What is not zero."""
    state = of.streams.get(stream)
    assert state is not None
    return {key: number for key, number in state.outcomes.items() if number}


def request_ids(of: Detector, kind: Kind) -> Iterable[str | None]:
    state = of.streams.get(FLIGHTS)
    assert state is not None
    return [event.request_id for event in state.recent[kind]]


def test_the_examples_end_where_they_belong(event: Callable):
    names = [f"{protocol}-{kind}" for protocol in ("v1", "v2", "v2-binary", "metadata") for kind in Kind]
    watching = detector(Limits())
    send(watching, *(event(name) for name in names))
    work(watching)
    assert outcomes(watching) == {(kind, Outcome.ACCEPTED): 3 for kind in Kind} | {
        (kind, Outcome.IGNORED): 1 for kind in Kind
    }
    assert set(request_ids(watching, Kind.REQUEST)) == set(request_ids(watching, Kind.RESPONSE))


def test_a_response_may_come_before_its_request_and_twice():
    watching = detector(Limits())
    answer = (headers(1, kind="response"), response([0.7]))
    send(watching, answer, (headers(1), ROW), answer)
    work(watching)
    assert outcomes(watching) == {
        (Kind.REQUEST, Outcome.ACCEPTED): 1,
        (Kind.RESPONSE, Outcome.ACCEPTED): 1,
        (Kind.RESPONSE, Outcome.DUPLICATE): 1,
    }
    [prediction] = watching.take_predictions()
    assert (prediction.request_id, prediction.response_id, prediction.slot) == ("r1", "answer", "a")
    assert prediction.features is not None
    assert prediction.features.column("a").tolist() == [1.0]


def from_logger(number: int, kind: str = "request") -> dict[str, str]:
    """KServe's logger knows no status."""
    attributes = headers(number, kind=kind)
    del attributes["ce-status"]
    return attributes


def test_a_request_counts_once_its_answer_has_come_and_never_if_the_model_refused_it():
    clock = Clock()
    watching = detector(Limits(), clock)
    send(watching, (from_logger(1), ROW), (from_logger(2), b'{"instances": [{"other": "x"}]}'))
    work(watching)
    before = outcomes(watching)
    send(watching, (from_logger(1, "response"), response([0.7])))
    work(watching)
    clock.now += Limits().waiting_seconds
    work(watching)
    assert before == {}
    assert outcomes(watching) == {
        (Kind.REQUEST, Outcome.ACCEPTED): 1,
        (Kind.RESPONSE, Outcome.ACCEPTED): 1,
        (Kind.REQUEST, Outcome.UNANSWERED): 1,
    }
    state = watching.streams.get(FLIGHTS)
    assert state is not None
    assert state.rows_seen == {"a": 1}


def test_a_request_that_says_it_was_refused_is_none():
    watching = detector(Limits())
    send(watching, (headers(1) | {"ce-status": "400"}, ROW))
    work(watching)
    assert outcomes(watching) == {(Kind.REQUEST, Outcome.IGNORED): 1}


def test_an_answer_whose_request_never_comes_is_a_prediction_without_features():
    clock = Clock()
    watching = detector(Limits(), clock)
    send(watching, (headers(1, kind="response"), response([0.7])), (headers(2), ROW))
    work(watching)
    assert watching.take_predictions() == []
    clock.now += 30
    work(watching)
    [prediction] = watching.take_predictions()
    assert (prediction.event_id, prediction.features) == ("a1", None)


def test_a_full_queue_keeps_the_newest():
    watching = detector()
    send(watching, *((headers(number), ROW) for number in range(5)))
    work(watching)
    assert request_ids(watching, Kind.REQUEST) == ["r2", "r3", "r4"]
    assert outcomes(watching)[Kind.REQUEST, Outcome.DROPPED] == 2


def test_an_event_of_a_closed_tick_is_late_and_one_from_the_future_happened_now():
    clock = Clock()
    watching = detector(clock=clock)
    send(watching, (headers(1, at=clock.now - 15.1), ROW), (headers(2, at=clock.now + 3600), ROW))
    send(watching, (headers(3, at=clock.now - 5), ROW))
    work(watching)
    assert outcomes(watching) == {(Kind.REQUEST, Outcome.LATE): 1, (Kind.REQUEST, Outcome.ACCEPTED): 2}


def test_what_had_to_wait_in_the_queue_is_not_late_for_that():
    clock = Clock()
    watching = detector(clock=clock)
    send(watching, (headers(1, at=clock.now), ROW))
    clock.now += 600
    work(watching)
    assert outcomes(watching) == {(Kind.REQUEST, Outcome.ACCEPTED): 1}


def test_an_error_is_no_answer():
    watching = detector()
    send(watching, (headers(1, kind="response", **{"ce-status": "400"}), b'{"error": "no"}'))
    work(watching)
    assert outcomes(watching) == {(Kind.RESPONSE, Outcome.IGNORED): 1}


def test_one_version_in_both_slots_is_one_stream():
    watching = detector()
    send(watching, (headers(1), ROW), (headers(1, slot="b"), ROW))
    work(watching)
    assert outcomes(watching) == {(Kind.REQUEST, Outcome.ACCEPTED): 2}


def test_events_without_a_stream_are_counted_without_their_attributes():
    watching = detector()
    send(watching, (headers(1, **version("1")), ROW), (headers(2, **version("2")), ROW))
    with pytest.raises(TooManyStreams):
        watching.intake.admit(headers(3, **version("3")))
    with pytest.raises(MalformedEvent):
        watching.intake.admit({})
    assert {outcome: count for outcome, count in watching.intake.unattributed.items() if count} == {
        Outcome.MALFORMED: 1,
        Outcome.REFUSED: 1,
    }
    assert len(watching.streams) == 2


steps = st.one_of(
    st.just("work"),
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["1", "2", "3", "?"]),
        st.sampled_from([ROW, b"", b"{", b"x" * 101, b"[batch]"]),
    ),
)


@given(st.lists(steps, max_size=50))
def test_every_event_gets_exactly_one_outcome(script: list):
    watching = detector()
    sent = 0
    for step in script:
        if step == "work":
            watching.step(1)
            continue
        number, name, body = step
        sent += 1
        if body == b"[batch]":
            watching.intake.offer_batch(body)
            continue
        with suppress(MalformedEvent, TooManyStreams):
            watching.intake.offer(watching.intake.admit(headers(number, **version(name))), body)
    counted = sum(sum(state.outcomes.values()) for _, state in watching.streams.items())
    assert counted + sum(watching.intake.unattributed.values()) + len(watching.intake) == sent
