"""What to do next, from the wish, the world, the memory and the evidence: read `plan` from top to bottom.

Whatever the operator is about to do is in the status before it is done (`SetStatus` comes first), and everything it
does can be done twice; so it may die between any two actions. What reports a finished transition (Events, records)
comes before the status that remembers it, under a name that makes repeating it harmless.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from leeway_operators.core import analysis as analyses
from leeway_operators.core import attempts, objects
from leeway_operators.core.actions import Plan, SetStatus
from leeway_operators.core.advance import CANDIDATE_LOST, MIRROR_UNSUPPORTED, step_of
from leeway_operators.core.commanded import execute
from leeway_operators.core.converge import HANDOVER, converge, replicas, route_stands
from leeway_operators.core.evidence import Evidence
from leeway_operators.core.judge import advised, judged, warnings
from leeway_operators.core.model import SLOTS, Analysis, Arm, Followed, Rollout, Seen, Slot, Status, Weights, other
from leeway_operators.core.stages import compare, is_held, keep_or_lose, unmirrored
from leeway_operators.core.strategy import Strategy, strategy_of
from leeway_operators.core.turn import Turn
from leeway_operators.core.verify import Check, verify, verify_serving, verify_warm

# Pods are asked for their word, which no watch reports.
LOOK_AGAIN = timedelta(seconds=2)
LOOK_AGAIN_FAILED = timedelta(seconds=15)


@dataclass(frozen=True, kw_only=True)
class _Checks:
    """What the candidate's slot was found to be: fit to take (more) traffic, and fit to keep what it has."""

    take: Check
    keep: Check


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
    if seen.foreign:
        return _taken(rollout, memory, seen, now)
    strategy = strategy_of(rollout.spec)
    turn = _clocked(Turn(rollout, memory, now))
    turn = _recover(turn, seen)
    turn = _note_route(turn, seen)
    turn = execute(turn, frozen)
    turn = attempts.finish_switch(turn, strategy, seen)
    turn = attempts.finish_leaving(turn, seen)
    turn = attempts.finish_probation(turn, strategy)
    paused = rollout.paused or turn.status.paused_by is not None
    turn = attempts.expire_previous(turn, strategy, seen, paused=paused)
    turn = attempts.choose_candidate(turn, strategy, seen, paused=paused, frozen=frozen is not None)

    checks = _check_candidate(turn.status, strategy, rollout, seen, now)
    check = checks.take if checks is not None else None
    turn = attempts.begin(turn, strategy, check, paused=paused, frozen=frozen is not None)
    if checks is not None:
        turn = keep_or_lose(turn, checks.take, checks.keep)
    turn = unmirrored(turn, strategy, seen)
    if evidence is not None:
        turn = compare(turn, strategy, evidence, check, still=paused or frozen is not None)
    if turn.status.candidate is None:
        checks = check = None
    turn, exposed = _shared(turn, strategy, seen, checks, paused=paused, frozen=frozen is not None)

    stopped = _stopped(rollout, turn.status, frozen)
    if check is not None and check.state == "Failed":
        check = advised(check, rollout, turn.status)
    status = judged(rollout, turn.status, memory=memory, seen=seen, check=check, stopped=stopped, now=now)
    told = (*turn.told, *warnings(memory, status))
    remember = (SetStatus(status=status),) if status != memory else ()
    actions = (*told, *remember, *converge(rollout, status, seen, now, sink_url, exposed=exposed))
    return Plan(actions=actions, status=status, again_in=_again_in(turn, strategy, seen, check))


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


def _taken(rollout: Rollout, memory: Status, seen: Seen, now: datetime) -> Plan:
    message = f"{', '.join(seen.foreign)} belongs to somebody else"
    taken = advised(Check(state="Failed", reason="NameTaken", message=message), rollout, memory)
    status = judged(rollout, memory, memory=memory, seen=seen, check=taken, stopped=None, now=now)
    told = tuple(warnings(memory, status))
    remember = (SetStatus(status=status),) if status != memory else ()
    return Plan(actions=(*told, *remember), status=status, again_in=LOOK_AGAIN_FAILED)


