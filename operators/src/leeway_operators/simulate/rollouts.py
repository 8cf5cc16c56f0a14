"""A strategy, tried many times: the rules of `core.advance.decide` over the shipped tests, all rollouts at once.

Each rollout has its own clock: those at the same step are simulated together, by the time since they got there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leeway_operators.core.converge import GATEWAY_LAG
from leeway_operators.core.strategy import Strategy
from leeway_operators.evidence.experiment import Experiment, History, Settings
from leeway_operators.simulate.batch import broken, choose, fresh, harmed, keep, passed, spread
from leeway_operators.simulate.traffic import Traffic

_LAG = GATEWAY_LAG.total_seconds()


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """How each rollout ended; arrays of one length.

    Attributes:
        promoted: every required gate passed at the last step.
        rolled_back: harm was proven (or the deadline came, where it rolls back).
        seconds: from the first step until then; the deadline for those that never decided.
        requests: that the candidate got until then.
        failed: of them, those that failed.
    """

    promoted: NDArray[np.bool_]
    rolled_back: NDArray[np.bool_]
    seconds: NDArray[np.float64]
    requests: NDArray[np.float64]
    failed: NDArray[np.float64]

    @property
    def undecided(self) -> NDArray[np.bool_]:
        """Held at the deadline."""
        return ~(self.promoted | self.rolled_back)


def try_out(
    strategy: Strategy,
    traffic: Traffic,
    *,
    rollouts: int,
    rng: np.random.Generator,
    progress: Callable[[float], None] = lambda _: None,
) -> Outcomes:
    """Run a strategy through its steps.

    Args:
        strategy: with at least one step.
        traffic: the same from beginning to end.
        rollouts: how many.
        rng: all randomness.
        progress: told the share of rollouts that are decided, now and then.
    """
    interval, deadline = strategy.interval.total_seconds(), strategy.deadline.total_seconds()
    watched = traffic.candidate.score is not None or traffic.candidate.loss is not None
    promoted, rolled_back = np.zeros(rollouts, bool), np.zeros(rollouts, bool)
    seconds, requests, failed = np.zeros(rollouts), np.zeros(rollouts), np.zeros(rollouts)
    experiment = spread(Experiment.begin(settings_of(strategy, traffic)), rollouts)
    live = np.arange(rollouts)

    for index, step in enumerate(strategy.steps):
        last = index == len(strategy.steps) - 1
        experiment = fresh(experiment, live.size)
        inside, counted, since, lagging = np.ones(live.size, bool), np.zeros(live.size), 0.0, True
        while inside.any():
            # What comes before the gateway has surely followed the weight reaches the candidate, but is no evidence.
            length = _LAG if lagging else interval
            tick = traffic.counters(
                rng, time=since, seconds=length, weight=step.weight / 100, rollouts=live.size, shadow=step.shadow
            )
            since, here = since + length, live[inside]
            seconds[here] += length
            requests[here] += np.asarray(tick.requests.candidate)[inside]
            failed[here] += np.asarray(tick.errors.candidate)[inside]
            if lagging:
                lagging = False
                continue
            weighed = experiment.with_counters(tick)
            if watched:
                weighed = weighed.with_detector(traffic.detector(rng, tick, time=since))
            experiment = weighed if inside.all() else choose(inside, weighed, experiment)
            counted += np.asarray(tick.requests.candidate)
            harm = inside & harmed(experiment)
            late = inside & ~harm & (seconds[live] >= deadline)
            done = inside & ~harm & ~late & ~broken(experiment) & (counted >= strategy.min_requests)
            done &= since >= step.hold.total_seconds()
            if last:
                done &= passed(experiment)
                promoted[live[done]] = True
            rolled_back[live[harm | late if strategy.on_deadline == "Rollback" else harm]] = True
            inside &= ~(harm | late | done)
            ended = harm | late | (done & last)
            if ended.any():
                rest = ~ended
                live, inside, counted, experiment = live[rest], inside[rest], counted[rest], keep(rest, experiment)
                progress(1.0 - live.size / rollouts)
        if not live.size:
            break
    return Outcomes(promoted=promoted, rolled_back=rolled_back, seconds=seconds, requests=requests, failed=failed)


def settings_of(strategy: Strategy, traffic: Traffic) -> Settings:
    """What the tests begin with: the strategy's, and stable's true rates for its hour of history."""
    return Settings(
        alpha_rollback=strategy.alpha_rollback,
        alpha_promote=strategy.alpha_promote,
        gates=strategy.gates,
        history=History(errors=traffic.stable.errors(0.0), slow=traffic.stable.slow(0.0)),
    )
