"""From what was decided to what is done: the actions that bring the cluster to a status."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from leeway_operators.core import objects
from leeway_operators.core.actions import (
    Action,
    ApplyBundleService,
    ApplyRoute,
    ApplySlot,
    CopyRuntime,
    DeleteRuntime,
    Emit,
    SetMinReplicas,
    StopSlot,
)
from leeway_operators.core.judge import attempt_key
from leeway_operators.core.model import SLOTS, Arm, Rollout, Seen, Slot, Status

# A slot that has just got the traffic keeps its replicas this long: its autoscaler still counts the idle minutes.
HANDOVER = timedelta(minutes=10)


def converge(rollout: Rollout, status: Status, seen: Seen, now: datetime, sink_url: str | None) -> Iterator[Action]:
    """What is left to do, in this order; nothing if the cluster is as the status says."""
    yield from _expose(rollout, status, seen)
    yield from _deploy(rollout, status, seen, sink_url)
    yield from _route(rollout, status, seen)
    yield from _scale(rollout, status, seen, now)
    yield from _tidy(rollout, status, seen)


def replicas(rollout: Rollout, status: Status, seen: Seen, slot: Slot, now: datetime) -> int:
    """`minReplicas` of a slot: its own for stable, as many as stable runs for the one that may take its traffic."""
    wanted, stable = rollout.min_replicas, status.stable
    if stable is not None and slot != stable.slot:
        deployment = seen.slots[stable.slot].deployment
        wanted = max(wanted, deployment.desired if deployment is not None else 0)
    elif stable is not None and now - stable.since < HANDOVER:
        wanted = max(wanted, seen.hpas[slot].min_replicas or 0)
    return min(wanted, seen.hpas[slot].max_replicas)


def _expose(rollout: Rollout, status: Status, seen: Seen) -> Iterator[Action]:
    """Before its pods are there: the first event of a version makes the detector ask for its bundle."""
    for slot in _roles(status):
        body = objects.bundle_service(rollout, slot)
        if not objects.covers(seen.bundle_services.get(slot), body):
            yield ApplyBundleService(body=body)


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
        wanted = replicas(rollout, status, seen, slot, now)
        if seen.hpas[slot].min_replicas != wanted:
            yield SetMinReplicas(body=objects.min_replicas(rollout, slot, wanted))


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
