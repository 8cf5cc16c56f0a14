"""The decision, on conclusions made by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_operators.core.advance import ROLLBACK_REASONS, Move, decide, described, shares_traffic
from leeway_operators.core.model import Analysis
from leeway_operators.core.strategy import Match, Step, Strategy, strategy_of
from leeway_operators.evidence.findings import GATES, Conclusion, Finding, GateName, Side, Verdict
from tests.world import defaulted, rollout_schema, spec

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PASSED = Conclusion(required=("errors", "latency"))


def strategy(**changes: object) -> Strategy:
    steps = [{"weight": 5, "hold": "2m"}, {"weight": 25, "hold": "2m"}, {"weight": 50, "hold": "5m"}]
    wished = spec() | {"strategy": {"steps": steps, "minRequests": 100} | changes}
    return strategy_of(defaulted(rollout_schema()["properties"]["spec"], wished))


def analysis(step: int = 0, *, minutes: float = 10, requests: float = 1000) -> Analysis:
    """At a step for some minutes, with so many requests."""
    since = NOW - timedelta(minutes=minutes)
    return Analysis(began=since, step=step, step_since=since, evidence_since=since, step_requests=requests)


def finding(gate: str, verdict: Verdict = "Insufficient") -> Finding:
    return Finding(gate=gate, verdict=verdict, candidate=Side(n=1), stable=Side(n=1), reason=f"{gate} say {verdict}")


def decided(
    at: Analysis,
    conclusion: Conclusion = PASSED,
    *,
    under: Strategy | None = None,
    unavailable: dict[GateName, str] | None = None,
    obstacle: tuple[str, str] | None = None,
    approved: bool = False,
) -> Move:
    return decide(
        under or strategy(),
        at,
        conclusion,
        unavailable=unavailable or {},
        obstacle=obstacle,
        approved=approved,
        now=NOW,
    )


def test_a_step_advances_on_time_requests_and_no_harm() -> None:
    assert decided(analysis(0)).what == "Advance"
    assert decided(analysis(0, minutes=1)).reason == "StepHold"
    assert decided(analysis(0, requests=99)).reason == "TooFewRequests"


def test_too_few_requests_is_said_with_its_numbers() -> None:
    assert decided(analysis(0, requests=7)).message == "it got 7 of the 100 requests that this step needs"


def test_what_is_not_there_yet_when_counting_begins_is_awaited_and_holds_only_later() -> None:
    for seconds, what in ((59, "Wait"), (60, "Hold")):
        new = replace(analysis(0, requests=0), evidence_since=NOW - timedelta(seconds=seconds))
        assert (decided(new).what, decided(new).reason) == (what, "TooFewRequests")
        unseen = decided(new, unavailable={"errors": "pod b is in no metric yet"})
        assert (unseen.what, unseen.reason, unseen.message) == (what, "EvidenceMissing", "pod b is in no metric yet")


def test_an_early_step_asks_for_no_pass_and_the_last_one_for_every_one() -> None:
    pending = Conclusion(
        findings=(finding("errors", "Pass"), finding("latency")),
        required=("errors", "latency"),
        missing=("latency",),
    )
    assert decided(analysis(1), pending).what == "Advance"
    last = decided(analysis(2), pending)
    assert (last.what, last.reason, last.message) == ("Wait", "EvidencePending", "latency say Insufficient")
    assert decided(analysis(2)).what == "Promote"


@pytest.mark.parametrize(("gate", "reason"), ROLLBACK_REASONS.items())
def test_harm_rolls_back_at_any_step_whatever_else_is_wrong(gate: GateName, reason: str) -> None:
    harmed = Conclusion(findings=(finding(gate, "Fail"),), harm=gate, broken=("InputsDiffer", "they differ"))
    for step in range(3):
        move = decided(analysis(step, minutes=0, requests=0), harmed, obstacle=("PodsPending", "one is missing"))
        assert (move.what, move.reason, move.message) == ("RollBack", reason, f"{gate} say Fail")


def test_faulty_data_blames_whoever_routes_it() -> None:
    move = decided(analysis(2), Conclusion(findings=(finding("dataQuality", "Fail"),), harm="dataQuality"))
    assert (move.what, move.reason) == ("Hold", "DataQualityDiffers")


def test_arms_that_cannot_be_compared_hold() -> None:
    move = decided(analysis(2), replace(PASSED, broken=("SampleRatioMismatch", "41 % instead of 50 %")))
    assert (move.what, move.reason, move.message) == ("Hold", "SampleRatioMismatch", "41 % instead of 50 %")


def test_missing_evidence_of_a_required_gate_holds_early_steps_too() -> None:
    move = decided(analysis(0), unavailable={"errors": "Prometheus is down", "latency": "Prometheus is down"})
    assert (move.what, move.reason, move.message) == ("Hold", "EvidenceMissing", "Prometheus is down")


def test_missing_evidence_of_a_gate_that_is_not_required_holds_nothing() -> None:
    assert decided(analysis(0), unavailable={"labels": "no labels"}).what == "Advance"
    named = strategy(analysis={"gates": {"predictions": {}}})
    held = decided(analysis(0), under=named, unavailable={"predictions": "no detector"})
    assert (held.what, held.message) == ("Hold", "no detector")


def test_the_deadline_counts_from_the_first_step() -> None:
    late = replace(analysis(2), began=NOW - timedelta(hours=24))
    assert decided(late).reason == "DeadlineExceeded"
    assert decided(late).what == "Hold"
    assert decided(late, under=strategy(analysis={"onDeadline": "Rollback"})).what == "RollBack"


def test_a_person_approves_what_has_passed_and_nothing_else() -> None:
    asked = strategy(approval={"required": True})
    assert decided(analysis(2), under=asked).reason == "AwaitingApproval"
    assert decided(analysis(2), under=asked, approved=True).what == "Promote"
    pending = Conclusion(required=("errors",), missing=("errors",))
    assert decided(analysis(2), pending, under=asked, approved=True).what == "Wait"


def test_a_comparison_by_header_is_never_promoted_by_itself() -> None:
    by_header = replace(strategy(steps=[]), match=Match(header="x-group", value="b"))
    move = decided(analysis(0), under=by_header)
    assert (move.what, move.reason) == ("Wait", "Comparing")
    assert not shares_traffic(by_header, analysis(0))


def test_a_shadow_step_shares_no_traffic() -> None:
    shadow = replace(strategy(), steps=(Step(weight=0, hold=timedelta(0), shadow=True),))
    assert not shares_traffic(shadow, analysis(0))
    assert shares_traffic(strategy(), analysis(1))
    assert described(shadow, analysis(0)).startswith("step 1 of 1: all traffic is mirrored to it")


def test_only_the_gates_that_must_pass_are_said_to_be_awaited() -> None:
    seen = replace(analysis(1), findings=(finding("errors"), finding("labels"), finding("latency", "Pass")))
    assert described(strategy(), seen).endswith("; undecided: errors")


def test_steps_that_were_taken_away_make_the_last_one_count() -> None:
    shorter = strategy(steps=[{"weight": 5}])
    pending = Conclusion(required=("errors",), missing=("errors",))
    assert decided(analysis(2), pending, under=shorter).what == "Wait"
    assert described(shorter, analysis(2)).startswith("step 1 of 1: 5 % of the traffic")


GATE = st.sampled_from(GATES)
CONCLUSIONS = st.builds(
    Conclusion,
    findings=st.just(()),
    required=st.lists(GATE, unique=True).map(tuple),
    harm=st.none() | GATE,
    broken=st.none() | st.just(("InputsDiffer", "they differ")),
    missing=st.lists(GATE, unique=True).map(tuple),
)


PLACES = st.builds(analysis, st.integers(0, 9), minutes=st.floats(0, 3000), requests=st.floats(0, 1e6))
WORLDS = st.fixed_dictionaries(
    {
        "unavailable": st.dictionaries(GATE, st.just("gone")),
        "obstacle": st.none() | st.just(("ImagePullBackOff", "no such image")),
        "approved": st.booleans(),
    }
)


@given(at=PLACES, conclusion=CONCLUSIONS, around=WORLDS)
def test_only_what_passes_everything_moves_forward(
    at: Analysis, conclusion: Conclusion, around: dict[str, Any]
) -> None:
    move = decided(at, conclusion, **around)
    if move.what in {"Advance", "Promote"}:
        assert conclusion.harm is None
        assert conclusion.broken is None
        assert around["obstacle"] is None
        assert not {"errors", "latency"} & set(around["unavailable"])
        assert at.step_requests >= 100
        assert NOW - at.step_since >= timedelta(minutes=5 if at.step >= 2 else 2)
    if move.what == "Promote":
        assert at.step >= 2
        assert conclusion.passes
    if conclusion.harm in ROLLBACK_REASONS:
        assert move.what == "RollBack"
