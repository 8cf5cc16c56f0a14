"""One release through everything that goes wrong around it: no request fails, nothing is forgotten, nothing is guessed.

The tests follow one release from its beginning to its end, and need each other in this order.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from outages import Killer, leader, without_api_server, without_prometheus
from releases import FAST, Cast, Part, answers_of, failed, hold, serves_alone, weight
from story import NAMESPACE, Story, eventually

from cluster import demo
from rollouts.variants import BAD_VERSION, GOOD_VERSION, Variants

_AWAY_SECONDS = 60
_STRATEGY = {
    "steps": [{"shadow": True, "hold": "4s"}, {"weight": 20, "hold": "4s"}, {"weight": 50}],
    "approval": {"required": True},
}
_PARTS = (Part(name="weathered", strategy=_STRATEGY, rate=25),)


@pytest.fixture(scope="module")
def cast(story: Story, variants: Variants, samples: list[dict[str, Any]]) -> Iterator[Cast]:
    """One model under load, whose new version takes all traffic only when a person says so."""
    with story.installed(FAST), Cast(story, variants, samples, _PARTS) as cast:
        yield cast


@pytest.fixture(scope="module")
def killer(story: Story, cast: Cast) -> Killer:
    """Kills operators in each phase in which they were not killed before."""
    return Killer(story, cast["weathered"])


def test_operators_killed_in_every_phase_bring_a_release_to_where_a_person_is_asked(cast: Cast, killer: Killer) -> None:
    model = cast["weathered"]
    with killer:
        cast.release()
        model.in_phase("AwaitingApproval", seconds=600)
        eventually(lambda: "AwaitingApproval" in killer.killed, seconds=10, what="a kill while a person is asked")

    assert {"Deploying", "Shadow", "Canary"} <= set(killer.killed)
    answers_of(model.traffic, {demo.VERSION, GOOD_VERSION})
    assert failed(model.traffic.failures()) == []


def test_without_prometheus_it_is_held_for_that_and_goes_on_when_there_is_one_again(story: Story, cast: Cast) -> None:
    model = cast["weathered"]
    with without_prometheus(story):
        said = model.held("EvidenceMissing", seconds=120)
        status = model.status()
    assert "prometheus" in said.lower()
    assert weight(status) == 50

    status = model.until(lambda status: hold(status)[0] in ("", "AwaitingApproval"), what="the end of the hold")
    assert weight(status) == 50
    assert failed(model.traffic.failures()) == []


def test_an_upgrade_to_two_operators_and_the_death_of_the_one_that_acts_change_nothing(
    story: Story, cast: Cast
) -> None:
    model = cast["weathered"]
    before = model.status()
    wider = {**FAST, "operator": {"replicas": 2, "resources": {"requests": {"cpu": "25m"}}}}
    with story.installed(wider):
        story.kube.kubectl(
            "rollout", "status", "deployment/leeway-operator", f"--namespace={NAMESPACE}", "--timeout=2m"
        )
        eventually(lambda: f"pod/{leader(story)}" in story.operator_pods(), seconds=60, what="an operator that acts")
        acting = leader(story)
        story.kube.kubectl("delete", "pod", acting, f"--namespace={NAMESPACE}", "--grace-period=0", "--force")
        eventually(lambda: leader(story) not in ("", acting), seconds=60, what="another operator that acts")
        since = model.status()["analysis"]["looked"]
        after = model.until(lambda status: status["analysis"]["looked"] > since, seconds=60, what="another look")

    assert after["analysis"]["began"] == before["analysis"]["began"]
    assert weight(after) == weight(before) == 50
    assert failed(model.traffic.failures()) == []


def test_a_minute_without_the_api_server_costs_no_request(story: Story, cast: Cast) -> None:
    model = cast["weathered"]
    with without_api_server(story.cluster):
        until = time.time() + _AWAY_SECONDS
        eventually(lambda: model.traffic.sent[-1].time > until, seconds=_AWAY_SECONDS + 30, what="a minute of answers")
        answers_of(model.traffic, {demo.VERSION, GOOD_VERSION})

    since = model.status()["analysis"]["looked"]
    status = model.until(lambda status: status["analysis"]["looked"] > since, seconds=120, what="another look")
    assert weight(status) == 50
    answers_of(model.traffic, {demo.VERSION, GOOD_VERSION})
    assert failed(model.traffic.failures()) == []


def test_operators_killed_while_they_promote_and_roll_back_leave_the_same_outcome(cast: Cast, killer: Killer) -> None:
    model = cast["weathered"]
    model.in_phase("AwaitingApproval")
    with killer:
        model.leeway("approve", "--timeout=2m")
        ended = model.ended()
        assert (ended["outcome"], ended["reason"]) == ("Promoted", "EvidencePassed")
        answers_of(model.traffic, {GOOD_VERSION})

        model.begin()
        cast.change("weathered", cast.variants.bad)
        model.until(lambda status: weight(status) > 0, what="traffic of the next candidate")
        model.leeway("abort", "--timeout=2m")
        ended = model.ended()
        assert (ended["outcome"], ended["reason"]) == ("RolledBack", "AbortedByCommand")
        assert ended["version"] == BAD_VERSION
        status = model.in_phase("Stable")

    assert {"Promoting", "RollingBack"} <= set(killer.killed)
    assert serves_alone(status, GOOD_VERSION)
    answers_of(model.traffic, {GOOD_VERSION})
    assert failed(model.traffic.failures()) == []
