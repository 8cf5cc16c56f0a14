"""What people are told: phase, conditions with what to do next, and the Events of what went wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from leeway_operators.core.actions import Emit
from leeway_operators.core.advance import AWAITING_APPROVAL, BROKEN, MIRROR_UNSUPPORTED, described, step_of
from leeway_operators.core.conditions import carried_over
from leeway_operators.core.model import Analysis, Arm, Condition, Phase, Rejected, Rollout, Slot, Status, other
from leeway_operators.core.objects import LABEL_MODEL, LABEL_SLOT
from leeway_operators.core.seen import Seen, SeenRoute
from leeway_operators.core.strategy import strategy_of
from leeway_operators.core.verify import Check

HOSTNAME_TAKEN = "HostnameTaken"
_NEXT_STEP: Mapping[str, str] = {
    "DigestMismatch": "Name the digest of that bundle in spec.model.digest, or the bundle that was meant in storageUri",
    HOSTNAME_TAKEN: "Name others in spec.endpoint.hostnames, or delete that ModelRollout",
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


def hostname_taken(seen: Seen) -> Check | None:
    """That somebody else has a hostname; None: nobody has."""
    if not seen.taken:
        return None
    told = ", ".join(f"hostname {name} belongs to ModelRollout {owner}" for name, owner in sorted(seen.taken.items()))
    return Check(state="Failed", reason=HOSTNAME_TAKEN, message=told)


def _describe_pods(rollout: Rollout, slot: Slot) -> str:
    selector = f"{LABEL_MODEL}={rollout.name},{LABEL_SLOT}={slot}"
    return f"kubectl describe pods -n {rollout.namespace} -l {selector}"


def judged(
    rollout: Rollout,
    status: Status,
    *,
    memory: Status,
    seen: Seen,
    check: Check | None,
    stopped: tuple[str, str] | None,
    now: datetime,
) -> Status:
    """The status with its phase and conditions.

    Args:
        rollout: the wish.
        status: what was decided at this look.
        memory: the status before it.
        seen: the cluster.
        check: whether the candidate may take (more) traffic; None: there is none.
        stopped: why nothing moves forward (reason, sentence); None: it may.
        now: the time.
    """
    if status.has_stable(rollout.release) and status.candidate is None:
        stopped = None

    def condition(kind: str, said: tuple[bool, str, str]) -> Condition:
        true, reason, message = said
        generation = rollout.generation
        return Condition(type=kind, status=true, reason=reason, message=message, generation=generation, time=now)

    conditions = (
        condition("Ready", _serving(rollout, status, seen, check)),
        condition("Progressing", _progress(rollout, status, seen, check, stopped)),
        condition("Degraded", _degraded(rollout, status, seen, check)),
    )
    return replace(
        status,
        generation=rollout.generation,
        phase=_phase(rollout, status, check, stopped=stopped is not None),
        conditions=carried_over(memory.conditions, conditions),
    )


def _phase(  # noqa: PLR0911 guarded, in a fixed order
    rollout: Rollout, status: Status, check: Check | None, *, stopped: bool
) -> Phase:
    candidate, analysis = status.candidate, status.analysis
    has_weight = candidate is not None and status.weights.of(candidate.slot) > 0
    held = analysis.held[0] if candidate is not None and analysis is not None and analysis.held is not None else None
    if (check is not None and check.state == "Failed" and not has_weight) or held == MIRROR_UNSUPPORTED:
        return "Failed"
    if status.promoting is not None:
        return "Promoting" if has_weight else "Deploying"
    if stopped:
        return "Paused"
    if status.leaving is not None and status.history and status.history[0].outcome == "RolledBack":
        return "RollingBack"
    if candidate is None:
        return "Stable" if status.stable is not None else "Pending"
    if analysis is None:
        return "Deploying"
    if held is not None:
        return "AwaitingApproval" if held == AWAITING_APPROVAL else "Held"
    return "Shadow" if step_of(strategy_of(rollout.spec), analysis).shadow else "Canary"


def _progress(  # noqa: PLR0911 guarded, in a fixed order
    rollout: Rollout, status: Status, seen: Seen, check: Check | None, stopped: tuple[str, str] | None
) -> tuple[bool, str, str]:
    """Whether something moves; reason and message of what it waits for, or why nothing does."""
    if check is not None and check.state == "Failed":
        return False, check.reason, check.message
    if status.promoting is None and stopped is not None:
        return False, *stopped
    if status.leaving is not None:
        slot = status.leaving.slot
        version = status.leaving.release.version
        told = f"slot {slot} keeps version {version} until the gateway has surely sent it its last request"
        return True, "SlotDraining", told
    if status.candidate is not None and status.analysis is not None and status.promoting is None:
        return _compared(rollout, status.analysis, check)
    if check is not None:
        return True, check.reason, check.message
    if (rejected := _rejected(rollout, status)) is not None:
        return False, "Rejected", _rejection(rejected)
    if not status.has_stable(rollout.release) and status.stable is not None:
        slot = other(status.stable.slot)
        return True, "SlotDraining", f"slot {slot} is left alone until the gateway has surely sent it its last request"
    if seen.route is None or not seen.route.followed:
        return True, "GatewayPending", f"the gateway has not taken over HTTPRoute {rollout.name} as it is now"
    if status.probation_until is not None:
        until = f"{status.probation_until:%Y-%m-%d %H:%M} UTC"
        return False, "Probation", f"the released version is the stable one; until {until} it may still be taken back"
    return False, "Finished", "the released version is the stable one"


def _compared(rollout: Rollout, analysis: Analysis, check: Check | None) -> tuple[bool, str, str]:
    step = described(strategy_of(rollout.spec), analysis)
    if check is not None and check.state == "Waiting":
        step += f"; more traffic waits, as {check.message}"
    if analysis.held is not None:
        reason, message = analysis.held
        return False, reason, f"{step}. {message}"
    if analysis.evidence_since is None:
        return True, "GatewayPending", f"{step}; counting begins when the gateway has surely taken that over"
    return True, "Comparing", step


def _degraded(rollout: Rollout, status: Status, seen: Seen, check: Check | None) -> tuple[bool, str, str]:
    """Whether what was asked for cannot be had: it fails, it was rolled back, or what is compared is not comparable."""
    if check is not None and check.state == "Failed":
        return True, check.reason, check.message
    if (taken := hostname_taken(seen)) is not None:
        return True, taken.reason, f"{taken.message}. {_NEXT_STEP[HOSTNAME_TAKEN]}"
    held = status.analysis.held if status.candidate is not None and status.analysis is not None else None
    if held is not None and held[0] in (*BROKEN, MIRROR_UNSUPPORTED):
        return True, *held
    if status.candidate is None and (rejected := _rejected(rollout, status)) is not None:
        return True, rejected.reason, _rejection(rejected)
    return False, "AsExpected", ""


def _rejected(rollout: Rollout, status: Status) -> Rejected | None:
    """The rejection of what the spec names."""
    return next((entry for entry in status.rejected if entry.revision == rollout.release.revision), None)


def _rejection(rejected: Rejected) -> str:
    return (
        f"version {rejected.version} was rolled back ({rejected.reason}) and is not tried again until spec.model "
        "names another one, or kubectl leeway retry"
    )


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
    """The Warnings of what has newly gone wrong: a release that fails, a stable version that stops serving.

    What was decided about a candidate has told itself already.
    """
    before = {condition.type: condition for condition in memory.conditions}
    for condition in status.conditions:
        old = before.get(condition.type)
        failed = status.phase == "Failed" or condition.reason == HOSTNAME_TAKEN
        if condition.type == "Degraded" and condition.status and failed:
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
