"""The comparison under way: when its sources are asked, and what their answers add."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from leeway_operators.core import comparing, counters
from leeway_operators.core.evidence import CounterReading, DetectorReading, Evidence, Missing, Question
from leeway_operators.core.model import Analysis, Arm, Rollout, Status
from leeway_operators.core.served import NO_LOSSES, Run
from leeway_operators.core.strategy import Strategy, strategy_of
from leeway_operators.evidence.experiment import Experiment, Settings, UnreadableError
from leeway_operators.evidence.findings import Conclusion, GateName

_OF_COUNTERS: tuple[GateName, ...] = ("errors", "latency")
_OF_DETECTOR: tuple[GateName, ...] = ("predictions", "dataQuality", "labels")
# Once the version before has no traffic left, only labels still come: late, and for a day. Every look writes a status.
_LABELS_INTERVAL = timedelta(minutes=1)
# More changes of the weights than a rollout has steps; labels of predictions before these compare minute by minute.
_KEPT_RUNS = 12


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Who is compared: the new version with the one it is to replace; in probation, both have swapped their roles."""

    candidate: Arm
    stable: Arm


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What one look at the sources came to.

    Attributes:
        unavailable: gates whose evidence is missing, stale or lossy at this look, and why.
        lost: why the evidence so far was thrown away; None: it was not.
    """

    analysis: Analysis
    conclusion: Conclusion
    unavailable: Mapping[GateName, str]
    lost: str | None


def arms_of(status: Status) -> Arms | None:
    """The arms of the comparison under way, if there is one."""
    if status.analysis is None or status.stable is None or status.promoting is not None:
        return None
    if status.candidate is not None:
        return Arms(candidate=status.candidate, stable=status.stable)
    if status.previous is not None and status.probation_until is not None:
        return Arms(candidate=status.stable, stable=status.previous)
    return None


def wants_evidence(rollout: Rollout, memory: Status, now: datetime) -> Question | None:
    """What the sources are to be asked at this look; None: nothing.

    One look per interval, and none before counts surely belong to the step.
    """
    arms, analysis = arms_of(memory), memory.analysis
    if arms is None or analysis is None or analysis.evidence_since is None or now < analysis.evidence_since:
        return None
    interval = look_interval(strategy_of(rollout.spec), memory)
    if analysis.looked is not None and timedelta(0) <= now - analysis.looked < interval:
        return None
    return Question(
        candidate=arms.candidate.slot,
        revisions={arm.slot: arm.release.revision for arm in (arms.candidate, arms.stable)},
        cursor=analysis.cursor,
        history=analysis.experiment is None or analysis.threshold is None,
    )


def look_interval(strategy: Strategy, status: Status) -> timedelta:
    """Shortest time between two looks at the sources."""
    labels_alone = status.candidate is None and strategy.probation_weight == 0
    return max(strategy.interval, _LABELS_INTERVAL) if labels_alone else strategy.interval


def begun(now: datetime) -> Analysis:
    """The first step, with nothing known."""
    return Analysis(began=now, step=0, step_since=now)


def fresh_step(analysis: Analysis, step: int, now: datetime) -> Analysis:
    """At another share of the traffic: Pass is judged on what comes from here on, evidence of harm stays.

    An experiment that cannot be read is left to the next look, which says so.
    """
    document = analysis.experiment
    if document is not None:
        with suppress(UnreadableError):
            document = Experiment.of_document(document).with_fresh_pass().document()
    return replace(
        analysis,
        step=step,
        step_since=now,
        step_requests=0.0,
        evidence_since=None,
        runs=tuple(replace(run, waiting=NO_LOSSES) for run in analysis.runs),
        experiment=document,
        held=None,
    )


def looked(
    strategy: Strategy,
    analysis: Analysis,
    evidence: Evidence,
    arms: Arms,
    *,
    weight: float | None,
    sample: float,
    now: datetime,
) -> Looked:
    """Fold one look's answers into the tests, and ask them what is known.

    Args:
        strategy: the wish. Alphas, margins and stable's rates are frozen in the experiment when it begins.
        analysis: as remembered; its `evidence_since` has come.
        evidence: what the sources answered.
        arms: who is compared.
        weight: the candidate's share of the traffic, 0 to 1; None where the arms do not share it by weight.
        sample: share of the requests that is reported to the detector.
        now: the time.
    """
    since, before = analysis.evidence_since or now, analysis.looked
    unavailable: dict[GateName, str] = {}
    experiment, lost = _read(analysis)
    analysis = replace(analysis, looked=now, runs=_runs(analysis, since, now))
    if lost is not None:
        analysis = replace(analysis, step_since=now, step_requests=0.0, counters={})

    reading = evidence.counters
    if isinstance(reading, CounterReading):
        threshold = analysis.threshold or strategy.latency_threshold or counters.threshold_of(reading.history)
        analysis = replace(analysis, threshold=threshold)
        if experiment is None:
            experiment = Experiment.begin(_settings(strategy, reading, threshold))
        experiment, analysis, problem = _counted(
            experiment, analysis, reading, arms, weight=weight, now=now, since=since
        )
        unavailable |= dict.fromkeys(_OF_COUNTERS, problem) if problem is not None else {}
        unavailable |= _latency_problem(analysis, reading)
    else:
        unavailable |= dict.fromkeys(_OF_COUNTERS, reading.reason)

    if isinstance(evidence.detector, Missing):
        unavailable |= dict.fromkeys(_OF_DETECTOR, evidence.detector.reason)
    elif experiment is not None:
        experiment, analysis, problem = _detected(
            experiment,
            analysis,
            evidence.detector,
            arms,
            since=since,
            before=before,
            sample=sample,
            mirrored=weight is None,
        )
        unavailable |= dict.fromkeys(_OF_DETECTOR, problem) if problem is not None else {}

    conclusion = experiment.conclude(unavailable) if experiment is not None else Conclusion()
    analysis = replace(
        analysis,
        experiment=experiment.document() if experiment is not None else None,
        findings=conclusion.findings,
    )
    return Looked(analysis=analysis, conclusion=conclusion, unavailable=unavailable, lost=lost)


def _read(analysis: Analysis) -> tuple[Experiment | None, str | None]:
    if analysis.experiment is None:
        return None, None
    try:
        return Experiment.of_document(analysis.experiment), None
    except UnreadableError as error:
        return None, f"status.analysis.experiment is not as it was written ({error}); the evidence begins anew"


def _settings(strategy: Strategy, reading: CounterReading, threshold: float | None) -> Settings:
    return Settings(
        alpha_rollback=strategy.alpha_rollback,
        alpha_promote=strategy.alpha_promote,
        gates=strategy.gates,
        history=counters.history_of(reading.history, threshold),
    )


def _counted(
    experiment: Experiment,
    analysis: Analysis,
    reading: CounterReading,
    arms: Arms,
    *,
    weight: float | None,
    now: datetime,
    since: datetime,
) -> tuple[Experiment, Analysis, str | None]:
    advanced = counters.advance(
        analysis.counters,
        reading,
        now=now.timestamp(),
        since=since.timestamp(),
        threshold=analysis.threshold,
        weight=weight,
        candidate=arms.candidate.slot,
    )
    analysis = replace(analysis, counters=advanced.kept)
    tick = advanced.tick
    if tick is None:
        return experiment, analysis, advanced.reason
    analysis = replace(
        analysis,
        step_requests=analysis.step_requests + float(tick.requests.candidate),
        candidate_requests=analysis.candidate_requests + float(tick.requests.candidate),
        candidate_failures=analysis.candidate_failures + float(tick.errors.candidate),
    )
    return experiment.with_counters(tick), analysis, advanced.reason


def _latency_problem(analysis: Analysis, reading: CounterReading) -> Mapping[GateName, str]:
    if analysis.threshold is None:
        known = "stable gave too few predictions in the hour before to choose a latency threshold from"
        return {"latency": f"{known}; name one in spec.strategy.analysis.gates.latency.threshold"}
    problem = counters.threshold_problem(analysis.threshold, reading)
    return {"latency": problem} if problem is not None else {}


def _detected(
    experiment: Experiment,
    analysis: Analysis,
    reading: DetectorReading,
    arms: Arms,
    *,
    since: datetime,
    before: datetime | None,
    sample: float,
    mirrored: bool,
) -> tuple[Experiment, Analysis, str | None]:
    compared = comparing.compared(
        reading,
        since=since.timestamp(),
        candidate=arms.candidate.release.version,
        stable=arms.stable.release.version,
        epoch=analysis.epoch,
        looked=before.timestamp() if before is not None else None,
        sample=sample,
        mirrored=mirrored,
        runs=(*analysis.runs[:-1], replace(analysis.runs[-1], end=math.inf)),
    )
    runs = (*compared.runs[:-1], replace(compared.runs[-1], end=analysis.runs[-1].end))
    for tick in compared.ticks:
        experiment = experiment.with_detector(tick)
    analysis = replace(analysis, epoch=reading.epoch, cursor=reading.cursor, runs=runs)
    return experiment, analysis, compared.reason


def _runs(analysis: Analysis, since: datetime, now: datetime) -> tuple[Run, ...]:
    """With this step's until now, the last."""
    here = next((run for run in analysis.runs if run.begin == since.timestamp()), Run(begin=since.timestamp()))
    earlier = [run for run in analysis.runs if run.begin != here.begin]
    return (*earlier, replace(here, end=now.timestamp()))[-_KEPT_RUNS:]