def _clocked(turn: Turn) -> Turn:
    """A clock that went backwards leaves times that are still to come: they are taken to be now."""
    now, status = turn.now, turn.status
    if status.route is not None and status.route.since > now:
        turn = turn.having(route=replace(status.route, since=now))
    analysis = status.analysis
    if analysis is None or max(analysis.began, analysis.step_since, analysis.looked or now) <= now:
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
    if status.stable is not None or status.candidate is not None or seen.route is None:
        return turn
    # The larger share is stable's: a candidate that had the smaller one begins anew.
    for slot in sorted(SLOTS, key=seen.route.weights.of, reverse=True):
        release = seen.slots[slot].release
        if seen.route.weights.of(slot) > 0 and release is not None and not seen.slots[slot].stopped:
            stable = Arm(slot=slot, release=release, since=turn.now)
            return turn.having(stable=stable, weights=Weights.all_on(slot))
    return turn


def _note_route(turn: Turn, seen: Seen) -> Turn:
    """Remembers when the gateway was first seen to have taken over the route as it is."""
    route, noted = seen.route, turn.status.route
    if route is None or not route.followed or (noted is not None and noted.generation == route.generation):
        return turn
    return turn.having(route=Followed(generation=route.generation, since=turn.now))


# ----------------------------------------------------------------------------------------- where traffic may go


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


def _check_candidate(status: Status, strategy: Strategy, rollout: Rollout, seen: Seen, now: datetime) -> _Checks | None:
    arm = status.candidate
    if arm is None:
        return None
    slot = seen.slots[arm.slot]
    keep = verify_serving(arm, slot)
    name = objects.runtime_copy_name(rollout.name, arm.slot, arm.release.revision)
    if not slot.runs(arm.release.revision) and seen.runtime is None and name not in seen.copies:
        missing = f"ServingRuntime {rollout.spec['runtime']} does not exist in namespace {rollout.namespace}"
        return _Checks(take=Check(state="Failed", reason="RuntimeNotFound", message=missing), keep=keep)
    if attempts.is_undo(status):
        return _Checks(take=verify_warm(arm, slot), keep=keep)
    if _is_shadow(status, strategy) and seen.mirrors is False:
        lacks = "the GatewayClass does not list HTTPRouteRequestMirror among what it supports; take the shadow step out"
        return _Checks(take=Check(state="Failed", reason=MIRROR_UNSUPPORTED, message=lacks), keep=keep)
    needed = replicas(rollout, status, seen, arm.slot, now) if arm.slot in seen.hpas else 1
    return _Checks(take=verify(arm, slot, needed), keep=keep)


def _is_shadow(status: Status, strategy: Strategy) -> bool:
    if status.stable is None or status.promoting is not None or not strategy.steps:
        return False
    return (step_of(strategy, status.analysis) if status.analysis is not None else strategy.steps[0]).shadow


def _shared(
    turn: Turn, strategy: Strategy, seen: Seen, checks: _Checks | None, *, paused: bool, frozen: bool
) -> tuple[Turn, bool]:
    """The weights, and whether the candidate may be reached without weight: by copies, or by a header."""
    weights = _weights(turn, strategy, seen, checks, paused=paused, frozen=frozen)
    changed = weights != turn.status.weights
    turn = turn.having(weights=weights)
    arms, analysis = analyses.arms_of(turn.status), turn.status.analysis
    if arms is None or analysis is None:
        return turn, False
    on_probation = turn.status.candidate is None
    if changed and not on_probation and analysis.step_since != turn.now:
        # Lost, found again, or another share in the strategy: what Pass is judged on begins anew.
        analysis = analyses.fresh_step(analysis, analysis.step, turn.now)
    reached = on_probation or _is_reached(turn.status, strategy, analysis, checks)
    stands = reached and route_stands(turn.rollout, turn.status, seen, exposed=reached and not on_probation)
    followed = attempts.followed_since(turn.status, seen) if stands else None
    since = analysis.evidence_since or (followed + attempts.GATEWAY_LAG if followed is not None else None)
    analysis = replace(analysis, evidence_since=since if followed is not None else None)
    return turn.having(analysis=analysis), reached and not on_probation


