"""Stories of the other ways to take over: mirrored, by header, on probation, by a revert."""

from datetime import datetime, timedelta

import pytest

from leeway_operators.core.seen import Word
from leeway_operators.shell import api
from tests.stories import LONG, command, finish, release, until
from tests.world import NAME, NAMESPACE, Crashed, World, digest, spec


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
    assert busy.condition("Degraded")["reason"] == "MirrorUnsupported"
    assert "requestMirror" not in str(busy.objects[api.ROUTES, NAME])
    assert busy.condition("Ready")["status"] == "True"
    release(busy, steps=[{"weight": 50}])
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


def test_labels_that_arrive_after_the_promotion_may_undo_it_while_the_version_before_is_warm(busy: World) -> None:
    release(busy, probation={"duration": "1h", "weight": 0})
    finish(busy)
    assert busy.status["stable"]["version"] == "2"
    assert busy.shares() == {"a": 0, "b": 100}
    assert busy.condition("Progressing")["reason"] == "Probation"
    busy.loss = {"1": 0.1, "2": 0.6}
    busy.settle(LONG)
    assert busy.status["stable"]["version"] == "1"
    assert busy.status["history"][0]["reason"] == "Probation"


def test_while_only_labels_still_come_the_sources_are_asked_once_a_minute(busy: World) -> None:
    release(busy, probation={"duration": "1h", "weight": 0})
    finish(busy)
    looks = set()
    for _ in range(36):  # of five seconds each
        busy.settle(1)
        looks.add(busy.status["analysis"]["looked"])
    assert 3 <= len(looks) <= 4
    assert "verdict" not in busy.status


def test_where_reverts_are_canaries_the_version_before_takes_the_steps_too(busy: World) -> None:
    busy.release(spec("2"))
    busy.settle()
    release(busy, "1", onRevert="Canary")
    until(busy, "Canary")
    assert busy.shares() == {"a": 10, "b": 90}
    finish(busy)
    assert busy.status["stable"]["version"] == "1"
    assert busy.status["history"][0]["outcome"] == "Promoted"


def test_a_crash_before_the_route_is_plain_again_stops_no_slot_that_it_leads_to(busy: World) -> None:
    release(busy, steps=[], match={"header": "x-group", "value": "b"})
    until(busy, "Canary")
    busy.settle(3)
    busy.crash_after = 4  # two Events, the record and the status that end it are written, and the route is not
    with pytest.raises(Crashed):
        command(busy, "abort")
    busy.crash_after = None
    assert "leaving" in busy.status
    assert "x-group" in str(busy.objects[api.ROUTES, NAME]["spec"]["rules"])
    busy.operator().reconcile(NAMESPACE, NAME)
    busy.tick()
    assert busy.served("b") == {("2", digest("2"))}


def test_in_probation_counts_begin_once_the_gateway_follows_its_shares(busy: World) -> None:
    release(busy, probation={"duration": "1h", "weight": 10})
    finish(busy)
    busy.settle(4)
    since = datetime.fromisoformat(busy.status["analysis"]["evidenceSince"])
    assert since - datetime.fromisoformat(busy.status["route"]["since"]) == timedelta(seconds=10)


def test_a_version_before_that_dies_in_probation_gets_its_share_and_its_say_back_with_its_pods(busy: World) -> None:
    release(busy, probation={"duration": "1h", "weight": 10})
    finish(busy)
    place = spec("1")["model"]["storageUri"]
    good, busy.images[place] = busy.images[place], Word(error="out of memory")
    busy.settle(6)
    assert busy.shares() == {"a": 0, "b": 100}
    busy.images[place] = good
    busy.settle(6)
    assert busy.shares() == {"a": 10, "b": 90}
    busy.errors["2"] = 0.2
    busy.settle(60)
    assert busy.status["stable"]["version"] == "1"
