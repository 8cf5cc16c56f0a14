"""What is simulated is what decides: a rollout tried out ends as the operator's decision ends it, at the same look."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from leeway_operators.core.advance import decide, is_last, step_of
from leeway_operators.core.converge import GATEWAY_LAG
from leeway_operators.core.model import Analysis
from leeway_operators.core.strategy import Strategy
from leeway_operators.evidence.experiment import Experiment
from leeway_operators.evidence.ticks import CounterTick, Pair
from leeway_operators.simulate.rollouts import settings_of, try_out
from leeway_operators.simulate.strategy_file import strategy_in
from leeway_operators.simulate.traffic import Arm, Traffic, constant

STEPS = [{"weight": 10, "hold": "1m"}, {"weight": 50}]


def strategy(**fields: Any) -> Strategy:
    return strategy_in({"steps": STEPS, "analysis": {"deadline": "2h"}} | fields)


def traffic(stable: float, candidate: float, rps: float = 50) -> Traffic:
    return Traffic(
        rps=rps,
        stable=Arm(errors=constant(stable), slow=constant(0.05)),
        candidate=Arm(errors=constant(candidate), slow=constant(0.05)),
    )


def one(pair: Pair) -> Pair:
    """Of a single rollout, as the operator has it."""
    return Pair(candidate=np.asarray(pair.candidate).item(), stable=np.asarray(pair.stable).item())


def of_one(tick: CounterTick) -> CounterTick:
    return replace(
        tick,
        routed=replace(tick.routed, requests=one(tick.routed.requests)),
        requests=one(tick.requests),
        errors=one(tick.errors),
        predicted=one(tick.predicted),
        slow=one(tick.slow),
    )


def decided(strategy: Strategy, traffic: Traffic, seed: int) -> tuple[str, float, float]:
    """How one rollout ends by `core.advance.decide`, after how many seconds and requests of the candidate."""
    rng, start = np.random.default_rng(seed), datetime(2026, 1, 1, tzinfo=UTC)
    now, requests = start, 0.0
    analysis = Analysis(began=start, step=0, step_since=start)
    experiment = Experiment.begin(settings_of(strategy, traffic))
    while True:
        lagging = now == analysis.step_since
        length = GATEWAY_LAG if lagging else strategy.interval
        arrived = traffic.counters(
            rng,
            time=(now - analysis.step_since).total_seconds(),
            seconds=length.total_seconds(),
            weight=step_of(strategy, analysis).weight / 100,
            rollouts=1,
        )
        now, tick = now + length, of_one(arrived)
        requests += float(tick.requests.candidate)
        if lagging:
            continue
        experiment = experiment.with_counters(tick)
        analysis = replace(analysis, step_requests=analysis.step_requests + float(tick.requests.candidate))
        move = decide(
            strategy,
            analysis,
            experiment.conclude({}),
            unavailable={},
            obstacle=None,
            approved=True,
            now=now,
        )
        if move.what == "Advance":
            assert not is_last(strategy, analysis)
            analysis = Analysis(began=start, step=analysis.step + 1, step_since=now)
            experiment = experiment.with_fresh_pass()
        elif move.what in {"RollBack", "Promote"} or now - start >= strategy.deadline:
            return move.what, (now - start).total_seconds(), requests


@pytest.mark.parametrize(
    ("wish", "arrives", "ends"),
    [
        (strategy(), traffic(0.01, 0.01), {"Promote"}),
        (strategy(), traffic(0.01, 0.06), {"RollBack"}),
        (strategy(minRequests=2000), traffic(0.01, 0.01), {"Promote"}),
        (strategy(analysis={"deadline": "4m"}), traffic(0.01, 0.01), {"Hold"}),
        (strategy(analysis={"deadline": "4m", "onDeadline": "Rollback"}), traffic(0.01, 0.01), {"RollBack"}),
        (strategy(analysis={"deadline": "2h", "interval": "30s"}), traffic(0.01, 0.015), {"Promote", "RollBack"}),
    ],
    ids=["good", "bad", "many requests", "deadline holds", "deadline rolls back", "between"],
)
def test_a_rollout_ends_as_the_operator_s_decision_ends_it(wish: Strategy, arrives: Traffic, ends: set[str]) -> None:
    for seed in range(3):
        what, seconds, requests = decided(wish, arrives, seed)
        outcomes = try_out(wish, arrives, rollouts=1, rng=np.random.default_rng(seed))
        assert what in ends
        assert outcomes.promoted.item() == (what == "Promote")
        assert outcomes.rolled_back.item() == (what == "RollBack")
        assert outcomes.undecided.item() == (what == "Hold")
        assert (outcomes.seconds.item(), outcomes.requests.item()) == (seconds, requests)


def test_nothing_is_promoted_without_traffic_in_both_arms() -> None:
    outcomes = try_out(
        strategy(minRequests=0, analysis={"deadline": "30m"}),
        traffic(0.01, 0.01, rps=1e-9),
        rollouts=20,
        rng=np.random.default_rng(1),
    )
    assert outcomes.undecided.all()


def test_a_higher_chance_of_errors_is_never_a_better_one() -> None:
    shares = [
        try_out(strategy(), traffic(0.01, bad), rollouts=100, rng=np.random.default_rng(2)).promoted.mean()
        for bad in (0.01, 0.02, 0.04)
    ]
    assert shares[0] > 0.95
    assert shares[2] < 0.05
    assert shares[0] >= shares[1] >= shares[2]


@pytest.mark.parametrize(
    "candidate",
    [
        Arm(errors=constant(0.01), slow=constant(0.4), loss=0.2, score=0.3),
        Arm(errors=constant(0.01), slow=constant(0.05), loss=0.4, score=0.3),
        Arm(errors=constant(0.01), slow=constant(0.05), loss=0.2, score=0.8),
    ],
    ids=["slower", "more often wrong", "other answers"],
)
def test_harm_that_errors_do_not_show_rolls_back(candidate: Arm) -> None:
    stable = Arm(errors=constant(0.01), slow=constant(0.05), loss=0.2, score=0.3)
    arrives = Traffic(rps=50, stable=stable, candidate=candidate)
    outcomes = try_out(strategy(), arrives, rollouts=20, rng=np.random.default_rng(1))
    assert outcomes.rolled_back.all()
    good = replace(arrives, candidate=stable)
    assert not try_out(strategy(), good, rollouts=20, rng=np.random.default_rng(1)).rolled_back.any()


def test_a_shadow_that_all_traffic_is_mirrored_to_is_judged_on_pairs() -> None:
    wish = strategy(steps=[{"weight": 0, "shadow": True}], analysis={"gates": {"predictions": {}}, "deadline": "2h"})
    stable = Arm(errors=constant(0.01), slow=constant(0.05), score=0.3)
    for score, promoted in ((0.3, True), (0.6, False)):
        arrives = Traffic(rps=50, stable=stable, candidate=replace(stable, score=score))
        outcomes = try_out(wish, arrives, rollouts=20, rng=np.random.default_rng(1))
        assert (outcomes.promoted == promoted).all()
        assert (outcomes.rolled_back != promoted).all()
