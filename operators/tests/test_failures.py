"""Stories of what goes wrong: stable keeps serving, and people are told why and what to do."""

from typing import Any

import pytest

from leeway_operators.core.seen import Word
from leeway_operators.shell import api
from tests.world import NAME, NAMESPACE, World, digest, spec


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (Word(version="2", digest=digest("3")), "DigestMismatch"),
        (Word(version="3", digest=digest("2")), "VersionMismatch"),
        (Word(error="bundle digest sha256:0 is not the expected sha256:1", refused=True), "ModelRefused"),
    ],
)
def test_a_server_that_is_not_what_was_released_never_takes_traffic(world: World, word: Word, reason: str) -> None:
    world.images[spec("2")["model"]["storageUri"]] = word
    world.release(spec("2"))
    world.settle()
    assert world.shares() == {"a": 100, "b": 0}
    assert world.condition("Degraded")["reason"] == reason
    assert world.condition("Degraded")["status"] == "True"
    assert world.condition("Ready")["status"] == "True"
    assert world.status["phase"] == "Failed"
    assert world.events().count(reason) == 1


def test_a_refusal_is_told_in_the_servers_own_words(world: World) -> None:
    error = "model.onnx: sha256 differs from the manifest"
    world.images[spec("2")["model"]["storageUri"]] = Word(error=error, refused=True)
    world.release(spec("2"))
    world.settle()
    message = world.condition("Degraded")["message"]
    assert message.endswith(
        "model.onnx: sha256 differs from the manifest. "
        "Publish a bundle that the server takes, and name it in spec.model. Version 1 keeps all traffic"
    )


def test_a_server_that_asks_for_time_is_waited_for_however_long_it_takes(world: World) -> None:
    place = spec("2")["model"]["storageUri"]
    world.images[place] = Word(error="loading")
    world.release(spec("2"))
    world.settle(200)
    assert world.condition("Degraded")["status"] == "False"
    assert world.condition("Progressing")["reason"] == "ServerNotReady"
    assert "loading" in world.condition("Progressing")["message"]
    world.images[place] = Word(version="2", digest=digest("2"))
    world.settle()
    assert world.status["stable"]["version"] == "2"


def test_a_pod_that_no_node_takes_is_told_in_the_schedulers_words(world: World) -> None:
    world.images[spec("2")["model"]["storageUri"]] = Word(error="loading")
    world.release(spec("2"))
    world.settle(3)
    pod = next(item for key, item in world.objects.items() if key[0] == api.PODS and "-b-" in key[1])
    full = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}
    pod["status"] = {"conditions": [full]}
    world.operator().reconcile(NAMESPACE, NAME)
    assert world.condition("Progressing")["reason"] == "Unschedulable"
    assert "0/1 nodes are available" in world.condition("Progressing")["message"]


def test_a_stable_version_that_stops_serving_is_an_event_and_says_where_to_look(world: World) -> None:
    pod = next(key for key in world.objects if key[0] == api.PODS)
    del world.objects[pod]
    world.objects[api.DEPLOYMENTS, f"{NAME}-a-predictor"]["status"]["availableReplicas"] = 0
    world.operator().reconcile(NAMESPACE, NAME)
    assert world.condition("Ready")["reason"] == "NoPodAvailable"
    assert (
        "kubectl describe pods -n models -l leeway.dev/model=flights,leeway.dev/slot=a"
        in (world.condition("Ready")["message"])
    )
    assert world.events()[-1] == "NoPodAvailable"


def test_a_route_that_the_listener_refuses_says_what_to_change(world: World) -> None:
    condition = world.objects[api.ROUTES, NAME]["status"]["parents"][0]["conditions"][0]
    condition.update(status="False", reason="NotAllowedByListeners", message="no listener takes it")
    world.operator().reconcile(NAMESPACE, NAME)
    assert world.condition("Ready")["reason"] == "RouteNotAccepted"
    assert world.condition("Ready")["message"] == (
        "HTTPRoute flights: NotAllowedByListeners: no listener takes it. "
        "Let a listener of Gateway leeway/leeway take routes from namespace models"
    )


def test_a_missing_runtime_is_named(world: World) -> None:
    world.release(spec("1") | {"runtime": "leeway-onnx-9"})
    world.settle()
    assert world.condition("Degraded")["reason"] == "RuntimeNotFound"
    assert "leeway-onnx-9" in world.condition("Degraded")["message"]
    assert world.shares() == {"a": 100}


