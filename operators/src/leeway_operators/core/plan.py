"""What to do next, from the wish, the world and the memory: read `plan` from top to bottom.

Whatever the operator is about to do is in the status before it is done (`SetStatus` comes first), and everything it
does can be done twice; so it may die between any two actions. An Event that reports a finished transition comes
before the status that records it, under a key that makes repeating it harmless.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from leeway_operators.core import objects
from leeway_operators.core.actions import Action, Emit, Plan, SetStatus
from leeway_operators.core.converge import HANDOVER, converge, replicas
from leeway_operators.core.judge import advised, attempt_key, judged, warnings
from leeway_operators.core.model import (
    SLOTS,
    Arm,
    Followed,
    Outcome,
    Record,
    Rollout,
    Seen,
    Slot,
    Status,
    Weights,
    other,
)
from leeway_operators.core.verify import Check, verify, verify_warm

# Pods are asked for their word, which no watch reports.
LOOK_AGAIN = timedelta(seconds=2)
LOOK_AGAIN_FAILED = timedelta(seconds=15)
# A gateway's controller says that it has taken over a route; its proxies follow a little later (about a second with
# Envoy Gateway). Until they surely have, the slot that lost its traffic is neither stopped nor given another version.
GATEWAY_LAG = timedelta(seconds=10)
# How long a pod that is told to end still answers what it was asked before: KServe's agent drains for 30 s.
POD_DRAIN = timedelta(seconds=30)


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
        sink_url: where requests and predictions are reported to; None: nowhere.
    """
    if seen.foreign:
        message = f"{', '.join(seen.foreign)} belongs to somebody else"
        taken = advised(Check(state="Failed", reason="NameTaken", message=message), rollout, memory)
        status = judged(rollout, memory, memory=memory, seen=seen, check=taken, now=now)
        events = tuple(warnings(memory, status))
        return Plan(actions=_remember(memory, status, events), status=status, again_in=LOOK_AGAIN_FAILED)
    step = _recover(_Step(memory), seen, now)
    step = _note_route(step, seen, now)
    step = _finish_switch(step, seen, now)
    step = _expire_previous(step, rollout, seen, now)
    step = _choose_candidate(step, rollout, seen, now)
    check = _check_candidate(step.status, rollout, seen, now)
    if check is not None and check.state == "Failed":
        check = advised(check, rollout, step.status)
    status = replace(step.status, weights=_weights(step.status, rollout, check))
    status = judged(rollout, status, memory=memory, seen=seen, check=check, now=now)
    events = step.events + tuple(warnings(memory, status))
    actions = (*_remember(memory, status, events), *converge(rollout, status, seen, now, sink_url))
    return Plan(actions=actions, status=status, again_in=_again_in(rollout, status, seen, check, now))


def _remember(memory: Status, status: Status, events: tuple[Emit, ...]) -> tuple[Action, ...]:
    return (*events, SetStatus(status=status)) if status != memory else events


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


def _note_route(step: _Step, seen: Seen, now: datetime) -> _Step:
    """Remembers when the gateway was first seen to have taken over the route as it is."""
    route, noted = seen.route, step.status.route
    if route is None or not route.followed or (noted is not None and noted.generation == route.generation):
        return step
    return _Step(replace(step.status, route=Followed(generation=route.generation, since=now)), step.events)


def _finish_switch(step: _Step, seen: Seen, now: datetime) -> _Step:
    """The route has all traffic on the candidate, as was intended: the roles swap."""
    status = step.status
    arm = status.candidate
    if arm is None or status.weights.of(arm.slot) != 100 or seen.route is None:  # noqa: PLR2004 percent
        return step
    if seen.route.weights != status.weights:
        return step
    ended = (
        _ended(status, arm, "Undone", "Reverted", now)
        if _is_undo(status)
        else _ended(status, arm, "Promoted", "Verified", now)
    )
    status = replace(
        status,
        stable=replace(arm, since=now),
        candidate=None,
        previous=replace(status.stable, since=now) if status.stable is not None else None,
    ).recorded(ended)
    return _Step(status, (*step.events, _ended_event(arm, ended, f"slot {arm.slot} has all traffic")))


def _is_undo(status: Status) -> bool:
    """Whether the candidate is the version before, which is still warm."""
    previous, candidate = status.previous, status.candidate
    return previous is not None and candidate is not None and previous.release.revision == candidate.release.revision


