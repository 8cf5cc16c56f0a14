"""Attempts: how one begins, ends, and leaves its slot."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from leeway_operators.core import analysis as analyses
from leeway_operators.core.converge import GATEWAY_LAG, route_stands
from leeway_operators.core.model import OUTCOME_REASONS, Arm, Outcome, Rejected, Release, Rollout, Slot, Status, other
from leeway_operators.core.seen import Seen
from leeway_operators.core.strategy import Strategy
from leeway_operators.core.turn import Turn
from leeway_operators.core.verify import Check
from leeway_operators.evidence.findings import Finding

ALL = 100
# How long a pod that is told to end still answers what it was asked before: KServe's agent drains for 30 s.
POD_DRAIN = timedelta(seconds=30)
# A warm version takes its traffic back at once. One that could not for so long does not keep a newer release waiting.
UNDO_PATIENCE = timedelta(minutes=1)
REJECTED_KEPT = 10
# Why traffic goes back to the version before although the spec does not name it: that goes on whatever the spec says.
ORDERED_UNDO = ("UndoneByCommand", "Probation")


def is_undo(status: Status) -> bool:
    """Whether the candidate is the version before, which is still warm."""
    previous, candidate = status.previous, status.candidate
    return previous is not None and candidate is not None and previous.release.revision == candidate.release.revision


def is_rejected(status: Status, release: Release) -> bool:
    """Whether this release was rolled back, and nobody has asked to retry it."""
    return any(rejected.revision == release.revision for rejected in status.rejected)


# --------------------------------------------------------------------------------------------------- beginning


def choose_candidate(turn: Turn, strategy: Strategy, seen: Seen, *, paused: bool, frozen: bool) -> Turn:  # noqa: PLR0911 guarded, in a fixed order
    """The spec's release goes to the slot that does not serve, unless it was rejected."""
    target, candidate = turn.rollout.release, turn.status.candidate
    if candidate is not None and turn.status.promoting in ORDERED_UNDO:
        return _while_undoing(turn, candidate, seen, still=paused or frozen)
    if turn.status.has_stable(target):
        if candidate is None:
            return turn
        why = f"the spec is back at version {target.version}, which is stable"
        return _given_up(turn, candidate, ("Withdrawn", "SpecReverted"), why, seen)
    if paused or (candidate is not None and candidate.release.revision == target.revision):
        return turn
    previous = turn.status.previous
    rejected = is_rejected(turn.status, target)
    warm = previous is not None and previous.release.revision == target.revision and not rejected
    if frozen and not (warm and strategy.on_revert == "Instant"):
        return turn
    if candidate is not None:
        why = f"version {target.version} was released"
        turn = _given_up(turn, candidate, ("Superseded", "NewRelease"), why, seen)
    if rejected or turn.status.leaving is not None:
        return turn
    if previous is not None and not warm:
        turn = turn.having(analysis=None, probation_until=None)
        if not is_drained(turn, seen, previous.slot):
            return turn
    stable = turn.status.stable
    slot = other(stable.slot) if stable is not None else _first_slot(seen, target.revision)
    return turn.having(
        candidate=Arm(slot=slot, release=target, since=turn.now),
        previous=previous if warm and strategy.on_revert == "Instant" else None,
        analysis=None,
        probation_until=None,
        approved=None,
        decisions=(),
    )


def _first_slot(seen: Seen, revision: str) -> Slot:
    return "b" if seen.slots["b"].runs(revision) and not seen.slots["a"].runs(revision) else "a"


def begin(turn: Turn, strategy: Strategy, check: Check | None, *, paused: bool, frozen: bool) -> Turn:
    """A verified candidate begins its first step, or takes all traffic where nothing is to be compared (any more)."""
    status = turn.status
    arm = status.candidate
    if arm is None or check is None or not check.ok or status.promoting is not None:
        return turn
    if status.analysis is not None and strategy.analysed:
        return turn
    if is_undo(status):
        return turn if paused else turn.having(promoting="Reverted")
    if paused or frozen:
        return turn
    if status.stable is None or not strategy.analysed:
        return turn.having(promoting="Verified")
    turn = turn.decided("Verified", check.message, arm=arm, weight=0)
    return turn.having(analysis=analyses.begun(turn.now))