def another(hostname: str, created: str) -> dict[str, Any]:
    """The route of another team's rollout."""
    labels = {"leeway.dev/model": "trains", "app.kubernetes.io/managed-by": "leeway-operator"}
    meta = {"name": "trains", "namespace": "others", "creationTimestamp": created, "labels": labels}
    parents = [{"name": "leeway", "namespace": "leeway"}]
    return {"metadata": meta, "spec": {"parentRefs": parents, "hostnames": [hostname], "rules": []}}


def test_a_hostname_that_another_rollout_has_stays_its_own() -> None:
    world = World()
    world.put(api.ROUTES, another("flights.example.org", "2026-01-01T00:00:00Z"))
    world.release(spec("1"))
    world.settle()
    assert (api.ROUTES, NAME) not in world.objects
    assert world.status["phase"] == "Failed"
    assert world.condition("Degraded")["message"] == (
        "hostname flights.example.org belongs to ModelRollout others/trains. "
        "Name others in spec.endpoint.hostnames, or delete that ModelRollout. Nothing serves yet"
    )
    assert world.events() == ["HostnameTaken"]
    world.release(spec("1") | {"endpoint": spec()["endpoint"] | {"hostnames": ["planes.example.org"]}})
    world.settle()
    assert world.condition("Ready")["status"] == "True"
    assert world.condition("Degraded")["status"] == "False"


def test_who_asks_for_anothers_hostname_keeps_its_own_and_goes_on_with_its_releases(world: World) -> None:
    world.put(api.ROUTES, another("trains.example.org", "2026-01-02T00:00:00Z"))
    endpoint = spec()["endpoint"] | {"hostnames": ["flights.example.org", "trains.example.org"]}
    world.release(spec("2") | {"endpoint": endpoint})
    world.settle()
    assert world.objects[api.ROUTES, NAME]["spec"]["hostnames"] == ["flights.example.org"]
    assert world.status["stable"]["version"] == "2"
    assert world.condition("Ready")["status"] == "True"
    assert world.condition("Degraded")["reason"] == "HostnameTaken"
    assert world.events().count("HostnameTaken") == 1
    del world.objects[api.ROUTES, "trains"]
    world.settle(2)
    assert world.objects[api.ROUTES, NAME]["spec"]["hostnames"] == endpoint["hostnames"]
    assert world.condition("Degraded")["status"] == "False"


@pytest.mark.parametrize(("created", "reason"), [("2025-01-01", "HostnameTaken"), ("2027-01-01", "AsExpected")])
def test_of_two_routes_with_one_hostname_the_younger_ones_rollout_is_told(
    world: World, created: str, reason: str
) -> None:
    world.objects[api.ROUTES, NAME]["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    world.put(api.ROUTES, another("flights.example.org", f"{created}T00:00:00Z"))
    world.settle(1)
    assert world.condition("Degraded")["reason"] == reason


def test_a_runtime_that_is_applied_after_its_rollout_is_awaited(world: World) -> None:
    runtime = world.objects[api.RUNTIMES, "leeway-onnx-1"]
    world.release(spec("2") | {"runtime": "leeway-onnx-2"})
    world.settle(3)
    assert world.status["phase"] == "Deploying"
    assert world.condition("Progressing")["reason"] == "RuntimeNotFound"
    world.put(api.RUNTIMES, runtime | {"metadata": {"name": "leeway-onnx-2", "namespace": NAMESPACE}})
    world.settle()
    assert world.status["stable"]["version"] == "2"
    assert "RuntimeNotFound" not in world.events()


def test_somebody_elses_route_is_left_alone() -> None:
    world = World()
    meta = {"name": NAME, "namespace": NAMESPACE, "generation": 1}
    foreign: dict[str, Any] = {"kind": "HTTPRoute", "metadata": meta}
    world.put(api.ROUTES, foreign | {"spec": {"parentRefs": [{"name": "leeway"}], "rules": [{"backendRefs": []}]}})
    world.release(spec("1"))
    world.settle()
    assert world.condition("Degraded")["reason"] == "NameTaken"
    assert {plural for _, plural in world.writes} == {"modelrollouts", "events"}
    assert world.events() == ["NameTaken"]


def test_the_event_of_a_failure_is_as_short_as_the_api_server_wants_it(world: World) -> None:
    world.images[spec("2")["model"]["storageUri"]] = Word(error="→" * 400, refused=True)
    world.release(spec("2"))
    world.settle()
    notes = [item["note"] for (resource, _), item in world.objects.items() if resource == api.EVENTS]
    assert notes[-1].startswith("pod flights-b-predictor-10.0.1.0: →")
    assert len(notes[-1].encode()) <= 1024


def test_a_release_goes_on_where_events_are_refused(world: World) -> None:
    world.events_refused = True
    world.release(spec("2"))
    world.settle()
    assert world.status["stable"]["version"] == "2"
