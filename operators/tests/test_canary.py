"""Stories of a release that takes the traffic step by step."""

import json
from datetime import datetime, timedelta

import pytest

from leeway_operators.core.seen import Word
from leeway_operators.shell import api
from tests.stories import LONG, finish, release, until
from tests.world import NAME, NAMESPACE, World, digest, spec


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


@pytest.mark.parametrize(("on_deadline", "phase"), [("Hold", "Held"), ("Rollback", "RollingBack")])
def test_the_deadline_holds_or_rolls_back(busy: World, on_deadline: str, phase: str) -> None:
    busy.rate = 1
    release(busy, analysis={"interval": "5s", "deadline": "3m", "onDeadline": on_deadline})
    until(busy, phase, 60)
    busy.settle(20)
    assert busy.status["stable"]["version"] == "1"


def test_every_attempt_leaves_a_record_and_ten_are_kept(busy: World) -> None:
    for version in range(2, 14):
        busy.release(spec(str(version)))
        busy.settle(5)
    records = {name for resource, name in busy.objects if resource == api.CONFIG_MAPS}
    assert records == {f"{NAME}-rollout-{number}" for number in range(4, 14)}
    assert len(busy.status["history"]) == 10


def test_the_deadline_comes_even_if_the_candidate_is_gone(busy: World) -> None:
    release(busy, analysis={"interval": "5s", "deadline": "3m", "onDeadline": "Rollback"})
    until(busy, "Canary")
    busy.images[spec("2")["model"]["storageUri"]] = Word(error="out of memory")
    busy.settle(50)
    assert busy.status["history"][0]["reason"] == "DeadlineExceeded"
    assert busy.status["history"][0]["outcome"] == "RolledBack"


def test_what_the_next_step_waits_for_is_said(busy: World) -> None:
    for slot in ("a", "b"):
        meta = {"name": f"{NAME}-{slot}-scale", "namespace": NAMESPACE}
        busy.put(api.HPAS, {"metadata": meta, "spec": {"maxReplicas": 5, "minReplicas": 1}})
    release(busy)
    until(busy, "Canary")
    full = busy.objects[api.HPAS, f"{NAME}-b-scale"]["spec"]
    busy.load["a"] = 4
    for _ in range(LONG):
        busy.operator().reconcile(NAMESPACE, NAME)
        full["minReplicas"] = 1  # somebody contests what the operator asks for
        busy.tick()
    assert busy.shares() == {"a": 90, "b": 10}
    assert busy.condition("Progressing")["message"].endswith("; more traffic waits, as 1 of 4 pods are available")


def test_after_a_lost_status_records_tell_of_the_attempts_that_are_counted_anew(busy: World) -> None:
    busy.release(spec("2"))
    busy.settle()
    del busy.body["status"]
    busy.settle(3)
    busy.release(spec("3"))
    busy.settle(12)
    (latest,) = busy.status["history"]
    record = busy.objects[api.CONFIG_MAPS, f"{NAME}-rollout-{latest['number']}"]["data"]["record.json"]
    assert json.loads(record)["candidate"]["version"] == "3"


def test_a_version_whose_predictions_come_out_wrong_is_rolled_back_with_perfect_errors_and_latency(busy: World) -> None:
    busy.loss = {"1": 0.1, "2": 0.6}
    release(busy)
    finish(busy)
    assert busy.status["history"][0]["reason"] == "Labels"


def test_labels_that_are_required_are_waited_for(busy: World) -> None:
    busy.loss = {"1": 0.1}
    release(busy, analysis={"interval": "5s", "gates": {"labels": {"required": True}}})
    until(busy, "Canary")
    busy.settle(2 * LONG)
    assert busy.status["candidate"]["version"] == "2"
    assert busy.shares() == {"a": 50, "b": 50}
    busy.loss["2"] = 0.1
    finish(busy)
    assert busy.status["stable"]["version"] == "2"


def test_going_back_to_stable_takes_the_traffic_with_it_before_the_slot_stops(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    release(busy, "1")
    busy.settle(1)
    assert busy.shares() == {"a": 100, "b": 0}
    assert busy.served("b") == {("2", digest("2"))}
    busy.settle(10)
    assert busy.served("b") == set()
    assert busy.status["history"][0]["outcome"] == "Withdrawn"
    assert "rejected" not in busy.status or busy.status["rejected"] == []


def test_counts_belong_to_a_step_once_the_gateways_proxies_have_surely_followed(busy: World) -> None:
    release(busy)
    until(busy, "Canary")
    while "evidenceSince" not in busy.status["analysis"]:
        busy.settle(1)
    counted, followed = busy.status["analysis"]["evidenceSince"], busy.status["route"]["since"]
    assert datetime.fromisoformat(counted) - datetime.fromisoformat(followed) == timedelta(seconds=10)


def test_what_passed_at_an_early_step_is_not_enough_at_the_last_one(busy: World) -> None:
    release(busy, steps=[{"weight": 10, "hold": "5m"}, {"weight": 50}])
    while busy.shares().get("b") != 50:
        busy.settle(1)
    busy.settle(20)
    assert busy.status["phase"] == "Canary"
    finish(busy)
    assert busy.status["stable"]["version"] == "2"
