"""What stories of a release in steps are told with."""

from typing import Any

from leeway_operators.core import commands
from leeway_operators.core.model import Command
from tests.world import NAME, NAMESPACE, Crashed, World, spec

STRATEGY: dict[str, Any] = {
    "steps": [{"weight": 10, "hold": "1m"}, {"weight": 50, "hold": "1m"}],
    "minRequests": 100,
    "analysis": {"interval": "5s"},
    "probation": {"duration": "0s"},
}
LONG = 50
"""Looks, five seconds apart, in which anything would have moved that may."""


def release(world: World, version: str = "2", **strategy: Any) -> None:
    world.release(spec(version) | {"strategy": STRATEGY | strategy})


def finish(world: World) -> None:
    """Let operator and cluster take turns until nothing is under way any more."""
    until(world, "Stable", start=3)
    world.settle(3)


def until(world: World, phase: str, looks: int = 200, start: int = 0) -> None:
    """Let operator and cluster take turns until a phase."""
    for look in range(looks):
        world.operator().reconcile(NAMESPACE, NAME)
        if world.status["phase"] == phase and look >= start:
            return
        world.tick()
    raise AssertionError(f"never {phase}: {world.status['phase']}, {world.condition('Progressing')}")


def reconcile(world: World, crash_after: int | None) -> bool:
    """One look by a fresh operator, killed before its n-th write; True if it was."""
    world.crash_after = crash_after
    try:
        world.operator().reconcile(NAMESPACE, NAME)
    except Crashed:
        return True
    finally:
        world.crash_after = None
    return False


def look(world: World, crash_at: int | None) -> int | None:
    """One look, and time passes; killed before the `crash_at`-th write of all, the operator is started anew.

    Returns:
        `crash_at` as long as that is still to come.
    """
    left = None if crash_at is None else crash_at - len(world.writes)
    if reconcile(world, left if left is not None and left >= 0 else None):
        crash_at = None
        reconcile(world, None)
    world.tick()
    return crash_at


def command(world: World, verb: str, number: int = 1, revision: str | None = None) -> None:
    """A person's command, executed at the next look."""
    asked = Command(id=f"{verb}-{number}", verb=verb, revision=revision, by="jane", at=world.now)
    world.body["metadata"].setdefault("annotations", {}).update(commands.annotation_of(asked))
    world.operator().reconcile(NAMESPACE, NAME)
