"""Stories of the other ways to take over: mirrored, by header, on probation, by a revert."""

from datetime import datetime, timedelta

import pytest

from leeway_operators.core.converge import GATEWAY_LAG
from leeway_operators.core.seen import Word
from leeway_operators.shell import api
from tests.stories import LONG, command, finish, release, until
from tests.world import NAME, NAMESPACE, Crashed, World, digest, spec

BEARERS = {"header": "x-group", "value": "b"}


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
    release(busy, steps=[], match=BEARERS)
    until(busy, "Canary")
    busy.settle(LONG)
    assert bearers_of(busy) == ("b", True)
    assert busy.shares() == {"a": 100, "b": 0}
    assert busy.status["phase"] == "Canary"
    assert busy.condition("Progressing")["message"].startswith("requests with the header are its own")
    command(busy, "abort")
    assert bearers_of(busy) == ("a", False)
    assert busy.served("b") == {("2", digest("2"))}, "requests with the header may still be on their way"
    finish(busy)
    assert busy.served("b") == set()


def test_the_gateway_knows_the_pods_that_a_header_leads_to_before_anybody_is_sent_there(busy: World) -> None:
    release(busy, steps=[], match=BEARERS)
    until(busy, "Canary")
    verified = busy.now
    led: list[tuple[str, bool]] = []
    while not led or not led[-1][1]:
        busy.operator().reconcile(NAMESPACE, NAME)
        led.append(bearers_of(busy))
        assert "evidenceSince" not in busy.status["analysis"], "nobody is the candidate's yet"
        busy.tick(2)
    assert set(led) == {("b", False), ("b", True)}
    assert busy.now - verified >= GATEWAY_LAG


def test_the_rule_of_a_header_never_goes_while_its_strategy_stays(busy: World) -> None:
    for number, version in enumerate(("2", "3"), 1):
        release(busy, version, steps=[], match=BEARERS)
        until(busy, "Canary")
        busy.settle(5)
        candidate, opened = bearers_of(busy)
        assert opened
        command(busy, "promote", number)
        for _ in range(20):
            assert bearers_of(busy) == (candidate, False)
            busy.settle(1)
        assert busy.shares()[candidate] == 100
    release(busy, "3", steps=[{"weight": 50}])
    busy.settle(1)
    assert len(busy.objects[api.ROUTES, NAME]["spec"]["rules"]) == 1


def test_a_candidate_whose_pods_are_lost_gets_its_header_back_only_after_they_are_known_again(busy: World) -> None:
    release(busy, steps=[], match=BEARERS)
    until(busy, "Canary")
    busy.settle(5)
    place = spec("2")["model"]["storageUri"]
    good, busy.images[place] = busy.images[place], Word(error="out of memory")
    busy.settle(2)
    assert bearers_of(busy) == ("b", False)
    busy.images[place] = good
    busy.settle(1)
    assert bearers_of(busy) == ("b", False)
    busy.settle(5)
    assert bearers_of(busy) == ("b", True)


def bearers_of(world: World) -> tuple[str, bool]:
    """The slot that the header leads to, and whether its rule matches what is asked."""
    (_, theirs) = world.objects[api.ROUTES, NAME]["spec"]["rules"]
    for match in theirs["matches"]:
        assert match["headers"] == [{"type": "Exact", "name": BEARERS["header"], "value": BEARERS["value"]}]
    (backend,) = theirs["backendRefs"]
    paths = {match["path"]["value"] for match in theirs["matches"]}
    return backend["name"].removesuffix("-predictor")[-1], "/v2/models" in paths


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
    release(busy, steps=[], match=BEARERS)
    until(busy, "Canary")
    busy.settle(5)
    assert bearers_of(busy) == ("b", True)
    busy.crash_after = 4  # two Events, the record and the status that end it are written, and the route is not
    with pytest.raises(Crashed):
        command(busy, "abort")
    busy.crash_after = None
    assert "leaving" in busy.status
    assert bearers_of(busy) == ("b", True)
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
