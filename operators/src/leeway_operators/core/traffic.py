"""Where traffic may go: more only to what this very look has verified, and what a slot has only to what serves."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from leeway_operators.core import analysis as analyses
from leeway_operators.core import attempts, objects
from leeway_operators.core.advance import CANDIDATE_LOST, MIRROR_UNSUPPORTED, step_of
from leeway_operators.core.converge import GATEWAY_LAG, replicas, route_stands
from leeway_operators.core.model import Analysis, Rollout, Slot, Status, Weights
from leeway_operators.core.seen import Seen
from leeway_operators.core.stages import is_held
from leeway_operators.core.strategy import Strategy
from leeway_operators.core.turn import Turn
from leeway_operators.core.verify import Check, State, verify, verify_serving, verify_warm

# Helm and Argo CD apply a ModelRollout before the ServingRuntime that comes with it.
RUNTIME_PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What the candidate's slot was found to be: fit to take (more) traffic, and fit to keep what it has."""

    take: Check
    keep: Check


def check_candidate(status: Status, strategy: Strategy, rollout: Rollout, seen: Seen, now: datetime) -> Checks | None:
    """Ask what can be asked of the candidate's slot; None: there is none."""
    arm = status.candidate
    if arm is None:
        return None
    slot = seen.slots[arm.slot]
    keep = verify_serving(arm, slot)
    name = objects.runtime_copy_name(rollout.name, arm.slot, arm.release.revision)
    if not slot.runs(arm.release.revision) and seen.runtime is None and name not in seen.copies:
        missing = f"ServingRuntime {rollout.spec['runtime']} does not exist in namespace {rollout.namespace}"
        state: State = "Failed" if now - arm.since >= RUNTIME_PATIENCE else "Waiting"
        return Checks(take=Check(state=state, reason="RuntimeNotFound", message=missing), keep=keep)
    if attempts.is_undo(status):
        return Checks(take=verify_warm(arm, slot), keep=keep)
    if _is_shadow(status, strategy) and seen.mirrors is False:
        lacks = (
            "the gateway does not mirror requests (its class lists no HTTPRouteRequestMirror); take the shadow step out"
        )
        return Checks(take=Check(state="Failed", reason=MIRROR_UNSUPPORTED, message=lacks), keep=keep)
    needed = replicas(rollout, status, seen, arm.slot, now) if arm.slot in seen.hpas else 1
    return Checks(take=verify(arm, slot, needed), keep=keep)


def _is_shadow(status: Status, strategy: Strategy) -> bool:
    if status.stable is None or status.promoting is not None or not strategy.steps:
        return False
    return (step_of(strategy, status.analysis) if status.analysis is not None else strategy.steps[0]).shadow


def shared(
    turn: Turn, strategy: Strategy, seen: Seen, checks: Checks | None, *, paused: bool, frozen: bool
) -> tuple[Turn, bool]:
    """With the weights of this look, and whether the candidate may be reached without any: by copies, or by a header.

    Args:
        turn: so far; its weights are those of the look before.
        strategy: the wish.
        seen: the cluster.
        checks: of the candidate's slot; None: there is none.
        paused: whether somebody has paused this rollout.
        frozen: whether nothing may move forward in this cluster, but for undos.
    """
    weights = _weights(turn, strategy, seen, checks, paused=paused, frozen=frozen)
    changed = weights != turn.status.weights
    turn = turn.having(weights=weights)
    arms, analysis = analyses.arms_of(turn.status), turn.status.analysis
    if arms is None or analysis is None:
        return turn, False
    on_probation = turn.status.candidate is None
    if changed and analysis.step_since != turn.now:
        # Lost, found again, or another share in the strategy: what Pass is judged on begins anew.
        analysis = analyses.fresh_step(analysis, analysis.step, turn.now)
    exposed = not on_probation and _is_reached(turn.status, strategy, analysis, checks)
    turn = turn.having(analysis=analysis)
    followed = attempts.followed_since(turn.status, seen) if is_as_decided(turn, strategy, seen, checks) else None
    since = analysis.evidence_since or (followed + GATEWAY_LAG if followed is not None else None)
    analysis = replace(analysis, evidence_since=since if followed is not None else None)
    return turn.having(analysis=analysis), exposed


def is_as_decided(turn: Turn, strategy: Strategy, seen: Seen, checks: Checks | None) -> bool:
    """Whether the live route gives each arm what was decided, so that counts belong to these weights."""
    status, analysis = turn.status, turn.status.analysis
    if analysis is None:
        return False
    if status.candidate is None:
        return route_stands(turn.rollout, status, seen, exposed=False)
    reached = _is_reached(status, strategy, analysis, checks)
    return reached and route_stands(turn.rollout, status, seen, exposed=True)


def _is_reached(status: Status, strategy: Strategy, analysis: Analysis, checks: Checks | None) -> bool:
    """Whether the candidate has, and may have, what its step gives it."""
    if status.candidate is None or checks is None or not checks.keep.ok:
        return False
    lost = is_held(analysis, CANDIDATE_LOST) or is_held(analysis, MIRROR_UNSUPPORTED)
    return not lost and status.weights.of(status.candidate.slot) == step_of(strategy, analysis).weight


def _weights(
    turn: Turn, strategy: Strategy, seen: Seen, checks: Checks | None, *, paused: bool, frozen: bool
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
