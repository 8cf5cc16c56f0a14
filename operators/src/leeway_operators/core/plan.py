"""What to do next, from the wish, the world, the memory and the evidence: read `plan` from top to bottom.

Whatever the operator is about to do is in the status before it is done (`SetStatus` comes first), and everything it
does can be done twice; so it may die between any two actions. What reports a finished transition (Events, records)
comes before the status that remembers it, under a name that makes repeating it harmless.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from leeway_operators.core import attempts, traffic
from leeway_operators.core.actions import Plan, SetStatus
from leeway_operators.core.analysis import look_interval
from leeway_operators.core.commanded import execute
from leeway_operators.core.converge import GATEWAY_LAG, HANDOVER, converge
from leeway_operators.core.evidence import Evidence
from leeway_operators.core.judge import advised, hostname_taken, judged, warnings
from leeway_operators.core.model import SLOTS, Arm, Followed, Rollout, Slot, Status, Weights, other
from leeway_operators.core.seen import Seen, SeenRoute
from leeway_operators.core.stages import compare, keep_or_lose, unmirrored, unseen
from leeway_operators.core.strategy import Strategy, strategy_of
from leeway_operators.core.turn import Turn
from leeway_operators.core.verify import Check

# Pods are asked for their word, which no watch reports.
LOOK_AGAIN = timedelta(seconds=2)
LOOK_AGAIN_FAILED = timedelta(seconds=15)


def plan(
    rollout: Rollout,
    memory: Status,
    seen: Seen,
    now: datetime,
    sink_url: str | None,
    *,
    evidence: Evidence | None = None,
    frozen: str | None = None,
) -> Plan:
    """Decide the next actions: at most one step forward, and any number backwards.

    Traffic only ever moves to a slot that this very look has verified, and only stays on one that serves.

    Args:
        rollout: the wish.
        memory: the status as last written.
        seen: the cluster, looked at just now.
        now: the time, with its zone.
        sink_url: where requests and predictions are reported to; None: nowhere.
        evidence: what the sources answered to `wants_evidence`; None: they were not asked.
        frozen: why nothing may move forward in this cluster; None: it may. Rollbacks and undos always may.
    """
    if (taken := _taken(seen)) is not None:
        return _kept_out(rollout, memory, seen, taken, now)
    if seen.taken and seen.route is not None:
        rollout = _at_its_hostnames(rollout, seen.route)
    strategy = strategy_of(rollout.spec)
    turn = _clocked(Turn(rollout, memory, now))
    turn = _recover(turn, seen)
    turn = _note_route(turn, seen)
    turn = execute(turn, frozen)
    turn = attempts.finish_switch(turn, strategy, seen)
    turn = attempts.finish_leaving(turn, seen)
    paused = rollout.paused or turn.status.paused_by is not None
    turn = attempts.finish_probation(turn, strategy, still=paused or frozen is not None)
    turn = attempts.expire_previous(turn, strategy, seen, paused=paused)
    turn = attempts.choose_candidate(turn, strategy, seen, paused=paused, frozen=frozen is not None)

    checks = traffic.check_candidate(turn.status, strategy, rollout, seen, now)
    check = checks.take if checks is not None else None
    turn = attempts.begin(turn, strategy, check, paused=paused, frozen=frozen is not None)
    if checks is not None:
        turn = keep_or_lose(turn, checks.take, checks.keep)
    turn = unmirrored(turn, strategy, seen)
    # Counts of a route that somebody has changed, or that is about to change, belong to no weight.
    if evidence is not None and traffic.is_as_decided(turn, strategy, seen, checks):
        turn = compare(turn, strategy, evidence, check, still=paused or frozen is not None)
    else:
        turn = unseen(turn, strategy, still=paused or frozen is not None)
    if turn.status.candidate is None:
        checks = check = None
    turn, exposed = traffic.shared(turn, strategy, seen, checks, paused=paused, frozen=frozen is not None)

    stopped = _stopped(rollout, turn.status, frozen)
    if check is not None and check.state == "Failed":
        check = advised(check, rollout, turn.status)
    status = judged(rollout, turn.status, memory=memory, seen=seen, check=check, stopped=stopped, now=now)
    told = (*turn.told, *warnings(memory, status))
    remember = (SetStatus(status=status),) if status != memory else ()
    actions = (*told, *remember, *converge(rollout, status, seen, now, sink_url, exposed=exposed))
    return Plan(actions=actions, status=status, again_in=_again_in(turn, strategy, seen, check, stopped=bool(stopped)))


def slot_to_ask(rollout: Rollout, memory: Status) -> Slot | None:
    """The slot whose pods are to be asked for their word at this look: only what may have, or get, new traffic."""
    stable, candidate = memory.stable, memory.candidate
    if stable is None:
        return candidate.slot if candidate is not None else None
    command, last = rollout.command, memory.last_command
    commanded = command is not None and (last is None or last.command.id != command.id)
    moving = candidate is not None or memory.probation_until is not None or commanded
    return other(stable.slot) if moving or not memory.has_stable(rollout.release) else None


# ------------------------------------------------------------------------------------------- what has happened


def _taken(seen: Seen) -> Check | None:
    """What belongs to others and keeps everything from being done: names of objects, or where no route is yet."""
    if seen.foreign:
        message = f"{', '.join(seen.foreign)} belongs to somebody else"
        return Check(state="Failed", reason="NameTaken", message=message)
    return hostname_taken(seen) if seen.route is None else None


def _at_its_hostnames(rollout: Rollout, route: SeenRoute) -> Rollout:
    """The wish with the hostnames that its route has: what others have stays theirs, and all else goes on."""
    endpoint = {**rollout.spec["endpoint"], "hostnames": route.body["spec"].get("hostnames", [])}
    return replace(rollout, spec={**rollout.spec, "endpoint": endpoint})


def _kept_out(rollout: Rollout, memory: Status, seen: Seen, taken: Check, now: datetime) -> Plan:
    taken = advised(taken, rollout, memory)
    status = judged(rollout, memory, memory=memory, seen=seen, check=taken, stopped=None, now=now)
    told = tuple(warnings(memory, status))
    remember = (SetStatus(status=status),) if status != memory else ()
    return Plan(actions=(*told, *remember), status=status, again_in=LOOK_AGAIN_FAILED)


def _clocked(turn: Turn) -> Turn:
    """A clock that went backwards leaves times that are still to come: they are taken to be now."""
    now, status = turn.now, turn.status
    if status.route is not None and status.route.since > now:
        turn = turn.having(route=replace(status.route, since=now))
    # A candidate's time is part of its attempt's name, and nothing is decided by it but how long an undo is waited for.
    for role, arm in (("stable", status.stable), ("previous", status.previous)):
        if arm is not None and arm.since > now:
            turn = turn.having(**{role: replace(arm, since=now)})
    analysis = status.analysis
    if analysis is None:
        return turn
    counts = (analysis.evidence_since or now) - GATEWAY_LAG
    if max(analysis.began, analysis.step_since, analysis.looked or now, counts) <= now:
        return turn
    return turn.having(
        analysis=replace(
            analysis,
            began=min(analysis.began, now),
            step_since=min(analysis.step_since, now),
            looked=None,
            evidence_since=None,
        )
    )


def _recover(turn: Turn, seen: Seen) -> Turn:
    """A status that was lost (an object restored from a backup) is rebuilt from who has the traffic."""
    status = turn.status
    if status.stable is not None or seen.route is None:
        return turn
    candidate, shares = status.candidate.slot if status.candidate is not None else None, seen.route.weights
    found = {
        slot: release
        for slot in SLOTS
        if slot != candidate and shares.of(slot) > 0 and not seen.slots[slot].stopped
        if (release := seen.slots[slot].release) is not None
    }
    if not found:
        return turn
    # Of two that share the traffic, the one that the spec names may be unproven, whatever its share: it begins anew.
    slot = max(found, key=lambda slot: (found[slot].revision != turn.rollout.release.revision, shares.of(slot)))
    stable = Arm(slot=slot, release=found[slot], since=turn.now)
    return turn.having(stable=stable, weights=Weights.all_on(slot))


def _note_route(turn: Turn, seen: Seen) -> Turn:
    """Remembers when the gateway was first seen to have taken over the route as it is."""
    route, noted = seen.route, turn.status.route
    if route is None or not route.followed or (noted is not None and noted.generation == route.generation):
        return turn
    return turn.having(route=Followed(generation=route.generation, since=turn.now))


# --------------------------------------------------------------------------------------------------- what follows


def _stopped(rollout: Rollout, status: Status, frozen: str | None) -> tuple[str, str] | None:
    """Why nothing moves forward (reason, sentence)."""
    version = (status.candidate.release if status.candidate is not None else rollout.release).version
    if frozen is not None:
        return "Frozen", f"releases are frozen ({frozen}), version {version} too; rollbacks and undos still work"
    if rollout.paused:
        return "Paused", f"spec.paused holds back version {version}; set it to false to go on"
    if status.paused_by is not None:
        return "Paused", f"{status.paused_by.by} has paused version {version}; kubectl leeway resume goes on"
    return None


def _again_in(turn: Turn, strategy: Strategy, seen: Seen, check: Check | None, *, stopped: bool) -> timedelta | None:
    rollout, status, now = turn.rollout, turn.status, turn.now
    if status.leaving is not None:
        return LOOK_AGAIN
    waits = status.analysis is not None and status.analysis.evidence_since is not None and status.promoting is None
    if status.candidate is not None and not waits:
        return LOOK_AGAIN_FAILED if check is not None and check.state == "Failed" else LOOK_AGAIN
    interval = look_interval(strategy, status)
    ends = []
    if waits and status.analysis is not None and status.analysis.evidence_since is not None:
        looked = status.analysis.looked
        ends.append(max(status.analysis.evidence_since, looked + interval if looked is not None else now))
    if status.previous is not None:
        # A release that waits for its slot ends the window; before the slot is drained, nothing does.
        target = rollout.release
        waiting = not status.has_stable(target) and not stopped and not attempts.is_rejected(status, target)
        end = now if waiting else status.previous.since + rollout.rollback_window
        ends.append(max(end, attempts.drained_since(status, rollout, seen) or now + LOOK_AGAIN_FAILED))
    if status.probation_until is not None:
        ends.append(status.probation_until)
    if status.stable is not None and now < status.stable.since + HANDOVER:
        ends.append(status.stable.since + HANDOVER)
    shortest = interval if waits else LOOK_AGAIN
    return max(min(ends) - now, min(shortest, LOOK_AGAIN)) if ends else None
