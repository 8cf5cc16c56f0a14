"""Stories that a user of ModelRollout would tell."""

from datetime import timedelta
from typing import Any

from leeway_operators.core.seen import Word
from leeway_operators.shell import api
from tests.world import NAME, NAMESPACE, World, digest, spec


def test_the_first_version_serves_from_slot_a(world: World) -> None:
    assert world.status["phase"] == "Stable"
    assert world.status["stable"]["version"] == "1"
    assert world.shares() == {"a": 100}
    assert world.condition("Ready")["status"] == "True"
    assert world.condition("Ready")["observedGeneration"] == 1
    assert world.events() == ["Deploying", "Promoted"]


def test_nothing_serves_before_it_is_verified() -> None:
    world = World()
    world.release(spec("1"))
    world.operator().reconcile(NAMESPACE, NAME)
    world.tick()
    world.operator().reconcile(NAMESPACE, NAME)
    assert world.condition("Ready")["status"] == "False"
    assert world.shares() == {"a": 0}


def test_a_new_version_takes_the_traffic_and_the_old_one_stays_warm(world: World) -> None:
    world.release(spec("2"))
    world.settle()
    assert world.status["stable"]["version"] == "2"
    assert world.status["previous"]["version"] == "1"
    assert world.shares() == {"a": 0, "b": 100}
    assert world.served("a") == {("1", digest("1"))}


def test_a_look_at_a_settled_cluster_writes_nothing(world: World) -> None:
    world.release(spec("2"))
    world.settle()
    world.writes.clear()
    world.settle(3)
    assert world.writes == []


def switch(world: World, **changes: Any) -> None:
    """Release version 2, up to the very look that records the switch."""
    world.release(spec("2") | changes)
    while world.status["stable"]["version"] == "1":
        world.operator().reconcile(NAMESPACE, NAME)
        if world.shares().get("b") != 100:
            world.tick()


def test_a_slot_that_has_just_lost_its_traffic_keeps_its_version_until_the_gateway_has_followed(world: World) -> None:
    switch(world)
    world.release(spec("3"))
    world.writes.clear()
    world.operator().reconcile(NAMESPACE, NAME)
    assert ("apply", "inferenceservices") not in world.writes
    assert world.condition("Progressing")["reason"] == "SlotDraining"
    world.settle()
    assert world.status["stable"]["version"] == "3"


def test_an_undo_that_is_overtaken_by_a_release_takes_no_traffic(world: World) -> None:
    switch(world)
    world.images[spec("1")["model"]["storageUri"]] = Word(error="overloaded")
    world.release(spec("1"))
    world.operator().reconcile(NAMESPACE, NAME)
    world.release(spec("3"))
    world.settle()
    outcomes = [(entry["version"], entry["outcome"]) for entry in world.status["history"]]
    assert outcomes[:2] == [("3", "Promoted"), ("1", "Superseded")]


def test_without_a_rollback_window_the_old_version_still_outlives_the_gateways_lag(world: World) -> None:
    switch(world, strategy={"rollbackWindow": "0s"})
    assert world.served("a") == {("1", digest("1"))}
    world.operator().reconcile(NAMESPACE, NAME)
    world.tick()
    assert world.served("a") == {("1", digest("1"))}
    world.settle()
    assert world.served("a") == set()


def test_no_slot_is_stopped_while_the_gateway_refuses_the_route_that_leaves_it_out(world: World) -> None:
    switch(world, strategy={"rollbackWindow": "0s"})
    route = world.objects[api.ROUTES, NAME]
    world.gateway_up = False
    condition = route["status"]["parents"][0]["conditions"][0]
    condition.update(status="False", reason="NotAllowedByListeners", observedGeneration=route["metadata"]["generation"])
    world.settle()
    assert world.served("a") == {("1", digest("1"))}, "the gateway may still have the route before"
    world.gateway_up = True
    world.settle()
    assert world.served("a") == set()


def test_the_warm_version_is_stopped_after_the_rollback_window(world: World) -> None:
    world.release(spec("2"))
    world.settle()
    world.now += timedelta(hours=1)
    world.settle()
    assert "previous" not in world.status
    assert world.shares() == {"b": 100}
    assert world.served("a") == set()


