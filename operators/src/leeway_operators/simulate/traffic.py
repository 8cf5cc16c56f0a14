"""Traffic that never was: what both arms would have counted, for many rollouts at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.ticks import ArmTick, CounterTick, DetectorTick, Moments, Pair, Routed

Counts = NDArray[np.float64]
Rate = Callable[[float], float]
"""A probability by the seconds since the rollout began."""

# A score is drawn from a grid; 16 points carry a mean and a spread as well as a continuum does, and are exact to sum.
_GRID = np.linspace(0.0, 1.0, 16)


def constant(rate: float) -> Rate:
    """The same all the time."""
    return lambda _: rate


def jump(before: float, after: float, at: float) -> Rate:
    """One rate up to a moment (seconds), another from it on."""
    return lambda time: before if time < at else after


NEVER = constant(0.0)
FAULTY = 0.01
"""Share of rows with a fault in their data, in both arms: who sends them does not know the version."""
INPUTS = {"number": [0.05, 0.2, 0.3, 0.25, 0.15, 0.04, 0.01], "category": [0.6, 0.3, 0.09, 0.01]}
"""Shares of the cells of what both versions are sent, by input; the last two are nulls and wrong ones."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """How one version behaves.

    Attributes:
        errors: share of its requests that fail.
        slow: share of its predictions that take longer than the latency gate's bound.
        loss: share of its labelled predictions that are wrong; None: labels never arrive.
        score: mean of what it predicts, between 0 and 1; None: no detector watches.
    """

    errors: Rate
    slow: Rate = NEVER
    loss: float | None = None
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Requests of one model.

    Attributes:
        rps: per second, both arms together; arrivals are Poisson.
        burst: intraclass correlation of the errors of one arm within one tick; 0: independent requests.
        label_share: of the predictions, that get a label in the tick they were made.
        hardness: of the world, added to the loss of both versions.
    """

    rps: float
    stable: Arm
    candidate: Arm
    burst: float = 0.0
    label_share: float = 1.0
    hardness: Rate = NEVER

    def counters(
        self,
        rng: np.random.Generator,
        *,
        time: float,
        seconds: float,
        weight: float,
        rollouts: int,
        shadow: bool = False,
    ) -> CounterTick:
        """One tick of counters.

        Args:
            rng: all randomness.
            time: seconds since the rollout began, when the tick begins.
            seconds: its length.
            weight: the candidate's share, 0 to 1.
            rollouts: length of each array.
            shadow: every request is mirrored to the candidate, whatever the weight.
        """
        expected = self.rps * seconds
        if shadow:
            stable = candidate = rng.poisson(expected, rollouts)
        else:
            candidate = rng.poisson(expected * weight, rollouts)
            stable = rng.poisson(expected * (1.0 - weight), rollouts)
        errors = Pair(
            candidate=self._failed(rng, candidate, self.candidate.errors(time)),
            stable=self._failed(rng, stable, self.stable.errors(time)),
        )
        predicted = Pair(
            candidate=np.subtract(candidate, errors.candidate, dtype=np.float64),
            stable=np.subtract(stable, errors.stable, dtype=np.float64),
        )
        requests = Pair(candidate=candidate.astype(float), stable=stable.astype(float))
        return CounterTick(
            seconds=seconds,
            routed=Routed(requests=requests, seconds=Pair(candidate=seconds, stable=seconds)),
            requests=requests,
            errors=errors,
            predicted=predicted,
            slow=Pair(
                candidate=_some(rng, predicted.candidate, self.candidate.slow(time)),
                stable=_some(rng, predicted.stable, self.stable.slow(time)),
            ),
            weight=None if shadow else weight,
        )

    def detector(self, rng: np.random.Generator, counters: CounterTick, *, time: float) -> DetectorTick:
        """What a drift detector would count of the same requests: one row each; pairs where all traffic is mirrored."""
        pairs, flips = Moments(), np.zeros(np.shape(counters.predicted.candidate))
        if counters.weight is None and self.candidate.score is not None and self.stable.score is not None:
            n, shift = np.asarray(counters.predicted.candidate), self.candidate.score - self.stable.score
            pairs, flips = Moments(n=n, sum=n * shift, sumsq=n * shift**2), _some(rng, n, abs(shift))
        return DetectorTick(
            candidate=self._seen(rng, self.candidate, np.asarray(counters.predicted.candidate), time),
            stable=self._seen(rng, self.stable, np.asarray(counters.predicted.stable), time),
            pairs=pairs,
            flips=flips,
        )

    def _failed(self, rng: np.random.Generator, requests: NDArray[np.int64], rate: float) -> Counts:
        if self.burst == 0.0 or rate in {0.0, 1.0}:
            return _some(rng, requests, rate)
        # Beta-binomial: the tick's own rate varies, with this correlation between any two requests of the tick.
        spread = (1.0 - self.burst) / self.burst
        return _some(rng, requests, rng.beta(rate * spread, (1.0 - rate) * spread, requests.shape))

    def _seen(self, rng: np.random.Generator, arm: Arm, rows: Counts, time: float) -> ArmTick:
        whole = rows.astype(np.int64)
        outputs = {} if arm.score is None else {"score": scores(rng, rows, arm.score)}
        losses: tuple[Moments, ...] = ()
        if arm.loss is not None:
            labelled = _some(rng, rows, self.label_share)
            wrong = _some(rng, labelled, arm.loss + self.hardness(time))
            losses = (Moments(n=labelled, sum=wrong, sumsq=wrong),)
        return ArmTick(
            requests=rows,
            rows=rows,
            outputs=outputs,
            losses=losses,
            quality=(rows, _some(rng, rows, FAULTY)),
            features={name: rng.multinomial(whole, shares).astype(np.float64) for name, shares in INPUTS.items()},
        )


def scores(rng: np.random.Generator, rows: Counts, mean: float, spread: float = 2.0) -> Moments:
    """Sums of `rows` scores with a mean: Beta(spread·mean, spread·(1 - mean)) on a grid, tilted to the exact mean."""
    inner = np.clip(_GRID, 0.02, 0.98)
    weights = inner ** (spread * mean - 1.0) * (1.0 - inner) ** (spread * (1.0 - mean) - 1.0)
    shares = _tilted(weights / weights.sum(), mean)
    counts = rng.multinomial(rows.astype(np.int64), shares)
    return Moments(n=rows, sum=counts @ _GRID, sumsq=counts @ _GRID**2)


def _tilted(shares: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Exponentially tilt a distribution on the grid to a mean; bisection, the mean grows with the tilt."""
    low, high = -200.0, 200.0
    for _ in range(80):
        middle = (low + high) / 2.0
        tilted = shares * np.exp(middle * (_GRID - (middle > 0)))
        tilted /= tilted.sum()
        low, high = (middle, high) if float(tilted @ _GRID) < mean else (low, middle)
    return tilted


def _some(rng: np.random.Generator, of: NDArray[np.int64] | Counts | float, rate: float | Counts) -> Counts:
    return rng.binomial(np.asarray(of).astype(np.int64), rate).astype(float)
