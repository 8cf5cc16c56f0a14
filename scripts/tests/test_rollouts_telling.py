"""A rollout is told once, line by line, from the statuses it went through."""

from typing import Any

from rollouts.telling import Story, attempts, evidence, outcome

STABLE = {
    "phase": "Stable",
    "stable": {"version": "1.0.0"},
    "history": [
        {"number": 1, "version": "1.0.0", "outcome": "Promoted", "reason": "Verified", "time": "2026-01-01T09:00:00Z"}
    ],
}
FINDING = {
    "gate": "errors",
    "verdict": "Insufficient",
    "candidate": {"n": 120, "mean": 0.05},
    "stable": {"n": 1080, "mean": 0.01},
    "estimate": 0.04,
    "lower": -0.01,
    "upper": 0.09,
    "margin": 0.01,
    "reason": "more requests are needed",
}
UNKNOWN = {
    "gate": "labels",
    "verdict": "Insufficient",
    "candidate": {"n": 0},
    "stable": {"n": 0},
    "reason": "no labels",
}


def _canary(**changes: Any) -> dict[str, Any]:
    step = {"time": "2026-01-01T10:00:30Z", "what": "Step", "weight": 10, "why": "the route follows"}
    return {
        **STABLE,
        "phase": "Canary",
        "candidate": {"version": "1.1.0", "weight": 10},
        "decisions": [step],
        "evidence": [FINDING, UNKNOWN],
        **changes,
    }


def test_a_step_is_told_with_its_evidence_and_only_once() -> None:
    story = Story(STABLE)

    assert list(story.lines(_canary())) == [
        "Canary: 1.1.0 beside 1.0.0",
        "10:00:30   10 %  Step: the route follows",
        f"{'':15}errors       Insufficient 0.0500 of 120 vs 0.0100 of 1080 +0.0400 [-0.0100, +0.0900], margin 0.0100",
        f"{'':15}labels       Insufficient - of 0 vs - of 0             no labels",
    ]
    assert list(story.lines(_canary())) == []


def test_a_hold_is_told_when_it_begins_and_when_its_reason_changes() -> None:
    story = Story(STABLE)
    list(story.lines(_canary()))
    held = _canary(analysis={"held": {"reason": "NoTraffic", "message": "no request in 5 minutes"}})

    assert list(story.lines(held)) == ["held, NoTraffic: no request in 5 minutes"]
    assert list(story.lines(held)) == []
    assert list(story.lines(_canary())) == []


def test_the_end_is_told_by_the_record_of_the_attempt() -> None:
    story = Story(STABLE)
    record = {
        "number": 2,
        "version": "1.1.0",
        "outcome": "RolledBack",
        "reason": "Errors",
        "time": "2026-01-01T10:02:00Z",
    }
    ended = {**STABLE, "history": [record, *STABLE["history"]]}

    assert list(story.lines(ended)) == ["10:02:00  1.1.0 RolledBack (Errors)"]
    assert list(story.lines(ended)) == []
    assert outcome(ended, after=attempts(STABLE)) == record
    assert outcome(STABLE, after=attempts(STABLE)) is None


def test_what_was_there_before_is_not_told() -> None:
    assert list(Story(_canary()).lines(_canary())) == []
    assert list(Story({}).lines({})) == []


def test_a_gate_without_numbers_is_told_by_its_reason() -> None:
    assert next(evidence({"evidence": [UNKNOWN]})).endswith("no labels")
