"""Rollouts that are simulated together know nothing of each other, whoever leaves early or waits."""

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.experiment import Experiment
from leeway_operators.evidence.findings import GATES
from leeway_operators.evidence.ticks import CounterTick, Pair, Routed
from leeway_operators.simulate.bars import begin
from leeway_operators.simulate.batch import choose, fresh, harmed, keep, passed, spread
from leeway_operators.simulate.traffic import Arm, Traffic, constant

Column = NDArray[np.float64]
TICKS = 60
ARM = Arm(errors=constant(0.01), slow=constant(0.05), loss=0.2, score=0.3)
TRAFFIC = Traffic(rps=30, stable=ARM, candidate=ARM)


def pair(candidate: float | Column, stable: float | Column) -> Pair:
    return Pair(candidate=candidate, stable=stable)


def tick(errors: float | Column, requests: float | Column = 200.0) -> CounterTick:
    """Errors of the candidate differ between rollouts; stable fails in 2 of 200."""
    arrived = pair(requests, 200.0 + 0.0 * requests)
    return CounterTick(
        seconds=10,
        routed=Routed(requests=arrived, seconds=pair(10.0, 10.0)),
        requests=arrived,
        errors=pair(errors, 2.0 + 0.0 * errors),
        predicted=pair(requests - errors, 198.0 + 0.0 * errors),
        slow=pair(5.0 + 0.0 * errors, 5.0 + 0.0 * errors),
        weight=0.5,
    )


def alone(errors: float, ticks: int = TICKS) -> Experiment:
    """What the operator has of one rollout, with a fresh Pass after half of the ticks."""
    experiment = begin("errors", "latency")
    for number in range(ticks):
        if number == TICKS // 2:
            experiment = experiment.with_fresh_pass()
        experiment = experiment.with_counters(tick(errors))
    return experiment


def evidence(experiment: Experiment) -> tuple[Column, Column]:
    gate = experiment.shares["errors"]
    return np.atleast_1d(gate.worse.evidence), np.atleast_1d(gate.no_worse.evidence)


def test_together_or_alone_the_evidence_is_the_same_whoever_leaves() -> None:
    errors = np.array([2.0, 7.0, 2.0, 0.0, 3.0])
    together, live = spread(begin("errors", "latency"), errors.size), np.arange(errors.size)
    for number in range(TICKS):
        if number == TICKS // 2:
            together = fresh(together, live.size)
        together = together.with_counters(tick(errors[live]))
        rest = ~harmed(together)
        together, live = keep(rest, together), live[rest]
    assert 1 not in live
    assert {0, 2, 3} <= set(live.tolist())
    singles = [evidence(alone(errors[index])) for index in live]
    for side, mine in enumerate(evidence(together)):
        np.testing.assert_allclose(mine, np.concatenate([single[side] for single in singles]), rtol=1e-12)


def test_who_waits_keeps_its_evidence() -> None:
    start = spread(begin("errors"), 3)
    before = start.with_counters(tick(np.array([2.0, 2.0, 2.0])))
    after = before.with_counters(tick(np.array([9.0, 9.0, 9.0])))
    moved = np.array([True, False, True])
    mixed = choose(moved, after, before)
    for mine, new, old in zip(evidence(mixed), evidence(after), evidence(before), strict=True):
        np.testing.assert_array_equal(mine, np.where(moved, new, old))


def test_three_rollouts_are_not_taken_for_three_alternatives() -> None:
    """The tests keep a few alternatives side by side; as many rollouts must not be mixed up with them."""
    rng = np.random.default_rng(1)
    for size in range(1, 8):
        experiment = fresh(spread(begin(*GATES), size), size)
        for _ in range(3):
            arrived = TRAFFIC.counters(rng, time=0, seconds=10, weight=0.5, rollouts=size)
            weighed = experiment.with_counters(arrived).with_detector(TRAFFIC.detector(rng, arrived, time=0.0))
            experiment = choose(np.arange(size) < 1, weighed, experiment)
        left = keep(np.arange(size) < 1, fresh(experiment, size))
        assert evidence(left)[0].shape == (1,)
        assert passed(left.with_counters(tick(np.full(1, 2.0)))).shape == (1,)
