"""The operator may be killed between any two of its writes, at any moment of any history."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway_operators.core.seen import Word
from tests.stories import look, reconcile
from tests.world import World, digest, spec

VERSIONS = ("1", "2", "3", "4")
# Two good versions, one whose server never gets ready, one that serves another bundle than was released.
BAD = {
    spec("3")["model"]["storageUri"]: Word(error="broken", refused=True),
    spec("4")["model"]["storageUri"]: Word(version="4", digest=digest("1")),
}
GOOD = {("1", digest("1")), ("2", digest("2"))}


def only_verified_slots_have_traffic(world: World) -> None:
    """Holds after every single write."""
    for slot, weight in world.shares().items():
        if weight > 0:
            served = world.served(slot)
            assert served, f"slot {slot} has weight {weight} and no ready pod"
            assert served <= GOOD, f"slot {slot} has weight {weight} and serves {served}"


def new_world() -> World:
    return World(images=dict(BAD), on_write=only_verified_slots_have_traffic)


def played(story: list[str], crash_at: int | None) -> tuple[World, int]:
    """A story of releases, each played to its end; the operator is killed before its `crash_at`-th write."""
    world = new_world()
    for version in story:
        world.release(spec(version))
        for _ in range(12):
            crash_at = look(world, crash_at)
    return world, len(world.writes)


@pytest.mark.parametrize("story", [["1"], ["1", "2"], ["1", "2", "1"], ["1", "3", "1"], ["1", "3", "2"], ["1", "4"]])
def test_a_crash_before_any_write_leads_to_the_same_end(story: list[str]) -> None:
    undisturbed, writes = played(story, None)
    assert writes > 0
    for crash_at in range(writes):
        world, _ = played(story, crash_at)
        assert world.document() == undisturbed.document(), f"killed before write {crash_at}"
        assert sorted(world.events()) == sorted(undisturbed.events()), f"killed before write {crash_at}"


STEPS = st.one_of(
    st.tuples(st.just("release"), st.sampled_from(VERSIONS)),
    st.tuples(st.just("reconcile"), st.none() | st.integers(0, 6)),
    st.tuples(st.just("tick"), st.sampled_from([1, 5, 300, 3700])),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=40), last=st.sampled_from(["1", "2"]))
def test_traffic_is_only_ever_on_what_was_verified(steps: list[tuple[str, object]], last: str) -> None:
    """Any order of releases, crashes and moments: the invariant holds, and the last good release wins in the end."""
    world = new_world()
    world.release(spec("1"))
    for what, argument in steps:
        if what == "release":
            world.release(spec(str(argument)))
        elif what == "reconcile":
            reconcile(world, argument if isinstance(argument, int) else None)
        else:
            assert isinstance(argument, int)
            world.tick(argument)
    world.release(spec(last))
    world.settle(15)
    assert world.status["stable"]["version"] == last
    assert world.status["phase"] == "Stable"
    assert world.condition("Ready")["status"] == "True"
    stable = world.status["stable"]["slot"]
    assert world.shares()[stable] == 100
