from datetime import timedelta
from typing import Any

import pytest

from leeway_drift.labels.feedback import Label
from leeway_drift.labels.joins import Outcome, Predicted, Standing, decide
from leeway_drift.labels.target import Target
from leeway_drift.statistics.performance import Task
from tests.labelling import START

BINARY = Target(Task.BINARY, ("probabilities.0", "probabilities.1"), 0.5)


def predicted(**changed: Any) -> Predicted:
    fields: dict[str, Any] = {
        "key": 1,
        "namespace": "models",
        "model": "flights",
        "version": "1.0.0",
        "slot": "a",
        "event_id": "e1",
        "request_id": "r1",
        "time": START,
        "target": BINARY,
        "scores": (0.5, 0.5),
        "label": None,
    }
    return Predicted(**{**fields, **changed})


def label(value: float = 1.0) -> Label:
    return Label("flights", None, "r1", None, 0, value, None)


def outcome(*fitting: Predicted, value: float = 1.0) -> Outcome:
    return decide(label(value), fitting, START).outcome


def test_a_mirrored_request_was_answered_twice_and_its_label_is_true_of_both():
    decision = decide(label(), [predicted(), predicted(key=2, slot="b", version="2.0.0", event_id="e2")], START)
    assert decision.outcome is Outcome.ACCEPTED
    assert [prediction.version for prediction in decision.predictions] == ["1.0.0", "2.0.0"]


@pytest.mark.parametrize(
    "other",
    [
        {"event_id": "e2"},
        {"slot": "b", "request_id": "r2"},
        {"slot": "b", "request_id": None},
        {"namespace": "staging", "request_id": "r1"},
    ],
    ids=["twice in a slot", "another request", "of unknown requests", "another namespace"],
)
def test_whatever_else_fits_twice_is_ambiguous(other: dict[str, Any]):
    assert outcome(predicted(), predicted(key=2, **other)) is Outcome.AMBIGUOUS


def test_an_ambiguous_label_names_the_newest_candidates_and_changes_none():
    fitting = [predicted(key=key, event_id=f"e{key}", time=START + timedelta(minutes=key)) for key in range(11)]
    decision = decide(label(), fitting, START)
    assert [prediction.key for prediction in decision.predictions] == list(range(10, 0, -1))


@pytest.mark.parametrize("value", [2.0, -1.0, 0.5])
def test_a_label_that_cannot_be_true_says_what_could(value: float):
    decision = decide(label(value), [predicted()], START)
    assert decision.outcome is Outcome.INVALID
    assert "expected the index of a class, an integer from 0 to 1 (version 1.0.0)" in decision.detail


def test_a_later_observation_corrects_and_an_earlier_one_does_not():
    standing = Standing(0.0, observed_at=START, received_at=START)
    hour = timedelta(hours=1)
    assert decide(label(), [predicted(label=standing)], START + hour).outcome is Outcome.CORRECTED
    earlier = decide(label(), [predicted(label=standing)], START - hour)
    assert (earlier.outcome, earlier.detail) == (Outcome.ACCEPTED, "kept, but a later observation stands")


def test_the_same_again_is_no_correction():
    standing = Standing(1.0, observed_at=START, received_at=START)
    assert outcome(predicted(label=standing)) is Outcome.ACCEPTED


def test_nothing_that_fits_is_unknown():
    assert outcome() is Outcome.UNKNOWN
