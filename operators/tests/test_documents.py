"""The status: what is written is what is remembered, and what somebody broke by hand is forgotten by name."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway_operators.core.documents import required_by, status_document, status_of, unreadable, verdict_of
from leeway_operators.core.model import (
    OUTCOME_REASONS,
    PHASES,
    SLOTS,
    Analysis,
    Arm,
    Command,
    Condition,
    Decision,
    Followed,
    LastCommand,
    Outcome,
    Promoting,
    Record,
    Rejected,
    Release,
    Status,
    Weights,
    other,
)
from leeway_operators.core.served import Run
from leeway_operators.evidence.findings import GATES, Finding, Side, Verdict
from leeway_operators.evidence.ticks import Moments
from tests.rollouts import ERRORS, LABELS, LATENCY, body, canary, rejected, rollout
from tests.world import World, rollout_schema

SCHEMA = jsonschema.Draft202012Validator(rollout_schema()["properties"]["status"])

words = st.text(min_size=1, max_size=12)
numbers = st.floats(-1e6, 1e6)
times = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 given one
    lambda time: time.replace(microsecond=0)
)
counts = st.integers(0, 10**9)
json_objects = st.dictionaries(words, st.none() | numbers | words | st.lists(numbers, max_size=3), max_size=3)
releases = st.builds(Release, version=words, revision=words, storage_uri=words, digest=st.none() | words)
arms = st.builds(Arm, slot=st.sampled_from(SLOTS), release=releases, since=times)
sides = st.builds(Side, n=st.floats(0, 1e9), mean=st.none() | numbers)
commands = st.builds(Command, id=words, verb=words, revision=st.none() | words, by=words, at=times)


def findings(**kept: st.SearchStrategy[Any]) -> st.SearchStrategy[Finding]:
    """Findings; `kept` is what is written of them besides."""
    known = {name: st.none() | numbers for name in ("estimate", "lower", "upper", "margin")}
    verdicts = st.sampled_from(get_args(Verdict))
    return st.builds(
        Finding, gate=st.sampled_from(GATES), verdict=verdicts, candidate=sides, stable=sides, **known, **kept
    )


full = st.lists(findings(reason=words, progress=st.none() | numbers), max_size=3).map(tuple)
short = st.lists(findings(reason=st.just(""), progress=st.none()), max_size=3).map(tuple)
decisions = st.builds(Decision, time=times, what=words, weight=st.integers(0, 100), why=words, findings=short)
moments = st.builds(Moments, n=st.floats(0, 20), sum=st.floats(0, 20), sumsq=st.floats(0, 20))
seconds = times.map(datetime.timestamp)
runs = st.builds(Run, begin=seconds, end=seconds, waiting=st.tuples(moments, moments))
analyses = st.builds(
    Analysis,
    began=times,
    step=st.integers(0, 20),
    step_since=times,
    step_requests=st.floats(0, 1e9),
    evidence_since=st.none() | times,
    runs=st.lists(runs, max_size=2).map(tuple),
    looked=st.none() | times,
    experiment=st.none() | json_objects,
    counters=json_objects,
    epoch=st.none() | words,
    cursor=st.just("") | words,
    threshold=st.none() | st.floats(0.001, 10),
    candidate_requests=st.floats(0, 1e9),
    candidate_failures=st.floats(0, 1e9),
    held=st.none() | st.tuples(words, words),
    findings=full,
)
endings = st.sampled_from([(outcome, reason) for outcome, reasons in OUTCOME_REASONS.items() for reason in reasons])


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A finished attempt."""
    ending: tuple[Outcome, str] = draw(endings)
    return Record(
        number=draw(counts),
        version=draw(words),
        revision=draw(words),
        slot=draw(st.sampled_from(SLOTS)),
        outcome=ending[0],
        reason=ending[1],
        time=draw(times),
    )


conditions = st.builds(
    Condition, type=words, status=st.booleans(), reason=words, message=words, generation=counts, time=times
)
rejections = st.builds(Rejected, version=words, revision=words, digest=st.none() | words, reason=words, time=times)
answers = st.builds(
    LastCommand, command=commands, outcome=st.sampled_from(["Done", "Refused"]), message=words, time=times
)


def _sound(status: Status) -> Status:
    """Nobody is in stable's slot but stable, and only a candidate is promoted."""

    def beside(arm: Arm | None) -> Arm | None:
        return replace(arm, slot=other(status.stable.slot)) if arm is not None and status.stable is not None else arm

    changes: dict[str, Any] = {name: beside(getattr(status, name)) for name in ("candidate", "previous", "leaving")}
    changes["promoting"] = status.promoting if status.candidate is not None else None
    return replace(status, **changes)


