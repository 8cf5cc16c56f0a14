"""What people are told: phase, conditions and the Event of a failure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from leeway_operators.core.actions import Emit
from leeway_operators.core.conditions import carried_over
from leeway_operators.core.model import Arm, Condition, Phase, Rollout, Seen, Status
from leeway_operators.core.verify import Check


def attempt_key(arm: Arm, what: str) -> str:
    """Names one Event of one attempt, however often it is emitted."""
    return f"{arm.release.revision}/{arm.since.isoformat()}/{what}"


def judged(
    rollout: Rollout, status: Status, *, memory: Status, seen: Seen, check: Check | None, now: datetime
) -> Status:
    """The status with its phase and conditions."""
    failed = check is not None and check.state == "Failed"
    released = status.has_stable(rollout.release)
    waiting = rollout.paused and not released

    def condition(kind: str, reason: str, message: str, *, true: bool) -> Condition:
        generation = rollout.generation
        return Condition(type=kind, status=true, reason=reason, message=message, generation=generation, time=now)

    serving, why, told = _serving(status, seen, check)
    moving = not released and not failed and not waiting
    if check is not None and (failed or moving):
        progress = check.reason, check.message
    elif moving:
        progress = "SlotDraining", "the slot it needs has only just lost its traffic"
    elif waiting:
        progress = "Paused", "spec.paused holds the release back"
    else:
        progress = "Finished", "the released version is the stable one"
    conditions = carried_over(
        memory.conditions,
        (
            condition("Ready", why, told, true=serving),
            condition("Progressing", *progress, true=moving),
            condition("Degraded", check.reason, check.message, true=True)
            if failed and check is not None
            else condition("Degraded", "AsExpected", "", true=False),
        ),
    )
    return replace(
        status,
        generation=rollout.generation,
        phase=_phase(status, failed=failed, paused=waiting),
        conditions=conditions,
    )


def _phase(status: Status, *, failed: bool, paused: bool) -> Phase:
    if failed:
        return "Failed"
    if paused:
        return "Paused"
    if status.candidate is not None:
        return "Promoting" if status.weights.of(status.candidate.slot) > 0 else "Deploying"
    return "Stable" if status.stable is not None else "Pending"


def _serving(status: Status, seen: Seen, check: Check | None) -> tuple[bool, str, str]:
    """Whether the stable version serves; reason and message of the first thing that keeps it from it."""
    if status.stable is None:
        return False, "NothingReleased", check.message if check is not None else "no version serves yet"
    if seen.route is None or seen.route.accepted is None:
        return False, "RoutePending", "no gateway has accepted the HTTPRoute yet"
    if not seen.route.accepted:
        return False, "RouteNotAccepted", seen.route.message
    deployment = seen.slots[status.stable.slot].deployment
    if deployment is None or deployment.available < 1:
        return False, "NoPodAvailable", f"slot {status.stable.slot} has no available pod"
    version = status.stable.release.version
    return True, "Serving", f"version {version} serves from slot {status.stable.slot}"


def failure_event(memory: Status, status: Status, check: Check | None) -> Iterator[Emit]:
    """The Warning of a candidate that has newly failed."""
    if check is None or check.state != "Failed" or status.candidate is None:
        return
    if not any(c.type == "Degraded" and c.status and c.reason == check.reason for c in memory.conditions):
        key = attempt_key(status.candidate, check.reason)
        yield Emit(key=key, type="Warning", reason=check.reason, message=check.message)
