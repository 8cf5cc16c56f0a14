"""What KServe's agent and Leeway's server really send, through the detector."""

import base64
import json
from pathlib import Path

import pytest

from leeway_drift.reading.events import Kind
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.limits import Limits
from leeway_drift.streaming.streams import OF_STREAM, Outcome
from tests.watching import Clock

RECORDED = Path(__file__).parent / "recorded"
ACCEPTED = {(kind, Outcome.ACCEPTED): 1 for kind in Kind}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v1", ACCEPTED),
        ("v2", ACCEPTED),
        ("plain", ACCEPTED),
        ("v2-without-request-id", ACCEPTED),
        ("v2-binary", ACCEPTED),
        ("v2-binary-both-ways", ACCEPTED),
        ("metadata", {(kind, Outcome.IGNORED): 1 for kind in Kind}),
        ("duplicate-id", {(kind, outcome): 1 for kind in Kind for outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE)}),
        ("empty-body", {(Kind.REQUEST, Outcome.IGNORED): 1}),
        ("no-json", {(Kind.REQUEST, Outcome.UNDECODABLE): 1}),
        ("wrong-type", {(Kind.REQUEST, Outcome.UNANSWERED): 1}),
    ],
)
def test_events_of_the_agent_end_where_they_belong(name: str, expected: dict):
    clock = Clock()
    detector = Detector(Limits(), clock, lateness=5)
    for event in json.loads((RECORDED / f"{name}.json").read_text()):
        headers = {header.lower(): value for header, value in event["headers"].items()}
        body = event["body"].encode() if "body" in event else base64.b64decode(event["body_base64"])
        detector.intake.offer(detector.intake.admit(headers), body)
    while detector.step(100):
        pass
    clock.now += Limits().waiting_seconds
    detector.step(100)
    [(_, state)] = detector.streams.items()
    assert {key: count for key, count in state.outcomes.items() if count} == expected


def test_a_batch_of_the_server_is_taken_apart():
    body = (RECORDED.parents[2] / "schemas" / "examples" / "events" / "direct-batch.json").read_bytes()
    detector = Detector(Limits(), Clock(), lateness=5)
    detector.intake.offer_batch(body)
    while detector.step(100):
        pass
    [(_, state)] = detector.streams.items()
    counted = {outcome: sum(state.outcomes[kind, outcome] for kind in Kind) for outcome in OF_STREAM}
    assert {outcome: count for outcome, count in counted.items() if count} == {
        Outcome.ACCEPTED: 6,
        Outcome.IGNORED: 2,  # a request that the server refused, and its answer
    }
    assert detector.take_predictions()
    assert set(detector.intake.unattributed.values()) == {0}
