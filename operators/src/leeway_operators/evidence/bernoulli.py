"""Shares of two arms, as of failed or slow requests: is the candidate's higher, is it not higher by a margin.

The stratified two-sample e-value of Turner, Ly and Gruenwald (2024, "Generic E-variables for exact sequential
k-sample tests that allow for optional stopping"), each tick being one block.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.state import Array, Axes, Count, State, chosen
from leeway_operators.evidence.wealth import CAP, even_start, floored_start, grown, grown_over_floor, log_sum

DECAY = 0.98
"""Per tick, towards where one began: what is expected of the next tick rests on about the last fifty."""
PRIOR_REQUESTS = 50.0
LEAST_PRIOR_RATE = 0.01
"""Where history knows fewer errors, or nothing: one surprise at the start must not stand for a burst."""
HARM_SIZES = np.array([0.003, 0.01, 0.03, 0.1, 0.3, 0.6])
"""By how much the candidate's share may be too high: what the wealth is spread over."""
PASS_SIZES = np.array([0.5, 1.0, 2.0])
"""How far the candidate's share may be below the margin's edge, in margins."""
MINIMUM_PASS_TICKS = 30
"""With data in both arms, before a Pass: fewer do not tell how much ticks differ by themselves."""
LARGEST_SURPRISE = 30.0
_EDGE = 1e-6
_BOLDEST = 0.95


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """One tick of two arms: requests `n` and those that count against the arm, `k`; each [...]."""

    candidate_k: Array
    candidate_n: Array
    stable_k: Array
    stable_n: Array

    @property
    def both(self) -> NDArray[np.bool_]:
        """Whether there is anything to compare."""
        return (self.candidate_n > 0) & (self.stable_n > 0)


