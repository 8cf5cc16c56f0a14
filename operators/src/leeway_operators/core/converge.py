"""From what was decided to what is done: the actions that bring the cluster to a status."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from leeway_operators.core import objects
from leeway_operators.core.actions import (
    Action,
    ApplyBundleService,
    ApplyRoute,
    ApplySlot,
    CopyRuntime,
    DeleteRuntime,
    Emit,
    RestartSlot,
    SetMinReplicas,
    StopSlot,
)
from leeway_operators.core.advance import step_of
from leeway_operators.core.judge import attempt_key
from leeway_operators.core.model import SLOTS, Arm, Rollout, Slot, Status
from leeway_operators.core.seen import Seen
from leeway_operators.core.strategy import strategy_of

# A slot that has just got the traffic keeps its replicas this long: its autoscaler still counts the idle minutes.
HANDOVER = timedelta(minutes=10)
# A gateway's controller says that it has taken over a route; its proxies follow a little later (about a second with
# Envoy Gateway). Until they surely have, the slot that lost its traffic is neither stopped nor given another version,
# no count belongs to the new weights, and no header leads to pods that have just come.
GATEWAY_LAG = timedelta(seconds=10)


def converge(
    rollout: Rollout, status: Status, seen: Seen, now: datetime, sink_url: str | None, *, exposed: bool
) -> Iterator[Action]:
    """What is left to do, in this order; nothing if the cluster is as the status says.

    Args:
        rollout: the wish.
        status: what was decided.
        seen: the cluster.
        now: the time.
        sink_url: where requests and predictions are reported to; None: nowhere.
        exposed: whether the candidate may get copies of requests, or those with its header, at this look.
    """
    yield from _expose(rollout, status, seen)
    yield from _deploy(rollout, status, seen, sink_url)
    route = _route(rollout, status, seen, exposed=exposed, opens=_opens(rollout, status, seen, now))
    if seen.route is None or not objects.covers(seen.route.body, route):
        yield ApplyRoute(body=route)
    yield from _restart(rollout, status, seen)
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
        stale = name in seen.copies and arm is status.candidate and seen.runtime is not None
        if stale:
            # Of an attempt that has ended; the runtime may have been repaired since.
            yield DeleteRuntime(name=name)
        if stale or name not in seen.copies:
            if seen.runtime is None:
                continue
            yield CopyRuntime(body=objects.runtime_copy(rollout, arm, seen.runtime))
        message = f"version {arm.release.version} (revision {arm.release.revision}) goes to slot {arm.slot}"
        yield Emit(key=attempt_key(arm, "Deploying"), type="Normal", reason="Deploying", message=message)
        yield ApplySlot(slot=arm.slot, body=objects.inference_service(rollout, arm, sink_url))


def route_stands(rollout: Rollout, status: Status, seen: Seen, *, exposed: bool) -> bool:
    """Whether the HTTPRoute is as was decided."""
    body = _route(rollout, status, seen, exposed=exposed, opens=True)
    return seen.route is not None and objects.covers(seen.route.body, body)


def _route(rollout: Rollout, status: Status, seen: Seen, *, exposed: bool, opens: bool) -> dict[str, Any]:
    # A backend that is known before it gets weight is a switch without a first connection; one that does not exist
    # would make the gateway report the route as broken.
    backends = [
        slot
        for slot in SLOTS
        if status.weights.of(slot) > 0 or (slot in _roles(status) and seen.slots[slot].has_service)
    ]
    analysis = status.analysis if exposed and status.promoting is None else None
    reached = status.candidate if analysis is not None else None
    shadow = analysis is not None and step_of(strategy_of(rollout.spec), analysis).shadow
    return objects.http_route(
        rollout,
        status.weights,
        backends,
        mirror=reached.slot if reached is not None and shadow else None,
        bearers=_bearers(rollout, status, seen, opened=reached is not None and opens),
    )


def _bearers(rollout: Rollout, status: Status, seen: Seen, *, opened: bool) -> objects.Bearers | None:
    """Who has the header: while there is no candidate, or it is not to be reached, their rule is there and closed."""
    match = strategy_of(rollout.spec).match
    arms = [arm for arm in (status.candidate, status.stable) if arm is not None and seen.slots[arm.slot].has_service]
    return objects.Bearers(match=match, slot=arms[0].slot, opened=opened) if match is not None and arms else None


def _opens(rollout: Rollout, status: Status, seen: Seen, now: datetime) -> bool:
    """Whether the gateway has been told of the closed rule, and of the pods that it leads to, a while ago."""
    bearers = _bearers(rollout, status, seen, opened=True)
    if bearers is None or seen.route is None or status.analysis is None:
        return False
    live = seen.route.body["spec"].get("rules", [])[1:]
    if objects.covers(live, [objects.bearers_rule(rollout, bearers)]):
        return True
    closed = objects.bearers_rule(rollout, replace(bearers, opened=False))
    return objects.covers(live, [closed]) and now - status.analysis.step_since >= GATEWAY_LAG


def _restart(rollout: Rollout, status: Status, seen: Seen) -> Iterator[Action]:
    """Slots that a person has asked to restart, as long as they run what they ran then."""
    last = status.last_command
    if last is None or last.command.verb != "restart" or last.outcome != "Done":
        return
    at = f"{last.time:%Y-%m-%dT%H:%M:%SZ}"
    for arm in (status.stable, status.candidate, status.previous):
        if arm is None or arm.since > last.time or not seen.slots[arm.slot].runs(arm.release.revision):
            continue
        if seen.slots[arm.slot].restarted_at != at:
            yield RestartSlot(slot=arm.slot, name=objects.slot_name(rollout.name, arm.slot), at=at)


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
    return {
        arm.slot: arm for arm in (status.previous, status.leaving, status.candidate, status.stable) if arm is not None
    }
