"""Stories of a release that takes the traffic step by step."""

from typing import Any

import pytest

from leeway_operators.core import commands
from leeway_operators.core.model import Command, Word
from leeway_operators.shell import api
from tests.world import NAME, NAMESPACE, World, digest, spec

STRATEGY: dict[str, Any] = {
    "steps": [{"weight": 10, "hold": "1m"}, {"weight": 50, "hold": "1m"}],
    "minRequests": 100,
    "analysis": {"interval": "5s"},
    "probation": {"duration": "0s"},
}
LONG = 50
"""Looks, five seconds apart, in which anything would have moved that may."""


def release(world: World, version: str = "2", **strategy: Any) -> None:
    world.release(spec(version) | {"strategy": STRATEGY | strategy})


def finish(world: World) -> None:
    """Let operator and cluster take turns until nothing is under way any more."""
    until(world, "Stable", start=3)
    world.settle(3)


def until(world: World, phase: str, looks: int = 200, start: int = 0) -> None:
    """Let operator and cluster take turns until a phase."""
    for look in range(looks):
        world.operator().reconcile(NAMESPACE, NAME)
        if world.status["phase"] == phase and look >= start:
            return
        world.tick()
    raise AssertionError(f"never {phase}: {world.status['phase']}, {world.condition('Progressing')}")


def command(world: World, verb: str, number: int = 1, revision: str | None = None) -> None:
    """A person's command, executed at the next look."""
    asked = Command(id=f"{verb}-{number}", verb=verb, revision=revision, by="jane", at=world.now)
    world.body["metadata"].setdefault("annotations", {}).update(commands.annotation_of(asked))
    world.operator().reconcile(NAMESPACE, NAME)


@pytest.fixture
def busy(world: World) -> World:
    """Version 1 serves fifty requests a second."""
    world.rate = 50
    return world


def test_a_good_version_takes_the_steps_and_then_all_traffic(busy: World) -> None:
    shares = []
    busy.on_write = lambda world: shares.append(world.shares().get("b", 0))
    release(busy)
    finish(busy)
    assert busy.status["stable"]["version"] == "2"
    assert [share for index, share in enumerate(shares) if index == 0 or share != shares[index - 1]] == [0, 10, 50, 100]
    assert busy.status["history"][0]["reason"] == "EvidencePassed"
    assert busy.events()[2:] == ["Deploying", "Verified", "StepAdvanced", "Promoting", "Promoted"]


def test_a_version_that_fails_requests_loses_its_traffic_and_is_not_tried_again(busy: World) -> None:
    busy.errors["2"] = 0.2
    release(busy)
    until(busy, "RollingBack")
    assert busy.shares() == {"a": 100, "b": 0}
    assert busy.served("b") == {("2", digest("2"))}, "the gateway may still send requests there"
    finish(busy)
    assert busy.served("b") == set()
    assert busy.status["phase"] == "Stable"
    assert busy.status["history"][0]["outcome"] == "RolledBack"
    assert busy.status["history"][0]["reason"] == "Errors"
    assert busy.condition("Ready")["status"] == "True"
    assert busy.condition("Degraded")["reason"] == "Errors"
    assert busy.condition("Progressing")["reason"] == "Rejected"
    assert busy.events().count("RolledBack") == 1


def test_a_slow_version_is_rolled_back_for_its_latency(busy: World) -> None:
    busy.slow["2"] = 0.5
    release(busy)
    finish(busy)
    assert busy.status["history"][0]["reason"] == "Latency"


