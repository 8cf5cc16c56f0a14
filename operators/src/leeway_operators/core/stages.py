"""The steps of a candidate: what each look's evidence does to it."""

from dataclasses import replace
from datetime import timedelta

from leeway_operators.core import analysis as analyses
from leeway_operators.core import attempts
from leeway_operators.core.advance import (
    AWAITING_APPROVAL,
    CANDIDATE_LOST,
    MIRROR_UNSUPPORTED,
    ROLLBACK_REASONS,
    Move,
    decide,
    described,
    is_late,
    shares_traffic,
    step_of,
    steps_of,
    told,
)
from leeway_operators.core.converge import route_stands
from leeway_operators.core.evidence import Evidence
from leeway_operators.core.model import Analysis
from leeway_operators.core.seen import Seen
from leeway_operators.core.strategy import Strategy
from leeway_operators.core.turn import Turn
from leeway_operators.core.verify import Check


def compare(turn: Turn, strategy: Strategy, evidence: Evidence, check: Check | None, *, still: bool) -> Turn:
    """Fold a look's evidence, and do what it asks for.

    Args:
        turn: so far; its analysis is the one that the sources were asked for, unless it has just ended.
        strategy: the wish.
        evidence: what the sources answered.
        check: of the candidate's slot, for more traffic.
        still: whether nothing may move forward now: a pause, or a freeze.
    """
    status = turn.status
    arms, analysis = analyses.arms_of(status), status.analysis
    if arms is None or analysis is None or analysis.evidence_since is None or turn.now < analysis.evidence_since:
        return turn
    on_probation = status.candidate is None
    shares = status.weights.of(arms.stable.slot) > 0 if on_probation else shares_traffic(strategy, analysis)
    # What it has, which is what was counted; the strategy may have changed since.
    weight = status.weights.of(arms.candidate.slot) / 100 if shares else None
    sample = float(turn.rollout.spec["capture"]["sample"])
    seen = analyses.looked(strategy, analysis, evidence, arms, weight=weight, sample=sample, now=turn.now)
    if still and analysis.looked is not None and turn.now > analysis.looked:
        seen = replace(seen, analysis=_later(seen.analysis, turn.now - analysis.looked))
    turn = turn.having(analysis=seen.analysis)
    if seen.lost is not None:
        here = status.weights.of(arms.candidate.slot)
        turn = turn.decided("EvidenceLost", seen.lost, arm=arms.candidate, weight=here, warning=True)
    if on_probation:
        return _on_probation(turn, seen, arms)
    move = decide(
        strategy,
        seen.analysis,
        seen.conclusion,
        unavailable=seen.unavailable,
        obstacle=_obstacle(check),
        approved=status.approved == arms.candidate.release.revision,
        now=turn.now,
    )
    ready = check is not None and check.ok and not still
    return _moved(turn, strategy, seen.analysis, move, ready=ready)


def _obstacle(check: Check | None) -> tuple[str, str] | None:
    """One that merely waits, for a pod of a scaling or a restart, is no news until there is a step to take."""
    return (check.reason, check.message) if check is not None and check.state == "Failed" else None


def _on_probation(turn: Turn, seen: analyses.Looked, arms: analyses.Arms) -> Turn:
    """The version before takes its traffic back from one that is proven worse; anything else is for alarms."""
    gate = seen.conclusion.harm
    if gate is None or gate not in ROLLBACK_REASONS:
        return turn
    why = told(seen.conclusion, gate)
    turn = turn.ended(arms.candidate, "RolledBack", "Probation", why, weight=0, findings=seen.conclusion.findings)
    return attempts.undo(turn, arms.candidate, arms.stable, "Probation")