# ------------------------------------------------------------------------------------------------------ ending


def roll_back(turn: Turn, arm: Arm, reason: str, why: str, findings: Iterable[Finding] = ()) -> Turn:
    """The traffic of the candidate `arm` goes back to stable, and its release is rejected."""
    turn = turn.ended(arm, "RolledBack", reason, why, weight=0, findings=findings)
    turn = turn.having(candidate=None, leaving=arm, analysis=None, promoting=None, approved=None)
    return reject(turn, arm.release, reason)


def reject(turn: Turn, release: Release, reason: str) -> Turn:
    """The release is not tried again until somebody asks for it, or the spec names another one."""
    rejected = Rejected(
        version=release.version, revision=release.revision, digest=release.digest, reason=reason, time=turn.now
    )
    others = (entry for entry in turn.status.rejected if entry.revision != release.revision)
    return turn.having(rejected=(rejected, *others)[:REJECTED_KEPT])


def undo(turn: Turn, stable: Arm, previous: Arm, reason: str) -> Turn:
    """`previous`, which is warm, takes all traffic back, and `stable` is rejected."""
    turn = reject(turn, stable.release, reason)
    return turn.having(
        candidate=replace(previous, since=turn.now), promoting=reason, analysis=None, probation_until=None
    )


def _given_up(turn: Turn, arm: Arm, ending: tuple[Outcome, str], why: str, seen: Seen) -> Turn:
    """The attempt ends without a verdict; a slot that may have traffic is left alone for a while."""
    asked = turn.status.analysis is not None or turn.status.weights.of(arm.slot) > 0
    asked = asked or (seen.route is not None and seen.route.weights.of(arm.slot) > 0)
    turn = turn.ended(arm, *ending, why, weight=0)
    # The version before keeps its own role, and is warm for as long as it was to be.
    leaving = arm if asked and not is_undo(turn.status) else None
    return turn.having(candidate=None, leaving=leaving, analysis=None, promoting=None, approved=None)


def _while_undoing(turn: Turn, arm: Arm, seen: Seen, *, still: bool) -> Turn:
    """An undo that was ordered goes on, unless its version is gone, or cannot serve and a newer release waits."""
    if not seen.slots[arm.slot].runs(arm.release.revision):
        return _not_undone(turn, arm, f"slot {arm.slot} does not run it any more", leaving=None)
    target, status = turn.rollout.release, turn.status
    known = status.has_stable(target) or arm.release.revision == target.revision or is_rejected(status, target)
    in_time = status.weights.of(arm.slot) > 0 or turn.now - arm.since < UNDO_PATIENCE
    if known or still or in_time:
        return turn
    return _not_undone(turn, arm, f"it does not serve, and version {target.version} was released", leaving=arm)


def _not_undone(turn: Turn, arm: Arm, why: str, *, leaving: Arm | None) -> Turn:
    """The traffic stays with the version that serves, which is rejected no longer, as nothing else can."""
    why = f"{why}; the version that serves keeps the traffic"
    turn = turn.decided("UndoFailed", why, arm=arm, weight=0, warning=True)
    stable = turn.status.stable
    kept = (entry for entry in turn.status.rejected if stable is None or entry.revision != stable.release.revision)
    return turn.having(candidate=None, previous=None, leaving=leaving, promoting=None, rejected=tuple(kept))


def full_share(strategy: Strategy, status: Status) -> int:
    """Percent of a promoted version: all, but for what the version before keeps in probation."""
    taken_back = status.promoting in ("Reverted", *ORDERED_UNDO)
    alone = status.stable is None or taken_back or status.analysis is None or not strategy.probation
    return ALL if alone else ALL - strategy.probation_weight