def test_naming_the_warm_version_takes_the_traffic_back_in_one_look(world: World) -> None:
    world.release(spec("2"))
    world.settle()
    world.writes.clear()
    world.release(spec("1"))
    world.operator().reconcile(NAMESPACE, NAME)
    assert world.shares() == {"a": 100, "b": 0}
    assert ("apply", "inferenceservices") not in world.writes
    world.settle()
    assert world.status["stable"]["version"] == "1"
    assert [entry["outcome"] for entry in world.status["history"]] == ["Undone", "Promoted", "Promoted"]


def test_naming_a_version_whose_slot_was_stopped_deploys_it_again(world: World) -> None:
    world.release(spec("2"))
    world.settle()
    world.now += timedelta(hours=1)
    world.settle()
    world.release(spec("1"))
    world.settle()
    assert world.status["stable"]["version"] == "1"
    assert world.shares() == {"a": 100, "b": 0}
    assert world.status["history"][0]["outcome"] == "Promoted"


def test_a_slot_that_lost_its_traffic_is_left_alone_as_long_as_the_gateway_has_not_followed(world: World) -> None:
    world.gateway_up = False
    world.release(spec("2"))
    world.settle()
    assert world.status["stable"]["version"] == "2"
    assert world.condition("Progressing")["reason"] == "GatewayPending"
    world.release(spec("3") | {"strategy": {"rollbackWindow": "0s"}})
    world.settle(100)
    assert world.served("a") == {("1", digest("1"))}, "the gateway may still send requests there"
    assert world.condition("Progressing")["reason"] == "SlotDraining"
    world.gateway_up = True
    world.settle()
    assert world.status["stable"]["version"] == "3"


def test_a_slot_that_lost_its_traffic_outlives_the_longest_request(world: World) -> None:
    endpoint = spec()["endpoint"] | {"timeout": "3m"}
    switch(world, endpoint=endpoint, strategy={"rollbackWindow": "0s"})
    world.settle(30)
    assert world.served("a") == {("1", digest("1"))}
    world.settle(10)
    assert world.served("a") == set()


def test_an_undo_waits_for_no_pod_that_is_still_to_come(world: World) -> None:
    world.release(spec("2"))
    world.settle()
    deployment = world.objects[api.DEPLOYMENTS, f"{NAME}-a-predictor"]
    labels = deployment["metadata"]["labels"]
    deployment["status"]["replicas"] = 2
    stuck = {"name": "kserve-container", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}}
    meta = {"name": f"{NAME}-a-new", "namespace": NAMESPACE, "labels": labels}
    world.put(api.PODS, {"metadata": meta, "status": {"containerStatuses": [stuck]}})
    world.release(spec("1"))
    world.operator().reconcile(NAMESPACE, NAME)
    assert world.shares() == {"a": 100, "b": 0}


def test_a_plain_onnx_file_is_held_to_its_version_alone(world: World) -> None:
    wished = spec("2")
    del wished["model"]["digest"]
    world.images[wished["model"]["storageUri"]] = Word(version="2")
    world.release(wished)
    world.settle()
    assert world.status["stable"]["version"] == "2"


def test_a_newer_release_replaces_the_candidate_and_never_the_stable_version(world: World) -> None:
    world.images[spec("2")["model"]["storageUri"]] = Word(error="loading")
    world.release(spec("2"))
    world.settle(3)
    world.release(spec("3"))
    world.settle()
    assert world.status["stable"]["version"] == "3"
    assert world.status["previous"]["version"] == "1"
    outcomes = [(entry["version"], entry["outcome"]) for entry in world.status["history"]]
    assert outcomes == [("3", "Promoted"), ("2", "Superseded"), ("1", "Promoted")]


def test_going_back_to_stable_withdraws_the_candidate(world: World) -> None:
    world.images[spec("2")["model"]["storageUri"]] = Word(error="loading")
    world.release(spec("2"))
    world.settle(3)
    world.release(spec("1"))
    world.settle()
    assert world.status["phase"] == "Stable"
    assert world.shares() == {"a": 100}
    assert world.served("b") == set()
    assert world.condition("Degraded")["status"] == "False"


