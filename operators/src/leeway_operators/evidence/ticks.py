"""What arrives: counts of both arms over the same minutes, a tick at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Number = float | NDArray[np.float64]
"""A number, or one per rollout of a simulation."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One count in each arm."""

    candidate: Number = 0.0
    stable: Number = 0.0


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Sums over bounded numbers, each in [0, 1] (in [-1, 1] for differences of pairs)."""

    n: Number = 0.0
    sum: Number = 0.0
    sumsq: Number = 0.0


@dataclass(frozen=True, kw_only=True)
class Routed:
    """How the arms shared the traffic, as one witness counted it.

    Attributes:
        requests: that reached an arm.
        seconds: over which they were counted: the scrapes of two servers are seldom equally far apart.
    """

    requests: Pair
    seconds: Pair


@dataclass(frozen=True, kw_only=True)
class CounterTick:
    """What the counters of servers and gateway grew by.

    Attributes:
        seconds: length of the tick.
        routed: what the arms' shares of the traffic are judged by.
        requests: that were answered or failed.
        errors: of them, answers that were no success.
        predicted: that got a prediction, which is what has a latency.
        slow: of them, those over the latency gate's bound.
        weight: the candidate's share of the traffic in force over the whole tick, 0 to 1; None where the arms do not
            share traffic by weight (shadow, header match).
    """

    seconds: Number
    routed: Routed
    requests: Pair
    errors: Pair
    predicted: Pair
    slow: Pair
    weight: Number | None


@dataclass(frozen=True, kw_only=True)
class ArmTick:
    """What one arm saw and said in a tick of the drift detector.

    Attributes:
        requests: answered, as far as the detector saw them.
        rows: in them.
        outputs: by name; only outputs that are bounded by 0 and 1, such as probabilities.
        losses: of predictions whose labels came in this tick, each in [0, 1], by when they were served: the same blocks
            in both arms, oldest first. Within a block both arms saw the same minutes; between blocks their shares of
            the traffic may have changed.
        quality: rows, and those with a fault in their data.
        features: counts per cell (bins, then nulls, then wrong ones), by feature.
    """

    requests: Number = 0.0
    rows: Number = 0.0
    outputs: Mapping[str, Moments] = field(default_factory=dict)
    losses: tuple[Moments, ...] = ()
    quality: tuple[Number, Number] = (0.0, 0.0)
    features: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DetectorTick:
    """One tick of the drift detector.

    Attributes:
        arms_comparable: whether features are counted in the same cells in both arms.
        pairs: of rows answered by both arms: candidate's score minus stable's.
        labelled: pairs with a label in both answers.
        flips: of them, those whose labels differ.
    """

    candidate: ArmTick
    stable: ArmTick
    arms_comparable: bool = True
    pairs: Moments = Moments()
    labelled: Number = 0.0
    flips: Number = 0.0
