"""The decision: what one look's conclusion means for the candidate. Read `decide` from top to bottom."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from leeway_operators.core.model import Analysis
from leeway_operators.core.strategy import Step, Strategy
from leeway_operators.evidence.findings import Conclusion, GateName

# The gates whose harm rolls back, with the reason of that outcome. Faulty input data is the fault of whatever routes
# or prepares the requests, and holds.
ROLLBACK_REASONS: Mapping[GateName, str] = {
    "errors": "Errors",
    "latency": "Latency",
    "predictions": "Predictions",
    "labels": "Labels",
}
# Preconditions of every comparison: while one does not hold, the routing is to blame.
BROKEN = ("SampleRatioMismatch", "InputsDiffer", "DataQualityDiffers")
AWAITING_APPROVAL = "AwaitingApproval"
CANDIDATE_LOST = "CandidateLost"
MIRROR_UNSUPPORTED = "MirrorUnsupported"
# So long after counting begins at a step, a new pod's first scrapes, its first requests and the detector's first word
# of it come: what is not there yet is awaited, and not amiss.
SETTLING = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Move:
    """What to do with the candidate.

    Attributes:
        what: `RollBack`: its traffic goes back; `Hold`: something is wrong and nothing moves until it is not; `Wait`:
            all goes as it should, it takes time; `Advance`: the next step; `Promote`: all traffic.
        reason: one word, for conditions and metrics.
        message: one sentence, for people.
    """

    what: Literal["RollBack", "Hold", "Wait", "Advance", "Promote"]
    reason: str
    message: str


def decide(  # noqa: C901, PLR0911, PLR0912 guarded early returns, in a fixed order
    strategy: Strategy,
    analysis: Analysis,
    conclusion: Conclusion,
    *,
    unavailable: Mapping[GateName, str],
    obstacle: tuple[str, str] | None,
    approved: bool,
    now: datetime,
) -> Move:
    """Weigh what is known; at most one step, and backwards before forwards.

    Args:
        strategy: the wish.
        analysis: with this look's counts in it.
        conclusion: of the tests.
        unavailable: gates whose evidence is missing, stale or lossy at this look, and why.
        obstacle: what is wrong with the candidate itself (reason, sentence), whatever the evidence says.
        approved: whether a person has approved this release.
        now: the time.
    """
    if conclusion.harm is not None and conclusion.harm in ROLLBACK_REASONS:
        return Move(
            what="RollBack", reason=ROLLBACK_REASONS[conclusion.harm], message=told(conclusion, conclusion.harm)
        )
    late = is_late(strategy, analysis, now)
    overdue = f"no decision within {strategy.deadline}, the deadline; {_pending(conclusion)}"
    if late and strategy.on_deadline == "Rollback":
        return Move(what="RollBack", reason="DeadlineExceeded", message=overdue)
    if obstacle is not None:
        return _hold(*obstacle)
    if conclusion.broken is not None:
        return _hold(*conclusion.broken)
    if conclusion.harm is not None:
        return _hold("DataQualityDiffers", told(conclusion, conclusion.harm))
    settling = analysis.evidence_since is not None and now - analysis.evidence_since < SETTLING
    missing = [gate for gate, settings in strategy.gates.items() if settings.required and gate in unavailable]
    if missing:
        absent = "; ".join(dict.fromkeys(unavailable[gate] for gate in missing))
        return _hold("EvidenceMissing", absent, settling=settling)
    if late:
        return _hold("DeadlineExceeded", f"{overdue}. Promote or abort it")
    step = step_of(strategy, analysis)
    end = analysis.step_since + step.hold
    if now < end:
        return Move(what="Wait", reason="StepHold", message=f"holds until {end:%H:%M:%S} UTC")
    if strategy.match is not None and not strategy.steps:
        bearers = f"requests with {strategy.match.header}: {strategy.match.value}"
        return Move(what="Wait", reason="Comparing", message=f"{bearers} are its own until a person ends that")
    if analysis.step_requests < strategy.min_requests:
        counted = f"{analysis.step_requests:.0f} of the {strategy.min_requests} requests that this step needs"
        return _hold("TooFewRequests", f"it got {counted}", settling=settling)
    if not is_last(strategy, analysis):
        return Move(what="Advance", reason="StepDone", message="no harm in what this step saw")
    if not conclusion.passes:
        return Move(what="Wait", reason="EvidencePending", message=_pending(conclusion))
    passed = f"{', '.join(conclusion.required)} pass"
    if strategy.approval_required and not approved:
        return _hold(AWAITING_APPROVAL, f"{passed}; a person has to approve it (kubectl leeway approve)")
    return Move(what="Promote", reason="EvidencePassed", message=passed)


def steps_of(strategy: Strategy) -> tuple[Step, ...]:
    """The steps, of which an A/B by header has one: no share of the traffic, and no end of its own."""
    return strategy.steps or (Step(weight=0, hold=strategy.interval * 0),)


def step_of(strategy: Strategy, analysis: Analysis) -> Step:
    """The step under way; where the strategy has lost steps since, its last one."""
    steps = steps_of(strategy)
    return steps[min(analysis.step, len(steps) - 1)]


def is_last(strategy: Strategy, analysis: Analysis) -> bool:
    """Whether all traffic comes next."""
    return analysis.step >= len(steps_of(strategy)) - 1


def is_late(strategy: Strategy, analysis: Analysis, now: datetime) -> bool:
    """Whether the deadline is over."""
    return now - analysis.began >= strategy.deadline


def shares_traffic(strategy: Strategy, analysis: Analysis) -> bool:
    """Whether the arms share the traffic by weight; copies and bearers of a header are no share."""
    return bool(strategy.steps) and not step_of(strategy, analysis).shadow


def described(strategy: Strategy, analysis: Analysis) -> str:
    """The step under way, and what it waits for, from what is remembered: the same between two looks."""
    step, steps = step_of(strategy, analysis), steps_of(strategy)
    number = min(analysis.step, len(steps) - 1) + 1
    if not strategy.steps:
        where = "requests with the header are its own"
    elif step.shadow:
        where = f"step {number} of {len(steps)}: all traffic is mirrored to it"
    else:
        where = f"step {number} of {len(steps)}: {step.weight} % of the traffic"
    counts = f"{analysis.step_requests:.0f} requests at this step"
    required = {gate for gate, settings in strategy.gates.items() if settings.required}
    open_ = [item.gate for item in analysis.findings if item.verdict == "Insufficient" and item.gate in required]
    return f"{where}, {counts}" + (f"; undecided: {', '.join(open_)}" if open_ else "")


def told(conclusion: Conclusion, gate: GateName) -> str:
    """The sentence of a gate."""
    return next((finding.reason for finding in conclusion.findings if finding.gate == gate), gate)


def _hold(reason: str, message: str, *, settling: bool = False) -> Move:
    return Move(what="Wait" if settling else "Hold", reason=reason, message=message)


def _pending(conclusion: Conclusion) -> str:
    """The sentences of the gates that do not pass yet."""
    sentences = [finding.reason for finding in conclusion.findings if finding.gate in conclusion.missing]
    return "; ".join(sentences) or "no evidence yet"
