"""Whatever happens, in whatever order, and whenever the operator is killed: what must hold of a rollout in steps."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway_operators.core import commands, documents
from leeway_operators.core.model import Command
from leeway_operators.core.seen import Word
from tests.stories import STRATEGY, look, reconcile
from tests.world import World, digest, spec

STEPS = [step["weight"] for step in STRATEGY["steps"]]
# Version 2 is as good as 1, 3 fails requests, 4 is slow, 5 never gets ready.
HARM = {"3", "4"}


def release(world: World, version: str) -> None:
    world.release(spec(version) | {"strategy": STRATEGY})


class Watch:
    """Looks at every write of the route, which is the only thing that moves traffic."""

    def __init__(self) -> None:
        self.steps: dict[Any, int] = {}

    def __call__(self, world: World) -> None:
        if world.writes[-1] == ("status", "modelrollouts"):
            self._one_step_at_a_time(world)
        if world.writes[-1] == ("apply", "httproutes"):
            self._only_what_was_decided(world)

    def _one_step_at_a_time(self, world: World) -> None:
        status = documents.status_of(world.body)
        if status.candidate is None or status.analysis is None:
            return
        attempt = (status.candidate.release.revision, status.candidate.since)
        before = self.steps.get(attempt, 0)
        assert status.analysis.step <= before + 1
        self.steps[attempt] = status.analysis.step

    def _only_what_was_decided(self, world: World) -> None:
        status = documents.status_of(world.body)
        for slot, weight in world.shares().items():
            if weight == 0:
                continue
            assert world.served(slot), f"slot {slot} gets {weight} % and has no ready pod"
            candidate = status.candidate
            if candidate is not None and candidate.slot == slot and status.promoting is None:
                assert status.analysis is not None
                assert weight <= STEPS[status.analysis.step]


def new_world(rate: float = 50) -> World:
    world = World(rate=rate, on_write=Watch())
    world.errors["3"] = 0.3
    world.slow["4"] = 0.6
    world.images[spec("5")["model"]["storageUri"]] = Word(error="loading")
    release(world, "1")
    world.settle(4)
    return world


def command(world: World, verb: str, number: int) -> None:
    asked = Command(id=f"c-{number}", verb=verb, revision=None, by="jane", at=world.now)
    world.body["metadata"].setdefault("annotations", {}).update(commands.annotation_of(asked))


HAPPENINGS = st.one_of(
    st.tuples(st.just("release"), st.sampled_from(["1", "2", "3", "4", "5"])),
    st.tuples(st.just("looks"), st.integers(1, 25)),
    st.tuples(st.just("crash"), st.integers(0, 6)),
    st.tuples(st.just("sleep"), st.sampled_from([60, 4000])),
    st.tuples(st.just("prometheus_up"), st.booleans()),
    st.tuples(st.just("gateway_up"), st.booleans()),
    st.tuples(st.just("rate"), st.sampled_from([0, 5, 50])),
    st.tuples(st.just("frozen"), st.sampled_from([None, "year-end"])),
    st.tuples(st.just("command"), st.sampled_from([verb for verb in commands.VERBS if verb != "promote"])),
    st.tuples(st.just("lost"), st.booleans()),
)


def happen(world: World, what: str, argument: Any, number: int) -> None:
    match what:
        case "release":
            release(world, argument)
        case "looks":
            world.settle(argument)
        case "crash":
            reconcile(world, argument)
        case "sleep":
            world.tick(argument)
        case "command":
            command(world, argument, number)
        case "strategy":
            world.release(spec("2") | {"strategy": argument})
        case "lost":
            good = Word(version="2", digest=digest("2"))
            world.images[spec("2")["model"]["storageUri"]] = Word(error="gone") if argument else good
        case _:
            setattr(world, what, argument)


def promoted(world: World) -> set[str]:
    history = documents.status_of(world.body).history
    return {record.version for record in history if record.outcome == "Promoted"}


@settings(max_examples=15, deadline=None)
@given(happenings=st.lists(HAPPENINGS, max_size=14))
def test_harm_is_never_promoted_and_the_last_good_release_wins_in_the_end(happenings: list[tuple[str, Any]]) -> None:
    world = new_world()
    for number, (what, argument) in enumerate(happenings):
        happen(world, what, argument, number)
        assert not promoted(world) & HARM
    world.prometheus_up = world.gateway_up = True
    world.rate, world.frozen = 50, None
    happen(world, "lost", argument=False, number=0)
    for number, verb in enumerate(("resume", "retry")):
        command(world, verb, 1000 + number)
        world.settle(2)
    release(world, "2")
    world.settle(4)
    command(world, "retry", 1002)
    world.settle(200)
    assert world.status["stable"]["version"] == "2"
    assert world.status["phase"] == "Stable"
    world.writes.clear()
    world.settle(2)
    assert world.writes == [], "a look at a settled cluster writes nothing"


@settings(max_examples=15, deadline=None)
@given(happenings=st.lists(HAPPENINGS, max_size=12))
def test_without_evidence_nothing_is_promoted(happenings: list[tuple[str, Any]]) -> None:
    world = new_world()
    world.prometheus_up = False
    for number, (what, argument) in enumerate(happenings):
        if what != "prometheus_up":
            happen(world, what, argument, number)
    world.gateway_up, world.frozen = True, None
    release(world, "2")
    world.settle(30)
    assert promoted(world) == {"1"}


def played(happenings: Mapping[int, tuple[str, Any]], looks: int, crash_at: int | None) -> tuple[World, int]:
    """What happens before some of the looks; the operator is killed before its `crash_at`-th write."""
    world = new_world()
    for number in range(looks):
        if number in happenings:
            happen(world, *happenings[number], number)
        crash_at = look(world, crash_at)
    return world, len(world.writes)


SHADOW = STRATEGY | {"steps": [{"shadow": True}]}
PROBATION = STRATEGY | {"probation": {"duration": "1h", "weight": 10}}


@pytest.mark.parametrize(
    ("happenings", "looks", "every", "outcome"),
    [
        ({0: ("release", "2")}, 90, 9, "EvidencePassed"),
        ({0: ("release", "3")}, 60, 7, "Errors"),
        ({0: ("release", "2"), 12: ("command", "abort")}, 22, 2, "AbortedByCommand"),
        ({0: ("strategy", SHADOW), 9: ("command", "abort")}, 18, 2, "AbortedByCommand"),
        ({0: ("release", "2"), 6: ("command", "promote"), 10: ("command", "undo")}, 20, 2, "UndoneByCommand"),
        ({0: ("release", "2"), 6: ("command", "promote"), 10: ("release", "1")}, 20, 2, "Reverted"),
        ({0: ("release", "2"), 9: ("release", "1")}, 20, 2, "SpecReverted"),
        ({0: ("strategy", PROBATION), 9: ("command", "promote"), 14: ("errors", {"2": 0.3})}, 40, 4, "Probation"),
    ],
)
def test_a_crash_before_any_write_leads_to_the_same_end(
    happenings: Mapping[int, tuple[str, Any]], looks: int, every: int, outcome: str
) -> None:
    undisturbed, writes = played(happenings, looks, None)
    assert undisturbed.status["phase"] == "Stable"
    assert undisturbed.status["history"][0]["reason"] == outcome
    for crash_at in range(0, writes, every):
        world, _ = played(happenings, looks, crash_at)
        assert world.document() == undisturbed.document(), f"killed before write {crash_at}"
        assert sorted(world.events()) == sorted(undisturbed.events()), f"killed before write {crash_at}"