def _moved(turn: Turn, strategy: Strategy, analysis: Analysis, move: Move, *, ready: bool) -> Turn:
    arm = turn.status.candidate
    if arm is None:
        return turn
    findings, weight = analysis.findings, turn.status.weights.of(arm.slot)
    match move.what:
        case "RollBack":
            return attempts.roll_back(turn, arm, move.reason, move.message, findings)
        case "Hold":
            if not is_held(analysis, move.reason):
                awaits = move.reason == AWAITING_APPROVAL
                what, why = (AWAITING_APPROVAL, move.message) if awaits else ("Held", f"{move.reason}: {move.message}")
                turn = turn.decided(what, why, arm=arm, weight=weight, findings=findings, warning=not awaits)
            return turn.having(analysis=replace(analysis, held=(move.reason, move.message)))
        case _:
            if analysis.held is not None:
                turn = turn.decided("Resumed", move.message, arm=arm, weight=weight, findings=findings)
                analysis = replace(analysis, held=None)
                turn = turn.having(analysis=analysis)
    if move.what == "Wait" or not ready:
        return turn
    if move.what == "Promote":
        turn = turn.decided("Promoting", move.message, arm=arm, weight=weight, findings=findings)
        return turn.having(promoting="EvidencePassed")
    number, steps = analysis.step + 1, steps_of(strategy)
    why = f"step {number} of {len(steps)} saw no harm; step {number + 1} gives it {steps[number].weight} %"
    turn = turn.decided("StepAdvanced", why, arm=arm, weight=steps[number].weight, findings=findings)
    return turn.having(analysis=analyses.fresh_step(analysis, number, turn.now))


def unseen(turn: Turn, strategy: Strategy, *, still: bool) -> Turn:
    """A look without evidence: the deadline comes all the same, and time in a pause or a freeze does not count."""
    arm, analysis = turn.status.candidate, turn.status.analysis
    if arm is None or analysis is None or turn.status.promoting is not None:
        return turn
    if still:
        passed = turn.now - (analysis.looked or analysis.began)
        if passed < strategy.interval:
            return turn
        return turn.having(analysis=replace(_later(analysis, passed), looked=turn.now))
    if strategy.on_deadline != "Rollback" or not is_late(strategy, analysis, turn.now):
        return turn
    why = f"no decision within {strategy.deadline}, the deadline; {described(strategy, analysis)}"
    return attempts.roll_back(turn, arm, "DeadlineExceeded", why, analysis.findings)


def _later(analysis: Analysis, passed: timedelta) -> Analysis:
    """As if it had begun so much later."""
    return replace(analysis, began=analysis.began + passed)


def keep_or_lose(turn: Turn, take: Check, keep: Check) -> Turn:
    """A candidate that no longer serves what it should gets nothing until it does again: it may come back."""
    arm, analysis = turn.status.candidate, turn.status.analysis
    if arm is None or analysis is None or turn.status.promoting is not None:
        return turn
    lost = is_held(analysis, CANDIDATE_LOST)
    if not keep.ok and not lost:
        why = f"{keep.message}; it gets no traffic until it is verified again"
        turn = turn.decided(
            "Held", f"{CANDIDATE_LOST}: {why}", arm=arm, weight=0, findings=analysis.findings, warning=True
        )
        analysis = analyses.fresh_step(analysis, analysis.step, turn.now)
        return turn.having(analysis=replace(analysis, held=(CANDIDATE_LOST, why)))
    if lost and take.ok:
        turn = turn.decided("Resumed", take.message, arm=arm, weight=0)
        return turn.having(analysis=analyses.fresh_step(analysis, analysis.step, turn.now))
    return turn


def unmirrored(turn: Turn, strategy: Strategy, seen: Seen) -> Turn:
    """A gateway that refuses the route with its mirror gets it back without, for good, or nobody would be served."""
    arm, analysis, route = turn.status.candidate, turn.status.analysis, seen.route
    if arm is None or analysis is None or route is None or not step_of(strategy, analysis).shadow:
        return turn
    if is_held(analysis, MIRROR_UNSUPPORTED):
        # Tried again with another spec; the same one would be refused again.
        again = turn.rollout.generation != turn.status.generation
        return turn.having(analysis=replace(analysis, held=None)) if again else turn
    if route.accepted is not False or not route_stands(turn.rollout, turn.status, seen, exposed=True):
        return turn
    why = f"the gateway refuses to mirror requests ({route.message}); take the shadow step out of spec.strategy.steps"
    turn = turn.decided("Held", f"{MIRROR_UNSUPPORTED}: {why}", arm=arm, weight=0, warning=True)
    return turn.having(analysis=replace(analysis, held=(MIRROR_UNSUPPORTED, why)))


def is_held(analysis: Analysis, reason: str) -> bool:
    """Whether it is this that holds the candidate."""
    return analysis.held is not None and analysis.held[0] == reason
