"""Follows a fault to Slack, takes it back, and follows its end there: inject, fires, told, undo, resolved; pure."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from drill.alerts.catalog import Drill
from drill.alerts.outcome import Message, Outcome, in_slack, outcome_of

# Alertmanager waits for others of the group and sends; the drills' configuration has it wait for a second.
DELIVERY = 60.0
# The longest window of these rules is ten minutes; what is rolled out anew comes up, is scraped and evaluated.
_RECOVERY = 960.0
_LOOK = 3.0
_REMINDER = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Promise:
    """How long an alert's rule lets pass once its expression holds.

    Attributes:
        seconds: the rule's `for`.
        interval: seconds between two evaluations.
    """

    seconds: float
    interval: float


class Fault(Protocol):
    """What a drill does to the cluster."""

    @property
    def inject(self) -> Callable[[], object]:
        """Begins it."""

    @property
    def undo(self) -> Callable[[], object]:
        """Has things as they were; also where `inject` has failed."""


class World(Protocol):
    """Everything that touches the cluster and the clock."""

    def now(self) -> float:
        """Seconds, of a clock that only goes forward."""

    def wait(self, seconds: float) -> None:
        """Wait.

        Raises:
            Interrupted: a person has seen enough (drill.alerts.world).
        """

    def firing(self) -> Sequence[Mapping[str, str]]:
        """Labels of the alerts that fire, as Prometheus says."""

    def messages(self) -> Sequence[Message]:
        """All that came to the inbox, oldest first."""

    def say(self, line: str) -> None:
        """Tell a person how it goes."""


def promised_by(promise: Promise, notice: float) -> float:
    """Seconds from an injection within which the message has to be in Slack."""
    # One evaluation notices that it holds, and one that it has held for long enough.
    return notice + promise.seconds + 2 * promise.interval + DELIVERY


def follow(
    drill: Drill,
    fault: Fault,
    promise: Promise,
    world: World,
    *,
    resolve: bool,
    told: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Follow one drill. Whatever happens, its fault is undone.

    Args:
        drill: what is done.
        fault: how.
        promise: of the alert's rule.
        world: the cluster.
        resolve: whether to wait for word of its end, where there is one.
        told: called with what is known once the message is in Slack.
    """
    promised = promised_by(promise, drill.notice)
    outcome = outcome_of(drill, promised=promised)
    if _fires(drill, world):
        return outcome.missing("it fires already, without the fault")
    begun, before = world.now(), len(world.messages())
    try:
        world.say(f"{drill.alert}: {drill.fault}; Slack has to be told within {promised:.0f} s")
        fault.inject()
        outcome = _until_told(drill, outcome, begun, before, world)
        if not outcome.gap:
            told(outcome)
    finally:
        world.say(f"{drill.alert}: the fault is undone")
        fault.undo()
    if outcome.gap or not (resolve and drill.resolves):
        return outcome
    undone = world.now()

    def over() -> bool:
        return not _fires(drill, world) and in_slack(drill, world.messages()[before:], "RESOLVED")

    if not _wait(over, undone + _RECOVERY, world, f"{drill.alert}: word of its end"):
        return outcome.missing(f"it was not told as resolved within {_RECOVERY:.0f} s of the undoing")
    resolved = world.now() - undone
    world.say(f"{drill.alert}: told as resolved {resolved:.0f} s after that")
    return dataclasses.replace(outcome, resolved_seconds=resolved)


def _until_told(drill: Drill, outcome: Outcome, begun: float, before: int, world: World) -> Outcome:
    end = begun + outcome.promised
    if not _wait(lambda: _fires(drill, world), end, world, f"{drill.alert}: Prometheus"):
        return outcome.missing(f"it did not fire within {outcome.promised:.0f} s")
    fired = world.now() - begun
    world.say(f"{drill.alert}: fires after {fired:.0f} s")
    outcome = dataclasses.replace(outcome, fired=fired)
    if not _wait(lambda: in_slack(drill, world.messages()[before:], "FIRING"), end, world, f"{drill.alert}: Slack"):
        return outcome.missing(f"no message came to Slack within {outcome.promised:.0f} s")
    seconds = world.now() - begun
    world.say(f"{drill.alert}: in Slack after {seconds:.0f} s")
    return dataclasses.replace(outcome, seconds=seconds).told(world.messages()[before:])


def _fires(drill: Drill, world: World) -> bool:
    return any(drill.labels.items() <= alert.items() for alert in world.firing())


def _wait(happened: Callable[[], bool], end: float, world: World, what: str) -> bool:
    """Whether something has happened by a time; says now and then what it waits for."""
    start = reminded = world.now()
    while not happened():
        now = world.now()
        if now >= end:
            return False
        if now - reminded >= _REMINDER:
            reminded = now
            world.say(f"{what} is waited for, since {now - start:.0f} s, for {end - now:.0f} s more at most")
        world.wait(_LOOK)
    return True
