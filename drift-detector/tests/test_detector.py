from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.reading.events import Kind, MalformedEvent, Stream
from leeway_drift.streaming.detector import Detector, Limits
from leeway_drift.streaming.streams import Outcome, TooManyStreams

FLIGHTS = Stream("models", "flights", "1.0.0")
ROW = b'{"instances": [{"a": 1}]}'
SMALL = Limits(queue_events=3, queue_bytes=100, remembered_events=10, streams=2, window_rows=5, window_bytes=5000)


def detector(limits: Limits = SMALL) -> Detector:
    return Detector(limits, clock=count().__next__)


def headers(number: int = 0, version: str = "1.0.0", kind: str = "request") -> dict[str, str]:
    return {
        "ce-specversion": "1.0",
        "ce-type": f"org.kubeflow.serving.inference.{kind}",
        "ce-id": str(number),
        "ce-namespace": "models",
        "ce-inferenceservicename": "flights-a",
        "ce-endpoint": version,
        "ce-time": "2026-03-02T09:15:01Z",
        "ce-metadata": f'{{"X-Request-Id":["r{number}"]}}',
    }


def send(to: Detector, *events: tuple[dict[str, str], bytes]) -> None:
    for attributes, body in events:
        to.offer(to.admit(attributes), body)


def work(of: Detector) -> None:
    while of.process_next():
        pass


def outcomes(of: Detector, stream: Stream = FLIGHTS) -> dict[tuple[Kind, Outcome], int]:
    """What is not zero."""
    state = of.streams.get(stream)
    assert state is not None
    return {key: number for key, number in state.outcomes.items() if number}


def request_ids(of: Detector, kind: Kind) -> Iterable[str | None]:
    state = of.streams.get(FLIGHTS)
    assert state is not None
    return [entry.request_id for entry in state.windows[kind]]


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
    watching = detector()
    answer = (headers(kind="response"), b'{"predictions": [1]}')
    send(watching, answer, (headers(), ROW), answer)
    work(watching)
    assert outcomes(watching) == {
        (Kind.REQUEST, Outcome.ACCEPTED): 1,
        (Kind.RESPONSE, Outcome.ACCEPTED): 1,
        (Kind.RESPONSE, Outcome.DUPLICATE): 1,
    }


def test_a_full_queue_keeps_the_newest():
    watching = detector()
    send(watching, *((headers(number), ROW) for number in range(5)))
    work(watching)
    assert request_ids(watching, Kind.REQUEST) == ["r2", "r3", "r4"]
    assert outcomes(watching)[Kind.REQUEST, Outcome.DROPPED] == 2


def test_an_event_with_more_rows_than_a_window_is_too_large():
    watching = detector()
    send(watching, (headers(), b'{"instances": [1, 2, 3, 4, 5, 6]}'))
    work(watching)
    assert outcomes(watching) == {(Kind.REQUEST, Outcome.TOO_LARGE): 1}


def test_one_version_in_both_slots_is_one_stream():
    watching = detector()
    send(watching, (headers(1), ROW), ({**headers(1), "ce-inferenceservicename": "flights-b"}, ROW))
    work(watching)
    assert outcomes(watching) == {(Kind.REQUEST, Outcome.ACCEPTED): 2}


def test_events_without_a_stream_are_counted_without_their_attributes():
    watching = detector()
    send(watching, (headers(version="1"), ROW), (headers(version="2"), ROW))
    with pytest.raises(TooManyStreams):
        watching.admit(headers(version="3"))
    with pytest.raises(MalformedEvent):
        watching.admit({})
    assert watching.unattributed == {Outcome.MALFORMED: 1, Outcome.REFUSED: 1}
    assert len(watching.streams) == 2


steps = st.one_of(
    st.just("work"),
    st.tuples(st.integers(0, 4), st.sampled_from(["1", "2", "3", "?"]), st.sampled_from([ROW, b"", b"{", b"x" * 101])),
)


@given(st.lists(steps, max_size=50))
def test_every_event_gets_exactly_one_outcome(script: list):
    watching = detector()
    sent = 0
    for step in script:
        if step == "work":
            watching.process_next()
            continue
        number, version, body = step
        sent += 1
        with suppress(MalformedEvent, TooManyStreams):
            watching.offer(watching.admit(headers(number, version)), body)
    counted = sum(sum(state.outcomes.values()) for _, state in watching.streams.items())
    assert counted + sum(watching.unattributed.values()) + watching.backlog == sent
