"""What to do next, from the wish, the world and the memory: read `plan` from top to bottom.

Whatever the operator is about to do is in the status before it is done (`SetStatus` comes first), and everything it
does can be done twice; so it may die between any two actions. An Event that reports a finished transition comes
before the status that records it, under a key that makes repeating it harmless.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from leeway_operators.core import objects
from leeway_operators.core.actions import (
    Action,
    ApplyRoute,
    ApplySlot,
    CopyRuntime,
    DeleteRuntime,
    Emit,
    Plan,
    SetMinReplicas,
    SetStatus,
    StopSlot,
)
from leeway_operators.core.judge import attempt_key, failure_event, judged
from leeway_operators.core.model import (
    SLOTS,
    Arm,
    Outcome,
    Record,
    Rollout,
    Seen,
    Slot,
    Status,
    Weights,
    other,
)
from leeway_operators.core.verify import Check, verify

# Pods are asked for their word, which no watch reports.
LOOK_AGAIN = timedelta(seconds=2)
LOOK_AGAIN_FAILED = timedelta(seconds=15)
# A slot that has just got the traffic keeps its replicas this long: its autoscaler still counts the idle minutes.
HANDOVER = timedelta(minutes=10)
# A gateway may send requests to a slot for a little longer than its route says (about a second with Envoy Gateway):
# until then the slot that lost its traffic is neither stopped nor given another version.
GATEWAY_LAG = timedelta(seconds=10)


@dataclass(frozen=True)
class _Step:
    """A status on its way, and the Events of what has happened to it."""

    status: Status
    events: tuple[Emit, ...] = ()


def plan(rollout: Rollout, memory: Status, seen: Seen, now: datetime, sink_url: str | None) -> Plan:
    """Decide the next actions.

    Traffic only ever moves to a slot that this very look has verified.

    Args:
        rollout: the wish.
        memory: the status as last written.
        seen: the cluster, looked at just now.
        now: the time, with its zone.
        sink_url: where KServe's logger sends its events, if capture is KServe's.
    """
    if seen.foreign:
        taken = Check(
            state="Failed", reason="NameTaken", message=f"belongs to somebody else: {', '.join(seen.foreign)}"
        )
        status = judged(rollout, memory, memory=memory, seen=seen, check=taken, now=now)
        return Plan(actions=_remember(memory, status, ()), status=status, again_in=LOOK_AGAIN_FAILED)
    step = _recover(_Step(memory), seen, now)
    step = _finish_switch(step, seen, now)
    step = _expire_previous(step, rollout, seen, now)
    step = _choose_candidate(step, rollout, seen, now)
    check = _check_candidate(step.status, rollout, seen, now)
    status = replace(step.status, weights=_weights(step.status, rollout, check))
    status = judged(rollout, status, memory=memory, seen=seen, check=check, now=now)
    events = step.events + tuple(failure_event(memory, status, check))
    actions = (
        *_remember(memory, status, events),
        *_deploy(rollout, status, seen, sink_url),
        *_route(rollout, status, seen),
        *_scale(rollout, status, seen, now),
        *_tidy(rollout, status, seen),
    )
    return Plan(actions=actions, status=status, again_in=_again_in(rollout, status, check, now))


# ------------------------------------------------------------------------------------------- what has happened


def _recover(step: _Step, seen: Seen, now: datetime) -> _Step:
    """A status that was lost (an object restored from a backup) is rebuilt from who has the traffic."""
    status = step.status
    if status.stable is not None or status.candidate is not None or seen.route is None:
        return step
    for slot in SLOTS:
        release = seen.slots[slot].release
        if seen.route.weights.of(slot) > 0 and release is not None and not seen.slots[slot].stopped:
            stable = Arm(slot=slot, release=release, since=now)
            return _Step(replace(status, stable=stable, weights=Weights.all_on(slot)))
    return step


def _finish_switch(step: _Step, seen: Seen, now: datetime) -> _Step:
    """The route has all traffic on the candidate, as was intended: the roles swap."""
    status = step.status
    arm = status.candidate
    if arm is None or status.weights.of(arm.slot) != 100 or seen.route is None:  # noqa: PLR2004 percent
        return step
    if seen.route.weights != status.weights:
        return step
    undo = status.previous is not None and status.previous.release.revision == arm.release.revision
    ended = _ended(arm, "Undone" if undo else "Promoted", "Reverted" if undo else "Verified", now)
    status = replace(
        status,
        stable=replace(arm, since=now),
        candidate=None,
        previous=replace(status.stable, since=now) if status.stable is not None else None,
    ).recorded(ended)
    return _Step(status, (*step.events, _ended_event(arm, ended, f"slot {arm.slot} has all traffic")))


def _expire_previous(step: _Step, rollout: Rollout, seen: Seen, now: datetime) -> _Step:
    """The previous version is warm for the rollback window, unless it is being taken back or is gone."""
    previous, candidate = step.status.previous, step.status.candidate
    if previous is None or (candidate is not None and candidate.slot == previous.slot):
        return step
    wanted = rollout.release.revision == previous.release.revision and not rollout.paused
    expired = now - previous.since >= max(rollout.rollback_window, GATEWAY_LAG) and not wanted
    if not expired and seen.slots[previous.slot].runs(previous.release.revision):
        return step
    return _Step(replace(step.status, previous=None), step.events)


def _choose_candidate(step: _Step, rollout: Rollout, seen: Seen, now: datetime) -> _Step:
    """The spec's release goes to the slot that does not serve."""
    status, target = step.status, rollout.release
    stable, candidate = status.stable, status.candidate
    if stable is not None and status.has_stable(target):
        if candidate is None:
            return step
        ended = _ended(candidate, "Withdrawn", "SpecReverted", now)
        event = _ended_event(candidate, ended, f"the spec is back at version {stable.release.version}")
        return _Step(replace(status, candidate=None).recorded(ended), (*step.events, event))
    if rollout.paused or (candidate is not None and candidate.release.revision == target.revision):
        return step
    events = step.events
    if candidate is not None:
        ended = _ended(candidate, "Superseded", "NewRelease", now)
        events = (*events, _ended_event(candidate, ended, f"version {target.version} was released"))
        status = replace(status, candidate=None).recorded(ended)
    if _drains(status, rollout, now):
        return _Step(status, events)
    slot = other(stable.slot) if stable is not None else _first_slot(seen, target.revision)
    previous = status.previous
    if previous is not None and previous.release.revision != target.revision:
        previous = None  # its slot is needed
    return _Step(replace(status, candidate=Arm(slot=slot, release=target, since=now), previous=previous), events)


