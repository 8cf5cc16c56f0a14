"""Ticks and experiments for the tests of the evidence package."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from leeway_operators.evidence.experiment import Experiment, GateSettings, Settings
from leeway_operators.evidence.findings import GATES, GateName
from leeway_operators.evidence.ticks import ArmTick, CounterTick, DetectorTick, Moments, Number, Pair, Routed


def experiment(*gates: GateName, required: bool = True) -> Experiment:
    """Begun, with these gates or all of them."""
    return Experiment.begin(
        Settings(
            alpha_rollback=0.01,
            alpha_promote=0.05,
            gates={gate: GateSettings(required=required) for gate in gates or GATES},
        )
    )


def counted(
    n: tuple[Number, Number],
    failed: tuple[Number, Number] = (0.0, 0.0),
    slow: tuple[Number, Number] = (0.0, 0.0),
    weight: Number | None = None,
    seconds: tuple[Number, Number] = (10.0, 10.0),
) -> CounterTick:
    """A tick of candidate and stable; what was answered was predicted."""
    requests = Pair(candidate=n[0], stable=n[1])
    return CounterTick(
        seconds=10.0,
        routed=Routed(requests=requests, seconds=Pair(candidate=seconds[0], stable=seconds[1])),
        requests=requests,
        errors=Pair(candidate=failed[0], stable=failed[1]),
        predicted=Pair(candidate=n[0], stable=n[1]),
        slow=Pair(candidate=slow[0], stable=slow[1]),
        weight=weight,
    )


def moments(values: Iterable[float]) -> Moments:
    """Sums over numbers."""
    known = list(values)
    return Moments(n=float(len(known)), sum=sum(known), sumsq=sum(value * value for value in known))


def spread(n: float, mean: float, half: float = 0.1) -> Moments:
    """Of n numbers, half of them above and half below their mean."""
    return Moments(n=n, sum=n * mean, sumsq=n * (mean * mean + half * half))


def arm(
    n: float,
    *,
    score: float = 0.3,
    loss: float | None = 0.2,
    faulty: float = 0.0,
    cells: Iterable[float] = (1, 1, 1, 1),
) -> ArmTick:
    """One arm's tick: scores and losses around their means, inputs shared among cells in these proportions."""
    shares = np.asarray(list(cells), dtype=np.float64)
    return ArmTick(
        requests=n,
        rows=n,
        outputs={"probability": spread(n, score)},
        losses=(spread(n, loss),) if loss is not None else (),
        quality=(n, faulty * n),
        features={"delay": n * shares / shares.sum()},
    )


def detected(candidate: ArmTick, stable: ArmTick, **more: Any) -> DetectorTick:
    """A tick of the detector."""
    return DetectorTick(candidate=candidate, stable=stable, **more)
