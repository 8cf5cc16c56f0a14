"""Stories of what changes in the middle of a rollout: strategy, status, route, clock."""

from leeway_operators.shell import api
from tests.stories import LONG, finish, release, until
from tests.world import NAME, NAMESPACE, World


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