def _drains(status: Status, rollout: Rollout, now: datetime) -> bool:
    """Whether the slot that the release needs may still be getting requests for the previous version."""
    previous, target = status.previous, rollout.release.revision
    return previous is not None and previous.release.revision != target and now - previous.since < GATEWAY_LAG


def _first_slot(seen: Seen, revision: str) -> Slot:
    return "b" if seen.slots["b"].runs(revision) and not seen.slots["a"].runs(revision) else "a"


def _ended(arm: Arm, outcome: Outcome, reason: str, now: datetime) -> Record:
    release = arm.release
    return Record(
        version=release.version, revision=release.revision, slot=arm.slot, outcome=outcome, reason=reason, time=now
    )


def _ended_event(arm: Arm, record: Record, why: str) -> Emit:
    message = f"version {record.version} (revision {record.revision}): {why}"
    return Emit(key=attempt_key(arm, record.outcome), type="Normal", reason=record.outcome, message=message)


# ----------------------------------------------------------------------------------------- where traffic may go


def _check_candidate(status: Status, rollout: Rollout, seen: Seen, now: datetime) -> Check | None:
    arm = status.candidate
    if arm is None:
        return None
    slot = seen.slots[arm.slot]
    name = objects.runtime_copy_name(rollout.name, arm.slot, arm.release.revision)
    if not slot.runs(arm.release.revision) and seen.runtime is None and name not in seen.copies:
        missing = f"ServingRuntime {rollout.spec['runtime']} does not exist in namespace {rollout.namespace}"
        return Check(state="Failed", reason="RuntimeNotFound", message=missing)
    replicas = _replicas(rollout, status, seen, arm.slot, now) if arm.slot in seen.hpas else 1
    return verify(arm, slot, replicas, now)


def _weights(status: Status, rollout: Rollout, check: Check | None) -> Weights:
    """A verified candidate takes its share; otherwise stable has everything.

    The whole share is one step: `spec.strategy.steps` ends at 100, and until evidence is weighed nothing stands
    between verification and that last step.
    """
    if status.candidate is not None and check is not None and check.ok and not rollout.paused:
        return Weights.all_on(status.candidate.slot)
    return Weights.all_on(status.stable.slot) if status.stable is not None else Weights()


