"""Stories of what changes in the middle of a rollout: strategy, status, route, clock."""

from datetime import timedelta

import pytest

from leeway_operators.core import documents
from leeway_operators.core.evidence import Evidence, Question
from leeway_operators.core.model import Rollout
from leeway_operators.core.seen import Seen
from leeway_operators.shell import api
from leeway_operators.shell.reconcile import Reconciler
from tests.stories import LONG, finish, release, until
from tests.world import NAME, NAMESPACE, World, digest, spec


def test_a_release_that_is_rejected_stays_so_when_the_spec_comes_back_to_it(busy: World) -> None:
    busy.errors["2"] = 0.2
    release(busy)
    finish(busy)
    release(busy, "1")
    busy.settle(5)
    assert busy.condition("Degraded")["status"] == "False"
    release(busy, "2")
    busy.settle(20)
    assert busy.condition("Progressing")["reason"] == "Rejected"
    assert busy.shares()["a"] == 100


def test_a_status_edited_by_hand_begins_the_evidence_anew(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.settle(20)
    busy.status["analysis"]["experiment"] = {"nonsense": True}
    busy.settle(4)
    assert "EvidenceLost" in busy.events()
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


def test_steps_that_are_taken_away_leave_the_last_one_to_be_proven(busy: World) -> None:
    release(busy)
    for _ in range(2 * LONG):
        busy.settle(1)
        if busy.shares().get("b") == 50:
            break
    release(busy, steps=[{"weight": 10}])
    busy.settle(4)
    assert busy.shares() == {"a": 90, "b": 10}
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


def test_a_clock_that_goes_backwards_delays_and_decides_nothing(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.settle(5)
    busy.now = busy.now.replace(year=2025)
    busy.settle(3)
    assert busy.shares() == {"a": 90, "b": 10}
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


def test_evidence_of_a_route_that_somebody_has_changed_is_dropped(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.settle(8)
    assert "evidenceSince" in busy.status["analysis"]
    counted = busy.status["analysis"]["candidateRequests"]
    for reference in busy.objects[api.ROUTES, NAME]["spec"]["rules"][0]["backendRefs"]:
        reference["weight"] = 50
    busy.tick()
    busy.operator().reconcile(NAMESPACE, NAME)
    assert busy.shares() == {"a": 90, "b": 10}
    assert "evidenceSince" not in busy.status["analysis"]
    assert busy.status["analysis"]["candidateRequests"] == counted


def test_a_status_without_its_stable_version_promotes_nothing(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.tick()
    del busy.status["stable"]
    busy.operator().reconcile(NAMESPACE, NAME)
    assert busy.status["stable"]["version"] == "1"
    assert busy.shares()["b"] <= 10


def test_another_share_in_the_strategy_begins_the_step_anew(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.settle(6)
    assert busy.status["analysis"]["stepRequests"] > 0
    release(busy, steps=[{"weight": 20, "hold": "1m"}, {"weight": 50, "hold": "1m"}])
    busy.settle(1)
    assert busy.shares() == {"a": 80, "b": 20}
    assert busy.status["analysis"]["stepRequests"] == 0
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


def test_a_strategy_without_steps_any_more_asks_for_no_more_evidence(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.settle(3)
    release(busy, steps=[])
    finish(busy)
    assert busy.status["stable"]["version"] == "2"
    assert busy.status["history"][0]["reason"] == "Verified"


def test_of_a_lost_status_the_version_that_the_spec_names_is_the_unproven_one(busy: World) -> None:
    busy.release(spec("2"))
    busy.settle()
    busy.tick(4000)
    busy.settle(8)
    release(busy, "3", steps=[{"weight": 80}])
    while busy.shares().get("a") != 80:
        busy.settle(1)
    del busy.body["status"]
    busy.operator().reconcile(NAMESPACE, NAME)
    assert busy.status["stable"]["version"] == "2"
    assert busy.shares() == {"a": 0, "b": 100}
    assert busy.status["candidate"]["version"] == "3"


@pytest.mark.parametrize("role", ["candidate", "previous", "leaving"])
def test_a_status_that_puts_another_role_where_stable_serves_forgets_that_role(busy: World, role: str) -> None:
    release(busy)
    until(busy, "Canary")
    busy.status[role] = busy.status["candidate"] | {"slot": "a"}
    (complaint,) = documents.unreadable(busy.body)
    assert complaint == f"status.{role}.slot: not a expected, where the stable version serves"
    busy.settle(3)
    assert busy.served("a") == {("1", digest("1"))}


def test_a_promotion_that_was_written_by_hand_promotes_nothing(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.status["promoting"] = "BecauseISaySo"
    busy.settle(3)
    assert busy.shares() == {"a": 90, "b": 10}
    # Nor does one whose candidate is gone promote the next.
    busy.status["promoting"] = "EvidencePassed"
    del busy.status["candidate"]
    busy.settle(3)
    assert busy.status["stable"]["version"] == "1"
    finish(busy)
    assert busy.status["history"][0]["reason"] == "EvidencePassed"


def test_a_clock_that_was_years_ahead_keeps_no_version_warm_for_years(busy: World) -> None:
    busy.now = busy.now.replace(year=2030)
    busy.release(spec("2"))
    busy.settle()
    busy.now = busy.now.replace(year=2026, month=2)
    busy.settle(4)
    assert busy.status["previous"]["version"] == "1"
    busy.now += timedelta(hours=2)
    busy.settle(4)
    assert "previous" not in busy.status


def test_counts_that_were_to_begin_years_ahead_begin_now(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.settle(6)
    busy.status["analysis"]["evidenceSince"] = "2030-01-01T00:00:00Z"
    del busy.status["analysis"]["looked"]
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


def test_a_release_that_comes_during_a_look_is_not_overlooked(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.settle(6)
    remembered = dict(busy.status)

    def sources(rollout: Rollout, question: Question, seen: Seen) -> Evidence:
        release(busy, "3")
        return busy.sources(rollout, question, seen)

    operator = Reconciler(busy, busy, lambda: busy.now, None, "operator-0", sources=sources)
    with pytest.raises(api.StaleError):
        operator.reconcile(NAMESPACE, NAME)
    assert busy.status == remembered
    finish(busy)
    outcomes = [(entry["version"], entry["outcome"]) for entry in busy.status["history"][:2]]
    assert outcomes == [("3", "Promoted"), ("2", "Superseded")]


def test_a_hold_is_written_once_an_interval_however_often_it_is_looked_at(busy: World) -> None:
    release(busy, steps=[{"weight": 10, "hold": "30m"}], analysis={"interval": "10s"})
    until(busy, "Canary")
    busy.settle(10)
    for rate in (50, 0):
        busy.rate = rate
        busy.settle(30)
        busy.writes.clear()
        for _ in range(30):
            busy.operator().reconcile(NAMESPACE, NAME)
            busy.tick(2)
        assert busy.writes == [("status", "modelrollouts")] * 6