statuses = st.builds(
    Status,
    phase=st.sampled_from(PHASES),
    generation=counts,
    stable=st.none() | arms,
    candidate=st.none() | arms,
    previous=st.none() | arms,
    leaving=st.none() | arms,
    promoting=st.none() | st.sampled_from(get_args(Promoting)),
    weights=st.integers(0, 100).map(lambda share: Weights(a=share, b=100 - share)),
    route=st.none() | st.builds(Followed, generation=counts, since=times),
    history=st.lists(records(), max_size=2).map(tuple),
    conditions=st.lists(conditions, max_size=2, unique_by=lambda item: item.type).map(tuple),
    analysis=st.none() | analyses,
    decisions=st.lists(decisions, max_size=2).map(tuple),
    rejected=st.lists(rejections, max_size=2).map(tuple),
    last_command=st.none() | answers,
    paused_by=st.none() | commands,
    approved=st.none() | words,
    probation_until=st.none() | times,
).map(_sound)


@settings(max_examples=60, deadline=None)
@given(statuses)
def test_what_is_written_is_what_is_remembered(status: Status) -> None:
    value = json.loads(json.dumps(status_document(status), allow_nan=False))
    SCHEMA.validate(value)
    assert status_of({"status": value}) == status
    assert unreadable({"status": value}) == ()


def test_every_field_that_is_written_has_a_place_in_the_kind() -> None:
    """The API server drops what the schema does not list, and says nothing."""
    full = canary(ERRORS, LATENCY, LABELS, paused_by=None)
    for status in (full, rejected()):
        _assert_listed(status_document(status), rollout_schema()["properties"]["status"], "status")


def _assert_listed(value: Any, schema: dict[str, Any], path: str) -> None:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            assert key in schema["properties"], f"{path}.{key}"
            _assert_listed(item, schema["properties"][key], f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            _assert_listed(item, schema["items"], f"{path}[]")


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ({"phase": "Flying"}, "status.phase: one of Pending, Deploying"),
        ({"observedGeneration": "2"}, "status.observedGeneration: a number, 0 or more, expected, not '2'"),
        ({"candidate": {"slot": "c"}}, "status.candidate.slot: one of a, b expected, not 'c'"),
        ({"candidate": "version 2"}, "status.candidate: an object expected, not 'version 2'"),
        ({"weights": {"a": 80, "b": 80}}, "status.weights: at most 100 % in sum expected, not 80 and 80"),
        ({"history": {"0": {}}}, "status.history: a list expected"),
        ({"decisions": [{"time": "noon"}]}, "status.decisions[0].time: a time such as"),
        ({"evidence": [{"gate": "errors"}]}, "status.evidence[0].verdict: one of Pass, Fail, Insufficient expected"),
        ({"probationUntil": "2026-01-31T12:00:00"}, "status.probationUntil: a time such as"),
        ({"pausedBy": {"verb": "pause"}}, "status.pausedBy.id: a string expected, it is missing"),
        ({"analysis": {"began": True}}, "status.analysis.began: a string expected, not 'True'"),
    ],
)
def test_a_part_that_was_broken_by_hand_is_forgotten_and_nothing_else(broken: dict[str, Any], complaint: str) -> None:
    whole = body(canary(LATENCY))
    whole["status"] |= broken
    (said,) = unreadable(whole)
    assert complaint in said
    assert status_of(whole).stable == canary().stable
    assert status_of(whole).conditions == canary().conditions


def test_weights_that_cannot_be_read_are_all_on_stable() -> None:
    whole = body(canary())
    whole["status"]["weights"] = "half"
    assert status_of(whole).weights == Weights.all_on("a")


def test_a_status_that_is_no_object_is_forgotten() -> None:
    assert status_of({"status": "lost"}) == Status()
    assert unreadable({"status": "lost"}) == ("status: an object expected, not 'lost'",)


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=4))
def test_nothing_that_somebody_writes_into_a_status_stops_the_operator(junk: Any) -> None:
    whole = body(canary(LATENCY))
    for key in whole["status"]:
        assert isinstance(status_of({"status": whole["status"] | {key: junk}}), Status)


def test_a_number_that_is_none_is_not_written() -> None:
    """JSON has no NaN, and what is not known is not 0."""
    strange = Finding(
        gate="errors",
        verdict="Insufficient",
        candidate=Side(n=1, mean=math.nan),
        stable=Side(n=1),
        upper=math.inf,
        reason="?",
    )
    (found,) = status_of(body(canary(strange))).analysis.findings  # type: ignore[union-attr] # it has one
    assert (found.candidate.mean, found.upper) == (None, None)


def test_the_verdict_is_that_of_the_worst_gate_that_counts() -> None:
    required = required_by(rollout())
    passed = Finding(gate="latency", verdict="Pass", candidate=Side(n=9), stable=Side(n=9), reason="")
    assert verdict_of((), required) is None
    assert verdict_of((LATENCY, ERRORS, LABELS), required) == "Fail: errors"
    assert verdict_of((LATENCY, LABELS), required) == "Insufficient: latency"
    assert (
        verdict_of((LATENCY, LABELS), required_by(rollout(analysis={"gates": {"labels": {"required": True}}})))
        == "Insufficient: latency, labels"
    )
    assert verdict_of((passed, LABELS), required) == "Pass"


def test_the_operator_says_what_it_has_forgotten(world: World) -> None:
    world.status["phase"] = "Flying"
    world.settle(1)
    assert world.status["phase"] == "Stable"
    assert world.events().count("StatusForgotten") == 1