def _is_reached(status: Status, strategy: Strategy, analysis: Analysis, checks: _Checks | None) -> bool:
    """Whether the candidate has, and may have, what its step gives it."""
    if status.candidate is None or checks is None or not checks.keep.ok:
        return False
    lost = is_held(analysis, CANDIDATE_LOST) or is_held(analysis, MIRROR_UNSUPPORTED)
    return not lost and status.weights.of(status.candidate.slot) == step_of(strategy, analysis).weight


def _weights(
    turn: Turn, strategy: Strategy, seen: Seen, checks: _Checks | None, *, paused: bool, frozen: bool
) -> Weights:
    """More only to what is verified, what it has only to what serves, and stable has the rest."""
    status = turn.status
    stable, candidate, previous = status.stable, status.candidate, status.previous
    if candidate is not None and checks is not None:
        now_has = status.weights.of(candidate.slot)
        wanted = _wanted(status, strategy)
        held_back = paused if status.promoting == "Reverted" else paused or frozen
        if held_back and status.promoting not in attempts.ORDERED_UNDO:
            wanted = min(wanted, now_has)
        if wanted > now_has and not checks.take.ok:
            wanted = now_has
        share = wanted if checks.keep.ok else 0
        return _split(candidate.slot, share, rest=stable is not None)
    if stable is None:
        return Weights()
    kept = strategy.probation_weight if status.probation_until is not None else 0
    if previous is None or not kept or not verify_serving(previous, seen.slots[previous.slot]).ok:
        return Weights.all_on(stable.slot)
    return _split(previous.slot, kept, rest=True)


def _wanted(status: Status, strategy: Strategy) -> int:
    if status.promoting is not None:
        return attempts.full_share(strategy, status)
    analysis = status.analysis
    if analysis is None or is_held(analysis, CANDIDATE_LOST):
        return 0
    return step_of(strategy, analysis).weight


def _split(slot: Slot, share: int, *, rest: bool) -> Weights:
    remains = 100 - share if rest else 0
    return Weights(a=share, b=remains) if slot == "a" else Weights(a=remains, b=share)


def _again_in(turn: Turn, strategy: Strategy, seen: Seen, check: Check | None) -> timedelta | None:
    rollout, status, now = turn.rollout, turn.status, turn.now
    if status.leaving is not None:
        return LOOK_AGAIN
    waits = status.analysis is not None and status.analysis.evidence_since is not None and status.promoting is None
    if status.candidate is not None and not waits:
        return LOOK_AGAIN_FAILED if check is not None and check.state == "Failed" else LOOK_AGAIN
    ends = []
    if waits and status.analysis is not None and status.analysis.evidence_since is not None:
        looked = status.analysis.looked
        ends.append(max(status.analysis.evidence_since, looked + strategy.interval if looked is not None else now))
    if status.previous is not None:
        # A release that waits for its slot ends the window; before the slot is drained, nothing does.
        target = rollout.release
        waiting = not status.has_stable(target) and not rollout.paused and not attempts.is_rejected(status, target)
        end = now if waiting else status.previous.since + rollout.rollback_window
        ends.append(max(end, attempts.drained_since(status, rollout, seen) or now + LOOK_AGAIN_FAILED))
    if status.probation_until is not None:
        ends.append(status.probation_until)
    if status.stable is not None and now < status.stable.since + HANDOVER:
        ends.append(status.stable.since + HANDOVER)
    shortest = strategy.interval if waits else LOOK_AGAIN
    return max(min(ends) - now, min(shortest, LOOK_AGAIN)) if ends else None