def test_what_befalls_both_versions_rolls_nothing_back(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.errors.update({"1": 0.1, "2": 0.1})
    busy.settle(60)
    assert "RolledBack" not in busy.events()
    assert busy.status["candidate"]["version"] == "2"


def test_without_traffic_nothing_advances_and_with_it_the_release_finishes(busy: World) -> None:
    busy.rate = 0
    release(busy)
    busy.settle(LONG)
    assert busy.status["phase"] == "Held"
    assert busy.condition("Progressing")["reason"] in {"TooFewRequests", "EvidenceMissing"}
    assert busy.shares() == {"a": 90, "b": 10}
    busy.rate = 50
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


def test_without_prometheus_it_holds_with_the_reason_and_goes_on_when_it_is_back(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.prometheus_up = False
    busy.settle(LONG)
    assert busy.status["phase"] == "Held"
    assert "Prometheus at prometheus.example gave no answer" in busy.condition("Progressing")["message"]
    assert busy.shares() == {"a": 90, "b": 10}
    busy.prometheus_up = True
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


def test_it_starts_with_prometheus_down_and_holds(busy: World) -> None:
    busy.prometheus_up = False
    release(busy)
    until(busy, "Held")
    assert busy.condition("Progressing")["reason"] == "EvidenceMissing"


def test_no_count_belongs_to_a_step_before_the_gateway_has_followed(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.gateway_up = False
    busy.settle(LONG)
    assert busy.condition("Progressing")["reason"] in {"GatewayPending", "Comparing"}
    assert "Promoted" not in busy.events()[2:]


def test_a_candidate_whose_pods_are_gone_has_no_traffic_until_it_is_verified_again(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    place = spec("2")["model"]["storageUri"]
    good = busy.images[place]
    busy.images[place] = Word(error="out of memory")
    busy.tick()
    busy.settle(3)
    assert busy.shares() == {"a": 100, "b": 0}
    assert busy.status["phase"] == "Held"
    assert busy.condition("Progressing")["reason"] == "CandidateLost"
    busy.images[place] = good
    finish(busy)
    assert busy.status["stable"]["version"] == "2"
    assert [event for event in busy.events() if event in {"Held", "Resumed"}] == ["Held", "Resumed"]


def test_a_newer_release_begins_anew_once_the_one_before_is_drained(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    release(busy, "3")
    busy.settle(2)
    assert busy.shares() == {"a": 100, "b": 0}
    assert busy.served("b") == {("2", digest("2"))}
    finish(busy)
    assert busy.status["stable"]["version"] == "3"
    outcomes = [(entry["version"], entry["outcome"], entry["number"]) for entry in busy.status["history"][:2]]
    assert outcomes == [("3", "Promoted", 3), ("2", "Superseded", 2)]


def test_a_rejected_release_is_tried_again_after_retry(busy: World) -> None:
    busy.errors["2"] = 0.2
    release(busy)
    finish(busy)
    busy.errors.clear()
    command(busy, "retry")
    assert busy.status["lastCommand"]["outcome"] == "Done"
    finish(busy)
    assert busy.status["stable"]["version"] == "2"
    assert busy.condition("Degraded")["status"] == "False"


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


def test_pause_keeps_the_step_and_resume_goes_on(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    command(busy, "pause")
    busy.settle(LONG)
    assert busy.status["phase"] == "Paused"
    assert busy.shares() == {"a": 90, "b": 10}
    command(busy, "resume")
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


def test_a_paused_candidate_that_does_harm_is_rolled_back_all_the_same(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    command(busy, "pause")
    busy.errors["2"] = 0.2
    busy.settle(100)
    assert busy.status["history"][0]["reason"] == "Errors"


def test_a_freeze_holds_a_release_back_and_lets_an_undo_through(busy: World) -> None:
    world = busy
    world.release(spec("2"))
    world.settle()
    world.frozen = "year-end closing"
    release(world, "3")
    world.settle(50)
    assert world.status["phase"] == "Paused"
    assert "year-end closing" in world.condition("Progressing")["message"]
    assert world.status["stable"]["version"] == "2"
    world.release(spec("1"))
    world.settle(3)
    assert world.status["stable"]["version"] == "1"


def test_promote_skips_the_rest_of_the_analysis(busy: World) -> None:
    busy.rate = 0
    release(busy)
    until(busy, "Canary")
    command(busy, "promote")
    busy.settle(5)
    assert busy.status["stable"]["version"] == "2"
    assert busy.status["history"][0]["reason"] == "PromotedByCommand"


def test_abort_takes_the_traffic_back_and_rejects(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    command(busy, "abort")
    assert busy.shares() == {"a": 100, "b": 0}
    finish(busy)
    assert busy.status["history"][0]["reason"] == "AbortedByCommand"
    assert [entry["version"] for entry in busy.status["rejected"]] == ["2"]


def test_undo_takes_the_traffic_back_in_one_look_and_rejects_what_served(busy: World) -> None:
    busy.release(spec("2"))
    busy.settle()
    busy.writes.clear()
    command(busy, "undo")
    assert busy.shares() == {"a": 100, "b": 0}
    assert ("apply", "inferenceservices") not in busy.writes
    busy.settle(50)
    assert busy.status["stable"]["version"] == "1"
    assert busy.status["history"][0]["reason"] == "UndoneByCommand"
    assert busy.condition("Progressing")["reason"] == "Rejected"
    assert busy.served("b") == set()


def test_a_command_is_executed_once_and_one_for_another_attempt_is_refused(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    command(busy, "abort", revision="0123456789")
    assert busy.status["lastCommand"]["outcome"] == "Refused"
    assert busy.status["candidate"]["version"] == "2"
    busy.settle(3)
    assert busy.events().count("CommandRefused") == 1


def test_an_annotation_that_is_no_command_is_refused_once(world: World) -> None:
    world.body["metadata"]["annotations"] = {commands.ANNOTATION: "promote!"}
    world.settle(3)
    assert world.events().count("CommandRefused") == 1
    world.writes.clear()
    world.settle(2)
    assert world.writes == []


def test_a_restart_touches_each_slot_that_serves_once(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    command(busy, "restart")
    for slot in ("a", "b"):
        predictor = busy.objects[api.INFERENCE_SERVICES, f"{NAME}-{slot}"]["spec"]["predictor"]
        assert predictor["annotations"] == {"leeway.dev/restartedAt": busy.now.strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert busy.writes.count(("merge", "inferenceservices")) == 2
    busy.settle(5)
    assert busy.writes.count(("merge", "inferenceservices")) == 2


def test_approval_is_waited_for_after_every_gate_passes(busy: World) -> None:
    release(busy, approval={"required": True})
    until(busy, "AwaitingApproval")
    busy.settle(20)
    assert busy.shares() == {"a": 50, "b": 50}
    command(busy, "approve")
    busy.settle(20)
    assert busy.status["stable"]["version"] == "2"


@pytest.mark.parametrize(("on_deadline", "phase"), [("Hold", "Held"), ("Rollback", "RollingBack")])
def test_the_deadline_holds_or_rolls_back(busy: World, on_deadline: str, phase: str) -> None:
    busy.rate = 1
    release(busy, analysis={"interval": "5s", "deadline": "3m", "onDeadline": on_deadline})
    until(busy, phase, 60)
    busy.settle(20)
    assert busy.status["stable"]["version"] == "1"


def test_a_harmful_version_in_probation_gives_the_traffic_back(busy: World) -> None:
    release(busy, probation={"duration": "1h", "weight": 10})
    until(busy, "Stable")
    finish(busy)
    assert busy.status["stable"]["version"] == "2"
    assert busy.shares() == {"a": 10, "b": 90}
    busy.errors["2"] = 0.2
    busy.settle(60)
    assert busy.status["stable"]["version"] == "1"
    assert busy.shares()["a"] == 100
    assert busy.status["history"][0]["reason"] == "Probation"
    assert [entry["version"] for entry in busy.status["rejected"]] == ["2"]


def test_a_version_that_stands_its_probation_gets_the_rest(busy: World) -> None:
    release(busy, probation={"duration": "5m", "weight": 10})
    finish(busy)
    busy.settle(70)
    assert busy.shares()["b"] == 100
    assert busy.condition("Progressing")["reason"] == "Finished"


def test_a_shadow_step_mirrors_all_traffic_and_answers_nobody(busy: World) -> None:
    release(busy, steps=[{"weight": 0, "shadow": True, "hold": "1m"}])
    until(busy, "Shadow")
    (rule,) = busy.objects[api.ROUTES, NAME]["spec"]["rules"]
    mirrors = [entry["requestMirror"]["backendRef"]["name"] for entry in rule["filters"] if "requestMirror" in entry]
    assert mirrors == [f"{NAME}-b-predictor"]
    assert busy.shares() == {"a": 100, "b": 0}
    finish(busy)
    assert busy.shares()["b"] == 100
    assert "requestMirror" not in str(busy.objects[api.ROUTES, NAME])


def test_a_gateway_that_refuses_to_mirror_gets_its_route_back_and_the_release_fails(busy: World) -> None:
    release(busy, steps=[{"weight": 0, "shadow": True}])
    until(busy, "Shadow")
    busy.tick()
    condition = busy.objects[api.ROUTES, NAME]["status"]["parents"][0]["conditions"][0]
    condition.update(status="False", reason="UnsupportedValue", message="no mirrors here")
    busy.settle(20)
    assert busy.status["phase"] == "Failed"
    assert busy.condition("Progressing")["reason"] == "MirrorUnsupported"
    assert "requestMirror" not in str(busy.objects[api.ROUTES, NAME])
    assert busy.condition("Ready")["status"] == "True"
    release(busy, steps=[{"weight": 50}])
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


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


def test_requests_with_the_header_are_the_candidates_and_nothing_promotes_it(busy: World) -> None:
    release(busy, steps=[], match={"header": "x-group", "value": "b"})
    until(busy, "Canary")
    busy.settle(LONG)
    matched, rest = busy.objects[api.ROUTES, NAME]["spec"]["rules"]
    (header,) = {str(match["headers"]) for match in matched["matches"]}
    assert header == str([{"type": "Exact", "name": "x-group", "value": "b"}])
    assert [ref["name"] for ref in matched["backendRefs"]] == [f"{NAME}-b-predictor"]
    assert {ref["name"]: ref["weight"] for ref in rest["backendRefs"]} == {
        f"{NAME}-a-predictor": 100,
        f"{NAME}-b-predictor": 0,
    }
    assert busy.status["phase"] == "Canary"
    assert busy.condition("Progressing")["message"].startswith("requests with the header are its own")
    command(busy, "abort")
    (rule,) = busy.objects[api.ROUTES, NAME]["spec"]["rules"]
    assert "headers" not in str(rule["matches"])
    assert busy.served("b") == {("2", digest("2"))}, "requests with the header may still be on their way"
    finish(busy)
    assert busy.served("b") == set()


def test_a_gateway_that_says_it_cannot_mirror_is_never_asked_to(busy: World) -> None:
    gateway = {"name": "leeway", "namespace": "leeway"}
    busy.put(api.GATEWAYS, {"metadata": gateway, "spec": {"gatewayClassName": "plain"}})
    features = [{"name": "HTTPRouteHostRewrite"}]
    busy.put(api.GATEWAY_CLASSES, {"metadata": {"name": "plain"}, "status": {"supportedFeatures": features}})
    release(busy, steps=[{"weight": 0, "shadow": True}])
    until(busy, "Failed")
    assert busy.condition("Degraded")["reason"] == "MirrorUnsupported"
    assert "requestMirror" not in str(busy.objects[api.ROUTES, NAME])


def test_every_attempt_leaves_a_record_and_ten_are_kept(busy: World) -> None:
    for version in range(2, 14):
        busy.release(spec(str(version)))
        busy.settle(5)
    records = {name for resource, name in busy.objects if resource == api.CONFIG_MAPS}
    assert records == {f"{NAME}-rollout-{number}" for number in range(4, 14)}
    assert len(busy.status["history"]) == 10


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


def test_an_undo_whose_version_is_gone_is_given_up(busy: World) -> None:
    busy.release(spec("2"))
    busy.settle()
    busy.images[spec("1")["model"]["storageUri"]] = Word(error="out of memory")
    busy.tick()
    command(busy, "undo")
    assert busy.shares()["b"] == 100
    del busy.objects[api.INFERENCE_SERVICES, f"{NAME}-a"]
    busy.tick()
    busy.settle(3)
    assert "UndoFailed" in busy.events()
    assert busy.status["phase"] == "Stable"
    assert busy.status["stable"]["version"] == "2"
    assert busy.condition("Degraded")["status"] == "False"


def test_a_status_without_its_stable_version_promotes_nothing(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.tick()
    del busy.status["stable"]
    busy.operator().reconcile(NAMESPACE, NAME)
    assert busy.status["stable"]["version"] == "1"
    assert busy.shares()["b"] <= 10


def test_many_decisions_keep_the_first_and_the_latest(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    for number in range(60):
        command(busy, "pause" if number % 2 == 0 else "resume", number)
    decisions = busy.status["decisions"]
    assert len(decisions) == 50
    assert decisions[0]["what"] == "Verified"
    assert "resume" in decisions[-1]["why"]