def finish_switch(turn: Turn, strategy: Strategy, seen: Seen) -> Turn:
    """The route has the candidate's full share, as was intended: the roles swap."""
    status, arm, reason = turn.status, turn.status.candidate, turn.status.promoting
    if arm is None or reason is None or seen.route is None or seen.route.weights != status.weights:
        return turn
    if status.weights.of(arm.slot) != full_share(strategy, status):
        return turn
    why = f"slot {arm.slot} has {status.weights.of(arm.slot)} % of the traffic"
    if reason == "Probation":
        # The version that was found worse has its record since then.
        turn = turn.decided("Undone", why, arm=arm, weight=status.weights.of(arm.slot))
    else:
        outcome = next(outcome for outcome, reasons in OUTCOME_REASONS.items() if reason in reasons)
        turn = turn.ended(arm, outcome, reason, why, weight=status.weights.of(arm.slot))
    before, rejected = status.stable, status.stable is not None and is_rejected(status, status.stable.release)
    on_probation = status.analysis is not None and before is not None and bool(strategy.probation)
    return turn.having(
        stable=replace(arm, since=turn.now),
        candidate=None,
        promoting=None,
        approved=None,
        previous=replace(before, since=turn.now) if before is not None and not rejected else None,
        leaving=before if rejected else None,
        # At its new share the tests go on with counts that begin there.
        analysis=analyses.fresh_step(status.analysis, status.analysis.step, turn.now)
        if on_probation and status.analysis is not None
        else None,
        probation_until=turn.now + strategy.probation if on_probation else None,
    )


# ----------------------------------------------------------------------------------------------------- leaving


def finish_leaving(turn: Turn, seen: Seen) -> Turn:
    """The slot of an attempt that has ended has surely been sent its last request."""
    leaving = turn.status.leaving
    # Without weight it may still get copies of requests, or those with a header, until the route is the plain one.
    plain = route_stands(turn.rollout, turn.status, seen, exposed=False)
    gone = leaving is not None and plain and is_drained(turn, seen, leaving.slot)
    return turn.having(leaving=None) if gone else turn


def finish_probation(turn: Turn, strategy: Strategy, *, still: bool) -> Turn:
    """The promoted version has stood its test; what is kept from it is more traffic, which it gets in no pause."""
    until, stable = turn.status.probation_until, turn.status.stable
    if until is None or stable is None:
        return turn
    # Whatever clock or strategy said then, it never lasts longer than it does by now.
    if turn.now < min(until, stable.since + strategy.probation) and turn.status.previous is not None:
        return turn
    if still and turn.status.weights.of(stable.slot) < ALL:
        return turn
    why = "nothing spoke against it" if turn.status.previous is not None else "no version before it is left"
    turn = turn.decided("ProbationEnded", why, arm=stable, weight=ALL)
    return turn.having(analysis=None, probation_until=None)


def expire_previous(turn: Turn, strategy: Strategy, seen: Seen, *, paused: bool) -> Turn:
    """The previous version is warm for the rollback window, unless it is being taken back or is gone."""
    previous, candidate = turn.status.previous, turn.status.candidate
    if previous is None or (candidate is not None and candidate.slot == previous.slot):
        return turn
    compared = turn.status.probation_until is not None and strategy.probation_weight > 0
    wanted = turn.rollout.release.revision == previous.release.revision and not paused
    expired = turn.now - previous.since >= strategy.rollback_window and not wanted and not compared
    expired = expired and is_drained(turn, seen, previous.slot)
    if not expired and seen.slots[previous.slot].runs(previous.release.revision):
        return turn
    return turn.having(previous=None)


def is_drained(turn: Turn, seen: Seen, slot: Slot) -> bool:
    """Whether a slot that had traffic gets none any more: the route says so, and the gateway has surely followed."""
    since = drained_since(turn.status, turn.rollout, seen)
    return since is not None and since <= turn.now and seen.route is not None and seen.route.weights.of(slot) == 0


def drained_since(status: Status, rollout: Rollout, seen: Seen) -> datetime | None:
    """From when on a slot without weight has answered all it was asked; None if the gateway is still to follow."""
    followed = followed_since(status, seen)
    return followed + GATEWAY_LAG + max(rollout.timeout - POD_DRAIN, timedelta(0)) if followed is not None else None


def followed_since(status: Status, seen: Seen) -> datetime | None:
    """Since when the gateway has taken over the route as it is; None: it has not yet."""
    route, noted = seen.route, status.route
    if route is None or noted is None or not route.followed or noted.generation != route.generation:
        return None
    return noted.since
