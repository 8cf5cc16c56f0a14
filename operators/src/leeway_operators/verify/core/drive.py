"""Follows a fault to whoever is to hear of it, and takes it back: inject, fires, is told, undo, resolves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from leeway_operators.verify.core.faults import Change, Fault

_LOOK = 5.0
# Alertmanager waits for others of the group, then sends; the receivers of the chart wait for half a minute.
_DELIVERY = 120.0
# Pods come up, are scraped, and the alert is evaluated; what is told as resolved waits for the group's interval.
_RECOVERY = 900.0


@dataclass(frozen=True, kw_only=True)
class Promise:
    """How long an alert's rule lets pass once its expression holds.

    Attributes:
        seconds: the rule's `for`.
        interval: seconds between two evaluations.
    """

    seconds: float
    interval: float


class World(Protocol):
    """Everything that touches the cluster and the clock."""

    def now(self) -> float:
        """Seconds, of a clock that only goes forward."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def change(self, change: Change) -> Change:
        """Carry a change out; returns the one that undoes it."""

    def firing(self) -> Sequence[Mapping[str, str]]:
        """Labels of the alerts that fire, as Prometheus says."""

    def told(self) -> Sequence[str]:
        """Every message that has arrived, oldest first."""

    def say(self, line: str) -> None:
        """Tell a person how it goes."""


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What became of one fault. Times are seconds since its injection, or None for what did not happen.

    Attributes:
        alert: that was to fire.
        promised: seconds within which it was to.
        fired: when it did.
        told: when the message arrived.
        text: of the message.
        resolved: when it was told that it is over, counted from the undoing.
        gap: what is missing; empty if nothing is.
    """

    alert: str
    promised: float
    fired: float | None = None
    told: float | None = None
    text: str = ""
    resolved: float | None = None
    gap: str = ""


def promises(groups: Sequence[Mapping[str, Any]]) -> Mapping[str, Promise]:
    """The shortest promise of each alert, from `groups` of /api/v1/rules."""
    found: dict[str, Promise] = {}
    for group in groups:
        for rule in group["rules"]:
            if rule.get("type") != "alerting":
                continue
            promise = Promise(seconds=float(rule["duration"]), interval=float(group["interval"]))
            if rule["name"] not in found or promise.seconds < found[rule["name"]].seconds:
                found[rule["name"]] = promise
    return found


def follow(fault: Fault, promise: Promise | None, world: World) -> Followed:
    """One fault from its injection to the end of its alert. Whatever happens, it is undone."""
    if promise is None:
        return Followed(alert=fault.alert, promised=0.0, gap="no Prometheus has a rule of that name")
    # One evaluation notices that it holds, and one that it has held for long enough.
    promised = fault.notice + promise.seconds + 2 * promise.interval
    if _fires(fault, world):
        return Followed(alert=fault.alert, promised=promised, gap="it fires already, without the fault")
    before = len(world.told())
    world.say(f"{fault.alert}: {fault.change}; it has to fire within {promised:.0f} s, and meanwhile {fault.hurts}")
    undo = world.change(fault.change)
    told = None
    try:
        fired = _wait(lambda: _fires(fault, world), promised, world)
        if fired is not None:
            world.say(f"{fault.alert}: fires after {fired:.0f} s")
            told = _wait(lambda: _message(fault, world, before, "FIRING") != "", _DELIVERY, world)
            if told is not None:
                world.say(f"{fault.alert}: told after {fired + told:.0f} s")
    finally:
        # Also when a person has seen enough, and when the cluster did not answer.
        world.say(f"{fault.alert}: {undo}")
        world.change(undo)
    if fired is None:
        return Followed(alert=fault.alert, promised=promised, gap=f"it did not fire within {promised:.0f} s")
    if told is None:
        gap = f"no message came within {_DELIVERY:.0f} s of its firing"
        return Followed(alert=fault.alert, promised=promised, fired=fired, gap=gap)
    text = _message(fault, world, before, "FIRING")
    over = _wait(
        lambda: not _fires(fault, world) and _message(fault, world, before, "RESOLVED") != "", _RECOVERY, world
    )
    if over is not None:
        world.say(f"{fault.alert}: told as resolved {over:.0f} s after the undoing")
    gap = "" if over is not None else f"it was not told as resolved within {_RECOVERY:.0f} s of the undoing"
    return Followed(
        alert=fault.alert, promised=promised, fired=fired, told=fired + told, text=text, resolved=over, gap=gap
    )


def _fires(fault: Fault, world: World) -> bool:
    wanted = {"alertname": fault.alert, **fault.labels}.items()
    return any(wanted <= alert.items() for alert in world.firing())


def _message(fault: Fault, world: World, before: int, state: str) -> str:
    """The first message since `before` that says of the alert what is the case; empty if there is none."""
    return next((text for text in world.told()[before:] if fault.alert in text and state in text), "")


def _wait(happened: Callable[[], bool], seconds: float, world: World) -> float | None:
    """Seconds until something has happened, or None if it has not within `seconds`."""
    start = world.now()
    while True:
        if happened():
            return world.now() - start
        if world.now() - start >= seconds:
            return None
        world.sleep(_LOOK)
