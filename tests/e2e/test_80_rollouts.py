"""Releases step by step under load, side by side: good versions, faulty ones, a world that changes, no traffic.

All candidates are released at once, and each story waits for its own. Faults are those of a server that tests have.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from releases import FAST, Cast, Part, answers_of, condition, failed, serves_alone, weight
from story import Story

from cluster import demo
from cluster.shell import CommandFailedError
from rollouts.variants import BAD_VERSION, GOOD_VERSION, Variants

_WAITS = {"steps": [{"weight": 20}, {"weight": 50, "hold": "30m"}]}  # until somebody changes something
_PARTS = (
    Part(name="good", rate=15),
    Part(name="errors", fault="errors=0.05", rate=15),
    Part(name="slow", fault="slow=0.2,delay=0.3", rate=8),
    Part(name="flipped", fault="labels=flipped", gates={"labels": {"required": True}}, labels=True),
    Part(name="shuffled", fault="features=shuffled", gates={"labels": {"required": True}}, labels=True, rate=15),
    Part(name="together", rate=10),
    Part(name="quiet", rate=15, idle=True),
    Part(name="mirrored", strategy={"steps": [{"shadow": True, "hold": "10s"}]}, gates={"predictions": {}}, rate=6),
    Part(name="cohorts", strategy={"match": {"header": "x-cohort", "value": "b"}}, labels=True, rate=4),
    Part(name="changed", strategy=_WAITS, rate=4),
)
_FAULTY = {
    "errors": {"Errors"},
    "slow": {"Latency"},
    "flipped": {"Predictions", "Labels"},
    "shuffled": {"Predictions", "Labels"},
}


@pytest.fixture(scope="module")
def cast(story: Story, variants: Variants, samples: list[dict[str, Any]]) -> Iterator[Cast]:
    """All models: each serves the first version under its traffic, and the second one of each is released."""
    with story.installed(FAST), Cast(story, variants, samples, _PARTS) as cast:
        cast.release()
        # The world changes when both versions are there to see it: a tenth of the requests can be answered by neither.
        cast["together"].until(lambda status: weight(status) > 0, what="traffic of the candidate")
        cast["together"].traffic.malformed = 0.1
        yield cast


def test_a_candidate_whose_spec_changes_gives_way_to_the_next_one(cast: Cast) -> None:
    model = cast["changed"]
    model.until(lambda status: weight(status) == 50, what="the last step")
    cast.change("changed", cast.variants.bad)

    ended = model.ended()
    status = model.until(lambda status: weight(status) == 20, what="the first step of the next candidate")
    assert (ended["outcome"], ended["version"]) == ("Superseded", GOOD_VERSION)
    assert status["candidate"]["version"] == BAD_VERSION
    answers_of(model.traffic, {demo.VERSION, BAD_VERSION})

    model.begin()
    cast.change("changed", cast.variants.stable)
    ended = model.ended()
    assert (ended["outcome"], ended["version"]) == ("Withdrawn", BAD_VERSION)
    answers_of(model.traffic, {demo.VERSION})
    assert failed(model.traffic.failures()) == []


def test_a_good_version_is_promoted_step_by_step_without_a_failed_request(cast: Cast) -> None:
    model = cast["good"]

    ended = model.ended()
    assert (ended["outcome"], ended["reason"]) == ("Promoted", "EvidencePassed")
    status = model.status()
    assert [entry["weight"] for entry in status["decisions"] if entry["what"] == "StepAdvanced"] == [50]
    assert serves_alone(status, GOOD_VERSION)
    answers_of(model.traffic, {GOOD_VERSION})
    assert failed(model.traffic.failures()) == []
    assert all(said in model.leeway("why") for said in (GOOD_VERSION, "Promoted", "errors", "latency"))


def test_the_promoted_version_is_undone_within_seconds_and_no_pod_restarts(cast: Cast) -> None:
    model = cast["good"]
    before = model.pods()

    said = model.leeway("undo", "--timeout=20s")
    model.until(lambda status: serves_alone(status, demo.VERSION), seconds=20, what="the undo")
    answers_of(model.traffic, {demo.VERSION}, seconds=15)

    assert demo.VERSION in said
    assert {name: pod for name, pod in model.pods().items() if name in before} == before
    assert [entry["version"] for entry in model.status()["rejected"]] == [GOOD_VERSION]
    assert failed(model.traffic.failures()) == []


@pytest.mark.parametrize("name", _FAULTY)
def test_a_faulty_version_is_rolled_back_and_only_its_own_requests_fail(cast: Cast, name: str) -> None:
    model = cast[name]

    ended = model.ended()
    assert (ended["outcome"], ended["version"]) == ("RolledBack", GOOD_VERSION)
    assert ended["reason"] in _FAULTY[name]
    status = model.until(lambda status: serves_alone(status, demo.VERSION), seconds=20, what="the rollback")
    answers_of(model.traffic, {demo.VERSION})
    assert condition(status, "Ready")["status"] == "True"
    assert condition(status, "Degraded")["status"] == "True"
    assert [entry["version"] for entry in status["rejected"]] == [GOOD_VERSION]
    own = [one for one in model.traffic.failures() if (one.version, one.status) == (GOOD_VERSION, 500)]
    assert bool(own) == (name == "errors")
    assert failed([one for one in model.traffic.failures() if one not in own]) == []


def test_both_versions_getting_worse_together_is_no_reason_to_roll_back(cast: Cast) -> None:
    model = cast["together"]

    def enough(status: dict[str, Any]) -> bool:
        return (status.get("analysis") or {}).get("candidateFailures", 0) >= 40 or model.outcome(status) is not None

    status = model.until(enough, what="forty failed requests of the candidate, or the end")
    ended = model.outcome(status)
    assert ended is None or ended["outcome"] == "Promoted"
    assert failed(model.traffic.failures()) == []


def test_without_traffic_a_release_is_held_and_goes_on_when_there_is_some(cast: Cast) -> None:
    model = cast["quiet"]
    said = model.held("TooFewRequests")
    assert "0 of the 20 requests" in said

    with model.traffic:
        ended = model.ended()
    assert (ended["outcome"], ended["reason"]) == ("Promoted", "EvidencePassed")
    assert failed(model.traffic.failures()) == []


def test_a_mirrored_version_answers_nobody_before_it_is_promoted_on_pairs(cast: Cast) -> None:
    model = cast["mirrored"]

    ended = model.ended()
    assert (ended["outcome"], ended["reason"]) == ("Promoted", "EvidencePassed")
    decided = {entry["what"]: entry for entry in model.status()["decisions"]}
    promoting = datetime.fromisoformat(decided["Promoting"]["time"]).timestamp()
    assert [one for one in model.traffic.answered_by(GOOD_VERSION) if one.time < promoting] == []
    evidence = {entry["gate"]: entry for entry in decided["Promoting"]["evidence"]}
    assert evidence["predictions"]["verdict"] == "Pass"
    assert failed(model.traffic.failures()) == []


def test_a_header_chooses_the_version_and_outcomes_are_reported_until_a_person_decides(cast: Cast) -> None:
    model = cast["cohorts"]
    model.in_phase("Canary")
    bearers = model.requests(rate=5, headers={"x_cohort": "b"}, seed=1)
    with bearers, model.labels(bearers):
        status = model.until(lambda status: _labelled(status) >= 20, what="labels of the candidate's predictions")
        assert status["phase"] == "Canary"
        answers_of(model.traffic, {demo.VERSION})
        answers_of(bearers, {GOOD_VERSION})
        with pytest.raises(CommandFailedError, match="nothing awaits approval"):
            model.leeway("approve")

        model.leeway("promote")
        ended = model.ended()
        answers_of(model.traffic, {GOOD_VERSION})
    assert (ended["outcome"], ended["reason"]) == ("Promoted", "PromotedByCommand")
    assert failed([*model.traffic.failures(), *bearers.failures()]) == []


def _labelled(status: dict[str, Any]) -> float:
    """Predictions of the candidate whose labels are in the evidence."""
    return sum(entry["candidate"]["n"] for entry in status.get("evidence", []) if entry["gate"] == "labels")