def _expire_previous(step: _Step, rollout: Rollout, seen: Seen, now: datetime) -> _Step:
    """The previous version is warm for the rollback window, unless it is being taken back or is gone."""
    previous, candidate = step.status.previous, step.status.candidate
    if previous is None or (candidate is not None and candidate.slot == previous.slot):
        return step
    wanted = rollout.release.revision == previous.release.revision and not rollout.paused
    expired = now - previous.since >= rollout.rollback_window and not wanted
    expired = expired and _is_drained(status=step.status, rollout=rollout, seen=seen, slot=previous.slot, now=now)
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
        ended = _ended(status, candidate, "Withdrawn", "SpecReverted", now)
        event = _ended_event(candidate, ended, f"the spec is back at version {stable.release.version}")
        return _Step(replace(status, candidate=None).recorded(ended), (*step.events, event))
    if rollout.paused or (candidate is not None and candidate.release.revision == target.revision):
        return step
    events = step.events
    if candidate is not None:
        ended = _ended(status, candidate, "Superseded", "NewRelease", now)
        events = (*events, _ended_event(candidate, ended, f"version {target.version} was released"))
        status = replace(status, candidate=None).recorded(ended)
    slot = other(stable.slot) if stable is not None else _first_slot(seen, target.revision)
    previous = status.previous
    if previous is not None and previous.release.revision != target.revision:
        if not _is_drained(status=status, rollout=rollout, seen=seen, slot=slot, now=now):
            return _Step(status, events)
        previous = None  # its slot is needed
    return _Step(replace(status, candidate=Arm(slot=slot, release=target, since=now), previous=previous), events)


def _is_drained(*, status: Status, rollout: Rollout, seen: Seen, slot: Slot, now: datetime) -> bool:
    """Whether a slot that had traffic gets none any more: the route says so, and the gateway has surely followed."""
    since = _drained_since(status, rollout, seen)
    return since is not None and since <= now and seen.route is not None and seen.route.weights.of(slot) == 0


def _drained_since(status: Status, rollout: Rollout, seen: Seen) -> datetime | None:
    """From when on a slot without weight has answered all it was asked; None if the gateway is still to follow."""
    route, noted = seen.route, status.route
    if route is None or noted is None or not route.followed or noted.generation != route.generation:
        return None
    return noted.since + GATEWAY_LAG + max(rollout.timeout - POD_DRAIN, timedelta(0))


def _first_slot(seen: Seen, revision: str) -> Slot:
    return "b" if seen.slots["b"].runs(revision) and not seen.slots["a"].runs(revision) else "a"


def _ended(status: Status, arm: Arm, outcome: Outcome, reason: str, now: datetime) -> Record:
    release = arm.release
    return Record(
        number=status.history[0].number + 1 if status.history else 1,
        version=release.version,
        revision=release.revision,
        slot=arm.slot,
        outcome=outcome,
        reason=reason,
        time=now,
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
    if _is_undo(status):
        return verify_warm(arm, slot)
    return verify(arm, slot, replicas(rollout, status, seen, arm.slot, now) if arm.slot in seen.hpas else 1)


def _weights(status: Status, rollout: Rollout, check: Check | None) -> Weights:
    """A verified candidate takes its share; otherwise stable has everything.

    The whole share is one step: `spec.strategy.steps` ends at 100, and until evidence is weighed nothing stands
    between verification and that last step.
    """
    if status.candidate is not None and check is not None and check.ok and not rollout.paused:
        return Weights.all_on(status.candidate.slot)
    return Weights.all_on(status.stable.slot) if status.stable is not None else Weights()


def _again_in(rollout: Rollout, status: Status, seen: Seen, check: Check | None, now: datetime) -> timedelta | None:
    if status.candidate is not None:
        return LOOK_AGAIN_FAILED if check is not None and check.state == "Failed" else LOOK_AGAIN
    ends = []
    if status.previous is not None:
        # A release that waits for its slot ends the window; before the slot is drained, nothing does.
        waiting = not status.has_stable(rollout.release) and not rollout.paused
        end = now if waiting else status.previous.since + rollout.rollback_window
        ends.append(max(end, _drained_since(status, rollout, seen) or now + LOOK_AGAIN_FAILED))
    if status.stable is not None and now < status.stable.since + HANDOVER:
        ends.append(status.stable.since + HANDOVER)
    return max(min(ends) - now, LOOK_AGAIN) if ends else None
