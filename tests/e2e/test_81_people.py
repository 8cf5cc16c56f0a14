"""What people do to a release of a team's own chart: commands, Helm and GitOps in turn, and the way back.

The tests follow one model from release to release, and need each other in this order.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from releases import FAST, Model, Part, answers_of, condition, failed, serves_alone, weight
from story import Story, eventually
from team import ADMITTED, TEAM, Team, owners_of_command

from cluster import demo
from rollouts.stage import Stage
from rollouts.variants import BAD_VERSION, GOOD_VERSION, Variants

# Nothing moves by itself: what happens is what people ask for.
_PART = Part(name=TEAM, rate=20, strategy={"steps": [{"weight": 20, "hold": "30m"}, {"weight": 50}]})


@pytest.fixture(scope="module")
def team(story: Story) -> Iterator[Team]:
    """The team's release of the chart, on a platform that admits it."""
    team = Team(story, _PART.document())
    with story.installed(FAST | ADMITTED):
        try:
            yield team
        finally:
            team.remove()


@pytest.fixture(scope="module")
def model(story: Story, team: Team, variants: Variants, samples: list[dict[str, Any]]) -> Iterator[Model]:
    """The team's model at its first version, under load."""
    model = Model(Stage(story.cluster), _PART, samples, TEAM)
    team.upgrade(variants.stable)
    eventually(lambda: model.stage.answers(model.site, samples[0]), seconds=180, what="the team's model")
    with model.traffic:
        yield model


def test_helm_rollback_takes_the_traffic_back_within_seconds_and_no_pod_restarts(
    team: Team, model: Model, variants: Variants
) -> None:
    team.upgrade(variants.good)
    model.until(lambda status: weight(status) == 20, what="the first step")
    model.leeway("promote")
    model.until(lambda status: serves_alone(status, GOOD_VERSION), seconds=60, what="the promotion")
    answers_of(model.traffic, {GOOD_VERSION})
    before = model.pods()

    team.rollback(1)
    model.until(lambda status: serves_alone(status, demo.VERSION), seconds=20, what="the undo")
    answers_of(model.traffic, {demo.VERSION}, seconds=15)

    assert model.pods() == before
    assert failed(model.traffic.failures()) == []


def test_each_command_holds_through_helm_upgrade_and_a_gitops_sync(
    team: Team, model: Model, variants: Variants
) -> None:
    def both() -> None:
        team.sync()
        team.upgrade(variants.bad)
        team.sync()

    def command(verb: str) -> dict[str, Any]:
        both()
        model.leeway(verb)
        both()
        status = model.status()
        assert (status["lastCommand"]["verb"], status["lastCommand"]["outcome"]) == (verb, "Done")
        assert owners_of_command(model) == {"kubectl-leeway"}
        return status

    team.upgrade(variants.bad)
    model.until(lambda status: weight(status) == 20, what="the first step")
    status = command("pause")
    assert (status["phase"], weight(status)) == ("Paused", 20)
    command("resume")
    model.in_phase("Canary", "Held", seconds=20)

    pods = model.pods()
    command("restart")
    model.until(lambda _: not pods.keys() & model.pods().keys(), seconds=180, what="other pods")
    model.until(lambda status: condition(status, "Progressing")["reason"] != "CandidateLost", what="a whole candidate")
    assert weight(model.status()) == 20
    assert failed(model.traffic.failures()) == []

    model.begin()
    command("abort")
    assert model.ended()["reason"] == "AbortedByCommand"
    assert "candidate" not in model.in_phase("Stable", seconds=60)
    command("retry")
    model.until(lambda status: weight(status) == 20, what="the first step again")
    model.begin()
    command("promote")
    assert model.ended()["reason"] == "PromotedByCommand"
    command("undo")
    status = model.until(lambda status: serves_alone(status, demo.VERSION), seconds=20, what="the undo")
    assert [entry["version"] for entry in status["rejected"]] == [BAD_VERSION]
    answers_of(model.traffic, {demo.VERSION})
    both()
    assert "candidate" not in model.status()
    assert failed(model.traffic.failures()) == []