def _replicas(rollout: Rollout, status: Status, seen: Seen, slot: Slot, now: datetime) -> int:
    """`minReplicas` of a slot: its own for stable, as many as stable runs for the one that may take its traffic."""
    wanted, stable = rollout.min_replicas, status.stable
    if stable is not None and slot != stable.slot:
        deployment = seen.slots[stable.slot].deployment
        wanted = max(wanted, deployment.desired if deployment is not None else 0)
    elif stable is not None and now - stable.since < HANDOVER:
        wanted = max(wanted, seen.hpas[slot].min_replicas or 0)
    return min(wanted, seen.hpas[slot].max_replicas)


# ------------------------------------------------------------------------------------------------- the actions


def _remember(memory: Status, status: Status, events: tuple[Emit, ...]) -> tuple[Action, ...]:
    return (*events, SetStatus(status=status)) if status != memory else events


def _deploy(rollout: Rollout, status: Status, seen: Seen, sink_url: str | None) -> Iterator[Action]:
    """The candidate's slot, or stable's if somebody took it away. A slot that serves is never edited."""
    for arm in (status.stable, status.candidate):
        if arm is None or arm.release.revision != rollout.release.revision:
            continue
        if seen.slots[arm.slot].runs(arm.release.revision):
            continue
        name = objects.runtime_copy_name(rollout.name, arm.slot, arm.release.revision)
        if name not in seen.copies:
            if seen.runtime is None:
                continue
            yield CopyRuntime(body=objects.runtime_copy(rollout, arm, seen.runtime))
        message = f"version {arm.release.version} (revision {arm.release.revision}) goes to slot {arm.slot}"
        yield Emit(key=attempt_key(arm, "Deploying"), type="Normal", reason="Deploying", message=message)
        yield ApplySlot(slot=arm.slot, body=objects.inference_service(rollout, arm, sink_url))


def _route(rollout: Rollout, status: Status, seen: Seen) -> Iterator[Action]:
    # A backend that is known before it gets weight is a switch without a first connection; one that does not exist
    # would make the gateway report the route as broken.
    backends = [
        slot
        for slot in SLOTS
        if status.weights.of(slot) > 0 or (slot in _roles(status) and seen.slots[slot].has_service)
    ]
    body = objects.http_route(rollout, status.weights, backends)
    if seen.route is None or not objects.covers(seen.route.body, body):
        yield ApplyRoute(body=body)


def _scale(rollout: Rollout, status: Status, seen: Seen, now: datetime) -> Iterator[Action]:
    for slot in SLOTS:
        if slot not in seen.hpas or slot not in _roles(status):
            continue
        replicas = _replicas(rollout, status, seen, slot, now)
        if seen.hpas[slot].min_replicas != replicas:
            yield SetMinReplicas(body=objects.min_replicas(rollout, slot, replicas))


def _tidy(rollout: Rollout, status: Status, seen: Seen) -> Iterator[Action]:
    """A slot without a role stops; a copied runtime that no InferenceService names is deleted."""
    roles = _roles(status)
    for slot in SLOTS:
        if slot not in roles and seen.slots[slot].exists and not seen.slots[slot].stopped:
            yield StopSlot(slot=slot, name=objects.slot_name(rollout.name, slot))
    named = {slot: arm.release.revision for slot, arm in roles.items()}
    used = {objects.runtime_copy_name(rollout.name, slot, revision) for slot, revision in named.items()} | {
        objects.runtime_copy_name(rollout.name, slot, release.revision)
        for slot in SLOTS
        if (release := seen.slots[slot].release) is not None
    }
    for name in sorted(seen.copies - used):
        yield DeleteRuntime(name=name)


def _roles(status: Status) -> Mapping[Slot, Arm]:
    return {arm.slot: arm for arm in (status.previous, status.candidate, status.stable) if arm is not None}


def _again_in(rollout: Rollout, status: Status, check: Check | None, now: datetime) -> timedelta | None:
    if status.candidate is None and _drains(status, rollout, now) and not status.has_stable(rollout.release):
        return LOOK_AGAIN
    if status.candidate is not None:
        return LOOK_AGAIN_FAILED if check is not None and check.state == "Failed" else LOOK_AGAIN
    ends = [status.previous.since + rollout.rollback_window] if status.previous is not None else []
    if status.stable is not None and now < status.stable.since + HANDOVER:
        ends.append(status.stable.since + HANDOVER)
    return max(min(ends) - now, LOOK_AGAIN) if ends else None
