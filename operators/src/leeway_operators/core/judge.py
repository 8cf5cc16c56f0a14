"""What people are told: phase, conditions with what to do next, and the Events of what went wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from leeway_operators.core.actions import Emit
from leeway_operators.core.conditions import carried_over
from leeway_operators.core.model import Arm, Condition, Phase, Rollout, Seen, SeenRoute, Slot, Status, other
from leeway_operators.core.objects import LABEL_MODEL, LABEL_SLOT
from leeway_operators.core.verify import Check

_NEXT_STEP: Mapping[str, str] = {
    "DigestMismatch": "Name the digest of that bundle in spec.model.digest, or the bundle that was meant in storageUri",
    "ModelRefused": "Publish a bundle that the server takes, and name it in spec.model",
    "NameTaken": "Delete it, or give the ModelRollout another name",
    "RuntimeNotFound": "Create it, or name another one in spec.runtime",
    "VersionMismatch": "Name the version of the bundle's manifest in spec.model.version, or the bundle that was meant",
}


def attempt_key(arm: Arm, what: str) -> str:
    """Names one Event of one attempt, however often it is emitted."""
    return f"{arm.release.revision}/{arm.since.isoformat()}/{what}"


def advised(check: Check, rollout: Rollout, status: Status) -> Check:
    """A failure whose message also says what to do about it, and what serves meanwhile."""
    slot = status.candidate.slot if status.candidate is not None else None
    advice = _NEXT_STEP.get(check.reason, f"See {_describe_pods(rollout, slot)}" if slot is not None else "")
    stable = status.stable
    meanwhile = f"Version {stable.release.version} keeps all traffic" if stable is not None else "Nothing serves yet"
    return replace(check, message=". ".join(part.rstrip(". ") for part in (check.message, advice, meanwhile) if part))


def _describe_pods(rollout: Rollout, slot: Slot) -> str:
    selector = f"{LABEL_MODEL}={rollout.name},{LABEL_SLOT}={slot}"
    return f"kubectl describe pods -n {rollout.namespace} -l {selector}"


def judged(
    rollout: Rollout, status: Status, *, memory: Status, seen: Seen, check: Check | None, now: datetime
) -> Status:
    """The status with its phase and conditions."""
    failed = check is not None and check.state == "Failed"
    waiting = rollout.paused and not status.has_stable(rollout.release)

    def condition(kind: str, reason: str, message: str, *, true: bool) -> Condition:
        generation = rollout.generation
        return Condition(type=kind, status=true, reason=reason, message=message, generation=generation, time=now)

    serving, why, told = _serving(rollout, status, seen, check)
    moving, reason, message = _progress(rollout, status, seen, check)
    conditions = carried_over(
        memory.conditions,
        (
            condition("Ready", why, told, true=serving),
            condition("Progressing", reason, message, true=moving),
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


def _progress(rollout: Rollout, status: Status, seen: Seen, check: Check | None) -> tuple[bool, str, str]:
    """Whether something moves; reason and message of what it waits for, or why nothing does."""
    released = status.has_stable(rollout.release)
    if check is not None and check.state == "Failed":
        return False, check.reason, check.message
    if rollout.paused and not released:
        held = f"spec.paused holds back version {rollout.release.version}; set it to false to go on"
        return False, "Paused", held
    if check is not None:
        return True, check.reason, check.message
    if not released and status.stable is not None:
        slot = other(status.stable.slot)
        return True, "SlotDraining", f"slot {slot} is left alone until the gateway has surely sent it its last request"
    if seen.route is None or not seen.route.followed:
        return True, "GatewayPending", f"the gateway has not taken over HTTPRoute {rollout.name} as it is now"
    return False, "Finished", "the released version is the stable one"


def _serving(rollout: Rollout, status: Status, seen: Seen, check: Check | None) -> tuple[bool, str, str]:
    """Whether the stable version serves; reason and message of the first thing that keeps it from it."""
    if status.stable is None:
        return False, "NothingReleased", check.message if check is not None else "no version serves yet"
    if seen.route is None or seen.route.accepted is None:
        return (
            False,
            "RoutePending",
            f"no gateway has accepted HTTPRoute {rollout.name} yet; is {_gateway(rollout)} up?",
        )
    if not seen.route.accepted:
        return False, "RouteNotAccepted", _not_accepted(rollout, seen.route)
    slot = status.stable.slot
    deployment = seen.slots[slot].deployment
    if deployment is None or deployment.available < 1:
        return False, "NoPodAvailable", f"slot {slot} has no available pod. See {_describe_pods(rollout, slot)}"
    return True, "Serving", f"version {status.stable.release.version} serves from slot {slot}"


def _gateway(rollout: Rollout) -> str:
    gateway = rollout.spec["endpoint"]["gateway"]
    return f"Gateway {gateway.get('namespace', rollout.namespace)}/{gateway['name']}"


def _not_accepted(rollout: Rollout, route: SeenRoute) -> str:
    hint = ""
    if "NotAllowedByListeners" in route.message:
        hint = f". Let a listener of {_gateway(rollout)} take routes from namespace {rollout.namespace}"
    return f"HTTPRoute {rollout.name}: {route.message.rstrip('. ')}{hint}"


def warnings(memory: Status, status: Status) -> Iterator[Emit]:
    """The Warnings of what has newly gone wrong: a release that fails, a stable version that stops serving."""
    before = {condition.type: condition for condition in memory.conditions}
    for condition in status.conditions:
        old = before.get(condition.type)
        if condition.type == "Degraded" and condition.status:
            if old is not None and old.status and old.reason == condition.reason:
                continue
            arm = status.candidate
            attempt = f"generation {condition.generation}/{condition.reason}"
            key = attempt_key(arm, condition.reason) if arm is not None else attempt
        elif condition.type == "Ready" and not condition.status and old is not None and old.status:
            key = f"{condition.reason}/{old.time.isoformat()}"
        else:
            continue
        yield Emit(key=key, type="Warning", reason=condition.reason, message=condition.message)
