"""What the operator takes its evidence from: the closed ticks of two slots."""

from typing import Literal

from leeway_drift.service.engine import Engine
from leeway_drift.service.models import (
    ArmAnswer,
    CompareAnswer,
    FeatureCountsAnswer,
    MomentsAnswer,
    PairsAnswer,
    QualityAnswer,
    TickAnswer,
)
from leeway_drift.streaming.comparing import ComparedTick, VersionArm
from leeway_drift.streaming.moments import Moments
from leeway_drift.streaming.pairing import Pairs
from leeway_drift.streaming.timeline import Timeline

Role = Literal["candidate", "stable"]


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
    epoch, _, position = cursor.rpartition(":")
    after = int(position) if epoch == engine.epoch and position.isdecimal() else -1
    roles: dict[str, Role] = {candidate: "candidate", "b" if candidate == "a" else "a": "stable"}
    timeline = Timeline(detector.lateness)
    coverage = engine.views.slots
    return CompareAnswer(
        epoch=engine.epoch,
        cursor=f"{engine.epoch}:{max(comparison.closed, 0)}",
        coverage={
            role: coverage[namespace, model, slot]
            for slot, role in roles.items()
            if (namespace, model, slot) in coverage
        },
        ticks=[_tick(tick, timeline, roles) for tick in comparison.since(after)],
    )


def _tick(tick: ComparedTick, timeline: Timeline, roles: dict[str, Role]) -> TickAnswer:
    return TickAnswer(
        start=timeline.event_time(tick.index),
        end=timeline.event_time(tick.index + 1),
        arms={roles[slot]: _arm(arm) for slot, arm in tick.arms.items() if slot in roles},
        pairs=_pairs(tick.pairs, 1 if roles["b"] == "candidate" else -1),
    )


def _arm(versioned: VersionArm) -> ArmAnswer:
    arm = versioned.arm
    counts = {} if arm.counts is None or arm.uncounted else arm.counts.features
    return ArmAnswer(
        version=versioned.version,
        profile=versioned.digest,
        requests=arm.requests,
        rows=arm.rows,
        outputs={name: _moments(moments) for name, moments in arm.outputs.items()},
        loss=_moments(arm.loss),
        quality=QualityAnswer(n=arm.quality.n, bad=arm.quality.bad),
        features={
            name: FeatureCountsAnswer(bins=column.bins.tolist(), nulls=column.nulls, wrong=column.wrong)
            for name, column in counts.items()
        },
    )


def _moments(moments: Moments) -> MomentsAnswer:
    return MomentsAnswer(n=moments.n, sum=moments.sum, sumsq=moments.sumsq)


def _pairs(pairs: Pairs, sign: int) -> PairsAnswer:
    difference = pairs.difference
    return PairsAnswer(n=difference.n, sum=sign * difference.sum, sumsq=difference.sumsq, flips=pairs.flips)
