"""What the operator takes its evidence from: the closed ticks of two slots."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal

from leeway_drift.labels.target import target_of
from leeway_drift.reading.events import Stream
from leeway_drift.service.engine import Engine
from leeway_drift.service.models import (
    ArmAnswer,
    CompareAnswer,
    FeatureCountsAnswer,
    LossesAnswer,
    OutputAnswer,
    PairsAnswer,
    QualityAnswer,
    TickAnswer,
)
from leeway_drift.statistics.performance import Task
from leeway_drift.streaming.comparing import ComparedTick, Comparison, VersionArm
from leeway_drift.streaming.moments import Moments
from leeway_drift.streaming.pairing import LABEL, Pairs
from leeway_drift.streaming.ticks import Output
from leeway_drift.streaming.timeline import Timeline

Role = Literal["candidate", "stable"]

TOLD_LOSSES = 20_000
"""Sums of losses in one answer: a day of labels may come with every tick, and an hour of ticks may wait."""

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

    ticks, last = _page(comparison, after)
    return CompareAnswer(
        epoch=known,
        cursor=f"{known}:{max(last, 0)}",
        coverage={role: engine.views.slots.get((namespace, model, slot)) for slot, role in roles.items()},
        ticks=[_tick(tick, timeline, roles, probabilities) for tick in ticks],
    )


def _page(comparison: Comparison, after: int) -> tuple[list[ComparedTick], int]:
    """The ticks of one answer, one at least if there are any, and the tick that the next answer begins after."""
    ticks, sums = comparison.since(after), 0
    for number, tick in enumerate(ticks):
        sums += sum(len(arm.losses) for arm in tick.arms.values())
        if sums > TOLD_LOSSES and number > 0:
            return ticks[:number], ticks[number - 1].index
    return ticks, comparison.closed


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
        losses=[_losses(minute, moments) for minute, moments in versioned.losses.items()],
        losses_dropped=versioned.dropped,
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


def _losses(minute: int, moments: Moments) -> LossesAnswer:
    served = datetime.fromtimestamp(60 * minute, UTC)
    return LossesAnswer(served=served, n=moments.n, sum=moments.sum, sumsq=moments.sumsq)


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
