"""`status`: all models as a table, or one of them with its evidence."""

import argparse
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from leeway_operators.cli import plot
from leeway_operators.cli.session import EndedError, Session
from leeway_operators.cli.table import row, table
from leeway_operators.core.documents import rollout_of, status_of, unreadable
from leeway_operators.core.figures import count, span
from leeway_operators.core.model import Analysis, Rollout, Status
from leeway_operators.core.strategy import Strategy, strategy_of
from leeway_operators.evidence.findings import Finding

# Below this share of the evidence that is needed, how fast it grows is anybody's guess.
_FEW = 0.05


def add(verbs: Any, where: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser("status", help="what serves, what comes up, and what the evidence says", parents=[where])
    parser.add_argument("name", nargs="?", help="one model, in full (default: all)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace, session: Session) -> None:
    if options.name is not None:
        for line in described(session.rollout(options.name), session.now()):
            session.say(line)
        return
    found = session.cluster.rollouts(session.namespace)
    if not found:
        raise EndedError("no ModelRollout found")
    session.say(table(map(row, found), namespaces=session.namespace is None))


def described(body: dict[str, Any], now: datetime) -> Iterator[str]:
    """Lines about one rollout."""
    rollout, status = rollout_of(body), status_of(body)
    strategy = strategy_of(rollout.spec)
    yield f"{rollout.name}: {status.phase}"
    yield ""
    yield from _arms(status, now)
    yield f"  {'message':<10} {row(body)[-1]}"
    yield from _standing(rollout, status, now)
    for broken in unreadable(body):
        yield f"  {'status':<10} {broken}; forgotten"
    if status.analysis is None:
        return
    yield from _analysis(strategy, status.analysis, now, under_way=status.candidate is not None)
    findings = status.analysis.findings
    if findings:
        yield ""
        yield from plot.gates(findings)
        drawn = list(plot.intervals(findings))
        if drawn:
            yield from ("", *drawn)
        yield ""
        for finding in findings:
            # In probation nothing is to Pass any more.
            more = _more(finding, strategy, status.analysis) if status.candidate is not None else ""
            yield f"  {finding.reason}{more}"


def _arms(status: Status, now: datetime) -> Iterator[str]:
    arms = {"stable": status.stable, "candidate": status.candidate, "previous": status.previous}
    for role, arm in arms.items():
        if arm is not None:
            weight = status.weights.of(arm.slot)
            since = span(now - arm.since)
            yield (
                f"  {role:<10} version {arm.release.version} ({arm.release.revision}), slot {arm.slot}, "
                f"{weight} % of the traffic, for {since}"
            )


def _standing(rollout: Rollout, status: Status, now: datetime) -> Iterator[str]:
    """What holds it beyond the evidence, and what a person said."""
    if status.paused_by is not None:
        yield f"  {'paused':<10} by {status.paused_by.by}, {span(now - status.paused_by.at)} ago"
    if status.probation_until is not None:
        yield f"  {'probation':<10} for another {span(status.probation_until - now)}"
    for rejected in status.rejected:
        if rejected.revision == rollout.release.revision:
            ago = span(now - rejected.time)
            yield f"  {'rejected':<10} version {rejected.version} ({rejected.reason}), {ago} ago; retry tries it again"
    last = status.last_command
    if last is not None:
        command = last.command
        ago = span(now - last.time)
        yield f"  {'command':<10} {command.verb} by {command.by}, {ago} ago: {last.outcome}, {last.message}"


def _analysis(strategy: Strategy, analysis: Analysis, now: datetime, *, under_way: bool) -> Iterator[str]:
    if under_way:
        steps = max(len(strategy.steps), 1)
        number = min(analysis.step + 1, steps)
        needed = f" of at least {strategy.min_requests}" if strategy.steps else ""
        since = span(now - analysis.step_since)
        yield f"  {'step':<10} {number} of {steps}, for {since}; {count(analysis.step_requests)}{needed} requests"
    requests, failures = count(analysis.candidate_requests), count(analysis.candidate_failures)
    yield f"  {'counted':<10} {requests} requests to the candidate since the analysis began, {failures} of them failed"
    if under_way:
        left = analysis.began + strategy.deadline - now
        yield f"  {'deadline':<10} {f'in {span(left)}' if left > timedelta(0) else 'over'}, then {strategy.on_deadline}"
    looked = f"looked at {span(now - analysis.looked)} ago" if analysis.looked is not None else "not looked at yet"
    yield f"  {'evidence':<10} {looked}"
    if analysis.held is not None:
        yield f"  {'held':<10} {analysis.held[0]}: {analysis.held[1]}"


def _more(finding: Finding, strategy: Strategy, analysis: Analysis) -> str:
    """How much longer a Pass takes if evidence grows as it did; nothing where that is not known."""
    # At the last step Pass is judged on evidence begun there.
    last = analysis.step >= len(strategy.steps) - 1
    began = (analysis.evidence_since or analysis.step_since) if last else analysis.began
    progress, looked = finding.progress, analysis.looked
    if finding.verdict != "Insufficient" or progress is None or not _FEW <= progress < 1 or looked is None:
        return ""
    left = (looked - began) * ((1 - progress) / progress)
    return f" (about {span(left)} more at this rate)" if left > timedelta(0) else ""
