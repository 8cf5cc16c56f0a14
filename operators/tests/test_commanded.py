"""Stories of people who step in: commands, pauses, freezes, approval."""

from datetime import timedelta

import pytest

from leeway_operators.core import commands
from leeway_operators.core.seen import Word
from leeway_operators.shell import api
from tests.stories import LONG, command, finish, release, until
from tests.world import NAME, NAMESPACE, World, spec


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


def test_a_retry_takes_the_runtime_as_it_is_by_then(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    command(busy, "abort")
    finish(busy)
    repaired = busy.objects[api.RUNTIMES, "leeway-onnx-1"]
    repaired["spec"] = {"containers": [{"name": "kserve-container", "image": "repaired"}]}
    command(busy, "retry")
    until(busy, "Canary")
    used = busy.objects[api.INFERENCE_SERVICES, f"{NAME}-b"]["spec"]["predictor"]["model"]["runtime"]
    assert busy.objects[api.RUNTIMES, used]["spec"]["containers"] == repaired["spec"]["containers"]


def test_pause_keeps_the_step_and_resume_goes_on(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    command(busy, "pause")
    busy.settle(LONG)
    assert busy.status["phase"] == "Paused"
    assert busy.shares() == {"a": 90, "b": 10}
    assert busy.status["analysis"]["step"] == 0
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


def test_an_undo_that_cannot_be_had_does_not_keep_a_newer_release_waiting(busy: World) -> None:
    busy.release(spec("2"))
    busy.settle()
    busy.images[spec("1")["model"]["storageUri"]] = Word(error="out of memory")
    busy.tick()
    command(busy, "undo")
    release(busy, "3")
    busy.settle(3)
    assert busy.status["candidate"]["version"] == "1", "a pod may only just be coming"
    busy.settle(20)
    finish(busy)
    assert "UndoFailed" in busy.events()
    assert busy.status["stable"]["version"] == "3"
    assert busy.status["rejected"] == []


@pytest.mark.parametrize("lost", [False, True])
def test_time_in_a_pause_brings_no_deadline_nearer(busy: World, *, lost: bool) -> None:
    release(busy, analysis={"interval": "5s", "deadline": "5m", "onDeadline": "Rollback"})
    until(busy, "Canary")
    place = spec("2")["model"]["storageUri"]
    good = busy.images[place]
    if lost:
        busy.images[place] = Word(error="out of memory")
    command(busy, "pause")
    busy.settle(80)
    busy.images[place] = good
    busy.settle(2)
    command(busy, "resume")
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


def test_frozen_the_version_before_keeps_its_share_beyond_probation(busy: World) -> None:
    release(busy, probation={"duration": "5m", "weight": 10})
    finish(busy)
    busy.frozen = "year-end closing"
    busy.settle(70)
    assert busy.shares() == {"a": 10, "b": 90}
    busy.frozen = None
    busy.settle(2)
    assert busy.shares() == {"a": 0, "b": 100}


def test_a_release_that_waits_out_a_freeze_is_not_looked_at_all_the_time(busy: World) -> None:
    busy.release(spec("2"))
    busy.settle()
    busy.frozen = "year-end closing"
    release(busy, "3")
    busy.settle(8)
    looked = busy.operator().reconcile(NAMESPACE, NAME)
    assert looked is not None
    assert looked.again_in is not None
    assert looked.again_in > timedelta(minutes=1)


def test_many_decisions_keep_the_first_and_the_latest(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    for number in range(60):
        command(busy, "pause" if number % 2 == 0 else "resume", number)
    decisions = busy.status["decisions"]
    assert len(decisions) == 50
    assert decisions[0]["what"] == "Verified"
    assert "resume" in decisions[-1]["why"]


def test_a_promoted_version_first_gets_the_replicas_that_all_traffic_needs(busy: World) -> None:
    for slot in ("a", "b"):
        meta = {"name": f"{NAME}-{slot}-scale", "namespace": NAMESPACE}
        busy.put(api.HPAS, {"metadata": meta, "spec": {"maxReplicas": 5, "minReplicas": 1}})
    release(busy)
    until(busy, "Canary")
    busy.load["a"] = 4
    busy.tick()
    command(busy, "promote")
    assert busy.shares() == {"a": 90, "b": 10}
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


def test_a_version_without_a_pod_is_promoted_by_nobody(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.images[spec("2")["model"]["storageUri"]] = Word(error="out of memory")
    busy.tick()
    command(busy, "promote")
    assert busy.shares() == {"a": 100, "b": 0}


def test_frozen_not_even_another_strategy_moves_traffic_forward(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    busy.frozen = "year-end closing"
    release(busy, steps=[{"weight": 20}, {"weight": 50}])
    busy.settle(3)
    assert busy.shares() == {"a": 90, "b": 10}
    busy.frozen = None
    busy.settle(2)
    assert busy.shares() == {"a": 80, "b": 20}