def test_paused_holds_a_release_back_until_it_is_resumed(world: World) -> None:
    world.release(spec("2") | {"paused": True})
    world.settle()
    assert world.status["phase"] == "Paused"
    assert world.status["stable"]["version"] == "1"
    assert "candidate" not in world.status
    world.release(spec("2"))
    world.settle()
    assert world.status["stable"]["version"] == "2"


def test_a_change_of_the_runtime_is_a_release(world: World) -> None:
    runtime = dict(world.objects[api.RUNTIMES, "leeway-onnx-1"])
    world.put(api.RUNTIMES, runtime | {"metadata": {"name": "leeway-onnx-2", "namespace": NAMESPACE}})
    del world.objects[api.RUNTIMES, "leeway-onnx-1"]
    world.release(spec("1") | {"runtime": "leeway-onnx-2"})
    world.settle()
    assert world.status["stable"]["slot"] == "b"
    assert world.served("a") == {("1", digest("1"))}


def test_copies_of_runtimes_do_not_pile_up(world: World) -> None:
    for version in ("2", "3", "4"):
        world.release(spec(version))
        world.settle()
    made = [name for resource, name in world.objects if resource == api.RUNTIMES and name.startswith(f"{NAME}-")]
    assert len(made) == 2


def test_a_hand_edited_route_is_put_back(world: World) -> None:
    world.images[spec("2")["model"]["storageUri"]] = Word(error="loading")
    world.release(spec("2"))
    world.settle(3)
    for reference in world.objects[api.ROUTES, NAME]["spec"]["rules"][0]["backendRefs"]:
        reference["weight"] = 50
    world.operator().reconcile(NAMESPACE, NAME)
    assert world.shares() == {"a": 100, "b": 0}


def test_a_lost_status_is_rebuilt_from_the_route(world: World) -> None:
    world.release(spec("2"))
    world.settle()
    del world.body["status"]
    world.settle()
    assert world.status["stable"]["version"] == "2"
    assert world.shares()["b"] == 100


def test_a_candidate_gets_as_many_replicas_as_stable_before_its_weight(world: World) -> None:
    for slot in ("a", "b"):
        hpa: dict[str, Any] = {"metadata": {"name": f"{NAME}-{slot}-scale", "namespace": NAMESPACE}}
        world.put(api.HPAS, hpa | {"spec": {"maxReplicas": 5, "minReplicas": 1}})
    world.load["a"] = 3
    world.settle()

    def enough(world: World) -> None:
        if world.shares().get("b", 0) > 0:
            assert len(world.objects[api.ENDPOINT_SLICES, f"{NAME}-b-predictor"]["endpoints"]) == 3

    world.on_write = enough
    world.release(spec("2"))
    world.settle()
    assert world.shares() == {"a": 0, "b": 100}
    assert world.objects[api.HPAS, f"{NAME}-a-scale"]["spec"]["minReplicas"] == 3
    assert world.objects[api.HPAS, f"{NAME}-b-scale"]["spec"]["minReplicas"] == 3, "its autoscaler knows no traffic yet"
    world.on_write = None
    world.now += timedelta(minutes=10)
    world.settle()
    assert world.objects[api.HPAS, f"{NAME}-b-scale"]["spec"]["minReplicas"] == 1


def test_a_deleted_stable_slot_is_made_again(world: World) -> None:
    del world.objects[api.INFERENCE_SERVICES, f"{NAME}-a"]
    world.tick()
    world.settle()
    assert world.served("a") == {("1", digest("1"))}
    assert world.condition("Ready")["status"] == "True"


def test_conditions_keep_the_time_of_their_last_transition(world: World) -> None:
    before = world.condition("Ready")["lastTransitionTime"]
    world.release(spec("2"))
    world.settle()
    assert world.condition("Ready")["observedGeneration"] == 2
    assert world.condition("Ready")["lastTransitionTime"] == before


def test_a_deleted_rollout_is_nobodys_business(world: World) -> None:
    del world.objects[api.ROLLOUTS, NAME]
    assert world.operator().reconcile(NAMESPACE, NAME) is None
