"""What the operator takes its evidence from: the closed ticks of two slots."""

from collections.abc import Callable, Mapping
from typing import Literal

from leeway_drift.labels.target import target_of
from leeway_drift.reading.events import Stream
from leeway_drift.service.engine import Engine
from leeway_drift.service.models import (
    ArmAnswer,
    CompareAnswer,
    FeatureCountsAnswer,
    MomentsAnswer,
    OutputAnswer,
    PairsAnswer,
    QualityAnswer,
    TickAnswer,
)
from leeway_drift.statistics.performance import Task
from leeway_drift.streaming.comparing import ComparedTick, VersionArm
from leeway_drift.streaming.moments import Moments
from leeway_drift.streaming.pairing import LABEL, Pairs
from leeway_drift.streaming.ticks import Output
from leeway_drift.streaming.timeline import Timeline

Role = Literal["candidate", "stable"]

Probabilities = Callable[[VersionArm], frozenset[str]]
"""The columns of a version's answers that are probabilities."""


def compare(
    engine: Engine, namespace: str, model: str, candidate: Literal["a", "b"], cursor: str
) -> CompareAnswer | None:
    """The ticks after a cursor, None for an unknown model; by the engine's thread.

    A cursor of another epoch, or none, stands before the first tick.
    """
    detector = engine.detector
    comparison = detector.comparisons.get((namespace, model))
    if comparison is None:
        return None
    known = f"{engine.epoch}.{detector.rewound}" if detector.rewound else engine.epoch
    epoch, _, position = cursor.rpartition(":")
    after = int(position) if epoch == known and position.isdecimal() else -1
    roles: dict[str, Role] = {candidate: "candidate", "b" if candidate == "a" else "a": "stable"}
    timeline = Timeline(detector.lateness)

    def probabilities(arm: VersionArm) -> frozenset[str]:
        manifest = engine.manifest(Stream(namespace, model, arm.version))
        target = target_of(manifest, arm.arm.outputs)
        return frozenset() if target is None or target.task is Task.REGRESSION else frozenset(target.columns)

    return CompareAnswer(
        epoch=known,
        cursor=f"{known}:{max(comparison.closed, 0)}",
        coverage={role: engine.views.slots.get((namespace, model, slot)) for slot, role in roles.items()},
        ticks=[_tick(tick, timeline, roles, probabilities) for tick in comparison.since(after)],
    )


def _tick(
    tick: ComparedTick, timeline: Timeline, roles: Mapping[str, Role], probabilities: Probabilities
) -> TickAnswer:
    arms = {slot: arm for slot, arm in tick.arms.items() if slot in roles}
    return TickAnswer(
        start=timeline.event_time(tick.index),
        end=timeline.event_time(tick.index + 1),
        arms={roles[slot]: _arm(arm, probabilities(arm)) for slot, arm in arms.items()},
        pairs=_pairs(
            tick.pairs,
            sign=1 if roles["b"] == "candidate" else -1,
            classified=all(probabilities(arm) for arm in arms.values() if arm.arm.outputs),
        ),
    )


def _arm(versioned: VersionArm, probabilities: frozenset[str]) -> ArmAnswer:
    arm = versioned.arm
    cells, counts, quality = versioned.cells, arm.counts, arm.quality
    if counts is None or arm.uncounted:
        cells, counts = None, None
    if arm.compared is not None:
        cells, counts = arm.compared.cells.digest, arm.compared.counts
        quality = arm.compared.quality if arm.compared.cells.whole else quality
    return ArmAnswer(
        version=versioned.version,
        profile=versioned.digest,
        requests=arm.requests,
        rows=arm.rows,
        outputs={
            name: _output(output, declared=name in probabilities)
            for name, output in arm.outputs.items()
            if name != LABEL
        },
        loss=_moments(versioned.loss),
        quality=QualityAnswer(n=quality.n, bad=quality.bad),
        cells=cells,
        features={
            name: FeatureCountsAnswer(bins=column.bins.tolist(), nulls=column.nulls, wrong=column.wrong)
            for name, column in ({} if counts is None else counts.features).items()
        },
    )


def _output(output: Output, *, declared: bool) -> OutputAnswer:
    n, total, squares = output.moments.n, output.moments.sum, output.moments.sumsq
    bounded = declared and output.outside == 0
    if bounded:  # float32 rounds, and some models round to three digits: a probability a little off is its bound
        total = min(max(total, 0.0), float(n))
        squares = min(squares, total)
    return OutputAnswer(n=n, sum=total, sumsq=squares, bounded=bounded)


def _moments(moments: Moments) -> MomentsAnswer:
    return MomentsAnswer(n=moments.n, sum=moments.sum, sumsq=moments.sumsq)


def _pairs(pairs: Pairs, *, sign: int, classified: bool) -> PairsAnswer:
    n, total, squares = pairs.difference.n, pairs.difference.sum, pairs.difference.sumsq
    bounded = classified and pairs.outside == 0
    if bounded:  # as of an output
        total, squares = min(max(total, -float(n)), float(n)), min(squares, float(n))
    return PairsAnswer(
        n=n,
        sum=sign * total,
        sumsq=squares,
        bounded=bounded,
        labelled=pairs.labelled,
        flips=pairs.flips,
        mismatched=pairs.mismatched,
    )