def log_factors(block: Block, theta_candidate: Array, theta_stable: Array, margin: Array, sign: float) -> Array:
    """Log e-values of one block against `p_c - p_s <= margin` (sign +1) or `>= margin` (sign -1).

    Each request multiplies the wealth by 1 + a (x - c0) in the candidate's arm, by 1 + b (x - s0) in stable's, with
    n_c a = -n_s b. By the inequality of the means the expectation is at most 1 + a n_c (p_c - p_s - margin) / n to the
    power of n, p being the averages of the tick, whatever the guesses theta. With a margin of 0 the steps are those of
    the growth-optimal e-value of the paper.

    Args:
        block: [...].
        theta_candidate: alternatives for the candidate's share, [..., J], fixed before the tick.
        theta_stable: guess of stable's share, [...], fixed before the tick.
        margin: [...], at least 0 and below 1.
        sign: which side is the alternative.

    Returns:
        [..., J]; 0 where an arm has no data.
    """
    both = block.both
    n_c, n_s = (np.where(both, n, 1.0)[..., None] for n in (block.candidate_n, block.stable_n))
    k_c, k_s = (np.where(both, k, 0.0)[..., None] for k in (block.candidate_k, block.stable_k))
    theta_s, m = theta_stable[..., None], margin[..., None]
    s0 = np.clip((n_s * theta_s + n_c * (theta_candidate - m)) / (n_c + n_s), _EDGE, 1.0 - m - _EDGE)
    c0 = s0 + m
    gap = np.maximum(sign * (theta_candidate - theta_s - m), 0.0)
    worst_c, worst_s = (c0, 1.0 - s0) if sign > 0 else (1.0 - c0, s0)
    step = gap / (c0 * (1.0 - c0) / n_c + s0 * (1.0 - s0) / n_s)
    step = np.minimum(step, _BOLDEST * np.minimum(n_c / worst_c, n_s / worst_s))
    a, b = sign * step / n_c, -sign * step / n_s
    gains = (
        k_c * np.log1p(a * (1.0 - c0))
        + (n_c - k_c) * np.log1p(-a * c0)
        + k_s * np.log1p(b * (1.0 - s0))
        + (n_s - k_s) * np.log1p(-b * s0)
    )
    return np.where(both[..., None], gains, 0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class StableRate(State):
    """What stable's share is expected to be, and how far off expectations were.

    Attributes:
        k: decayed count of what counts against stable.
        n: decayed count of requests.
        prior: k at the start, for `PRIOR_REQUESTS` requests.
        surprise: sum of squared standardised errors of the guess, each at most `LARGEST_SURPRISE`.
        ticks: with data.
    """

    k: Count
    n: Annotated[Array, Axes((), least=1.0)]
    prior: Count
    surprise: Count
    ticks: Count

    @classmethod
    def begin(cls, rate: float | None) -> Self:
        """Start from stable's share before the rollout; None: unknown."""
        prior = np.asarray(PRIOR_REQUESTS * max(rate or 0.0, LEAST_PRIOR_RATE))
        none = np.zeros(())
        return cls(k=prior, n=np.asarray(PRIOR_REQUESTS), prior=prior, surprise=none, ticks=none)

    @property
    def theta(self) -> Array:
        """Expected share in the next tick."""
        return np.clip(self.k / self.n, _EDGE, 0.999)

    @property
    def phi(self) -> Array:
        """By how much ticks of stable scatter more than independent requests would; 1 at least."""
        return np.maximum(1.0, (10.0 + self.surprise) / (10.0 + self.ticks))

    def after(self, block: Block) -> Self:
        """With one more tick."""
        seen = block.stable_n > 0
        n = np.where(seen, block.stable_n, 1.0)
        z2 = (block.stable_k - n * self.theta) ** 2 / (n * self.theta * (1.0 - self.theta))
        return type(self)(
            k=np.where(seen, DECAY * self.k + (1.0 - DECAY) * self.prior + block.stable_k, self.k),
            n=np.where(seen, DECAY * self.n + (1.0 - DECAY) * PRIOR_REQUESTS + block.stable_n, self.n),
            prior=self.prior,
            surprise=self.surprise + np.where(seen, np.minimum(z2, LARGEST_SURPRISE), 0.0),
            ticks=self.ticks + seen,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Worse(State):
    """Evidence that the candidate's share is higher than stable's by more than a tolerance.

    Attributes:
        wealth: log e-value per size of harm.
        ticks: with data in both arms.
    """

    wealth: Annotated[Array, Axes((len(HARM_SIZES),))]
    ticks: Count

    @classmethod
    def begin(cls) -> Self:
        """No evidence."""
        return cls(wealth=floored_start(len(HARM_SIZES)), ticks=np.zeros(()))

    @property
    def evidence(self) -> Array:
        """Log e-value."""
        return log_sum(self.wealth)

    def after(self, block: Block, expected: StableRate, tolerance: Array, *, temper: Array, ceiling: float) -> Self:
        """With one more tick; `expected` is from before it, `temper` divides its evidence."""
        theta_c = np.minimum((expected.theta + tolerance)[..., None] + HARM_SIZES, 0.999)
        gains = log_factors(block, theta_c, expected.theta, tolerance, 1.0)
        gains = np.minimum(gains / (expected.phi * temper)[..., None], CAP)
        wealth = grown_over_floor(self.wealth, gains, self.ticks, block.both)
        return type(self)(wealth=np.minimum(wealth, ceiling), ticks=self.ticks + block.both)


@dataclass(frozen=True, kw_only=True, eq=False)
class NoWorse(State):
    """Evidence that the candidate's share is not higher than stable's by the margin.

    Attributes:
        wealth: log e-value per alternative.
        ticks: with data in both arms.
        z: sum of the ticks' standardised differences, which tells how much they scatter by themselves.
        zz: sum of their squares.
    """

    wealth: Annotated[Array, Axes((len(PASS_SIZES),))]
    ticks: Count
    z: Array
    zz: Count

    @classmethod
    def begin(cls) -> Self:
        """No evidence."""
        none = np.zeros(())
        return cls(wealth=even_start(len(PASS_SIZES)), ticks=none, z=none, zz=none)

    def restarted(self, where: NDArray[np.bool_]) -> Self:
        """Without evidence in the rollouts where it is asked for."""
        none = type(self).begin()
        return type(self)(
            wealth=chosen(where, none.wealth, self.wealth, axes=1),
            ticks=chosen(where, none.ticks, self.ticks),
            z=chosen(where, none.z, self.z),
            zz=chosen(where, none.zz, self.zz),
        )

    @property
    def evidence(self) -> Array:
        """Log e-value."""
        return log_sum(self.wealth)

    @property
    def phi(self) -> Array:
        """By how much differences between the arms scatter more than independent requests would; 1 at least."""
        ticks = np.maximum(self.ticks, 1.0)
        return np.maximum(1.0, (5.0 + self.zz - self.z**2 / ticks) / (4.0 + ticks))

    def shown(self, alpha: float) -> NDArray[np.bool_]:
        """Whether the evidence suffices."""
        shown: NDArray[np.bool_] = (self.ticks >= MINIMUM_PASS_TICKS) & (self.evidence >= -math.log(alpha))
        return shown

    def after(self, block: Block, expected: StableRate, margin: Array, *, temper: Array) -> Self:
        """With one more tick; `expected` is from before it, `temper` divides its evidence."""
        theta_c = np.maximum((expected.theta + margin)[..., None] - margin[..., None] * PASS_SIZES, 1e-5)
        gains = log_factors(block, theta_c, expected.theta, margin, -1.0)
        gains = np.minimum(gains / (self.phi * temper)[..., None], CAP)
        both = block.both
        n_c, n_s = np.where(both, block.candidate_n, 1.0), np.where(both, block.stable_n, 1.0)
        spread = np.sqrt(expected.theta * (1.0 - expected.theta) * (1.0 / n_c + 1.0 / n_s))
        z = np.where(both, (block.candidate_k / n_c - block.stable_k / n_s) / spread, 0.0)
        return type(self)(wealth=grown(self.wealth, gains), ticks=self.ticks + both, z=self.z + z, zz=self.zz + z**2)
