"""Means of bounded numbers in two arms, or of differences of pairs: empirical-Bernstein e-processes.

For a number x within 1 of its guess mu, exp(l (x - E x) - psi(l) (x - mu)^2) has expectation at most 1, with
psi(l) = -ln(1 - l) - l (Fan, Grama and Liu 2015; Howard et al. 2021; Waudby-Smith and Ramdas 2024). The logarithm is
linear in the hypothesis, so that the same few sums test any margin and give an interval that is valid at every look.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.bernoulli import Block
from leeway_operators.evidence.state import Array, Axes, Count, State, chosen
from leeway_operators.evidence.ticks import Moments
from leeway_operators.evidence.wealth import log_sum

BETS = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.8])
"""How boldly it is bet on a difference, from subtle to gross: what the wealth is spread over."""
_LOG_BETS = math.log(len(BETS))


def psi(bet: Array) -> Array:
    """Price of a bet per squared error of the guess."""
    price: Array = -np.log1p(-bet) - bet
    return price


@dataclass(frozen=True, kw_only=True, eq=False)
class Contrast(State):
    """What ticks say about a difference D, whatever it is tested against.

    The wealth of a bet l on D > m is l (difference - m information) - penalty, of one on D < m it is
    l (m information - difference) - penalty.

    Attributes:
        difference: sum of the ticks' differences, each by its information.
        information: sum of h = n_c n_s / n (of n/2 for pairs).
        penalty: per bet.
    """

    difference: Array
    information: Count
    penalty: Annotated[Array, Axes((len(BETS),), least=0.0)]

    @classmethod
    def none(cls) -> Self:
        """No evidence."""
        return cls(difference=np.zeros(()), information=np.zeros(()), penalty=np.zeros(len(BETS)))

    @property
    def estimate(self) -> Array:
        """Of D; NaN without data."""
        seen = self.information > 0
        return np.where(seen, self.difference / np.where(seen, self.information, 1.0), np.nan)

    def restarted(self, where: NDArray[np.bool_]) -> Self:
        """Without evidence in the rollouts where it is asked for."""
        return type(self)(
            difference=chosen(where, np.zeros(()), self.difference),
            information=chosen(where, np.zeros(()), self.information),
            penalty=chosen(where, np.zeros(len(BETS)), self.penalty, axes=1),
        )

    def with_more(self, more: Self) -> Self:
        """Both together."""
        return type(self)(
            difference=self.difference + more.difference,
            information=self.information + more.information,
            penalty=self.penalty + more.penalty,
        )

    def tempered(self, phi: Array) -> Self:
        """Worth 1/phi of it; any phi of at least 1 that is known before the tick."""
        return type(self)(
            difference=self.difference / phi, information=self.information / phi, penalty=self.penalty / phi[..., None]
        )

    def gains(self, margin: Array, sign: float) -> Array:
        """Log e-values per bet against D <= margin (sign +1), or D >= margin (sign -1)."""
        edge = sign * (self.difference - margin * self.information)
        return BETS * edge[..., None] - self.penalty

    def evidence(self, margin: Array, sign: float) -> Array:
        """Log e-value against D <= margin (sign +1), or D >= margin (sign -1)."""
        return log_sum(self.gains(margin, sign) - _LOG_BETS)

    def interval(self, alpha: float) -> tuple[Array, Array]:
        """Bounds that hold D at all looks together with chance 1 - alpha, half of alpha at each; NaN without data."""
        seen = self.information > 0
        price = (self.penalty + _LOG_BETS + math.log(2.0 / alpha)) / BETS
        information = np.where(seen, self.information, np.nan)[..., None]
        lower = ((self.difference[..., None] - price) / information).max(axis=-1)
        upper = ((self.difference[..., None] + price) / information).min(axis=-1)
        return np.clip(lower, -1.0, 1.0), np.clip(upper, -1.0, 1.0)


def of_arms(candidate: "Sums", stable: "Sums", guess_candidate: Array, guess_stable: Array) -> Contrast:
    """One tick of two arms with independent numbers in [0, 1]; D is candidate's mean minus stable's.

    Args:
        candidate: sums of the tick.
        stable: sums of the tick.
        guess_candidate: of the mean, fixed before the tick.
        guess_stable: of the mean, fixed before the tick.
    """
    both = (candidate.n > 0) & (stable.n > 0)
    n_c, n_s = np.where(both, candidate.n, 1.0), np.where(both, stable.n, 1.0)
    h, n = np.where(both, n_c * n_s / (n_c + n_s), 0.0), n_c + n_s
    penalty = psi(BETS * (n_s / n)[..., None]) * candidate.errors(guess_candidate)[..., None]
    penalty = penalty + psi(BETS * (n_c / n)[..., None]) * stable.errors(guess_stable)[..., None]
    return Contrast(
        difference=h * (candidate.sum / n_c - stable.sum / n_s),
        information=h,
        penalty=np.where(both[..., None], penalty, 0.0),
    )


def of_shares(block: Block, guess: Array) -> Contrast:
    """One tick of two arms that count what did and did not happen; `guess` is of stable's share."""
    candidate = Sums(n=block.candidate_n, sum=block.candidate_k, sumsq=block.candidate_k)
    stable = Sums(n=block.stable_n, sum=block.stable_k, sumsq=block.stable_k)
    return of_arms(candidate, stable, guess, guess)


def of_pairs(pairs: "Sums", guess: Array) -> Contrast:
    """One tick of differences d in [-1, 1] of pairs; D is their mean. Bets are on d/2, within 1 of its guess."""
    half = Sums(n=pairs.n, sum=pairs.sum / 2.0, sumsq=pairs.sumsq / 4.0)
    return Contrast(
        difference=half.sum,
        information=pairs.n / 2.0,
        penalty=psi(BETS) * half.errors(guess / 2.0)[..., None],
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Sums over the numbers of one arm in one tick, checked; each [...]."""

    n: Array
    sum: Array
    sumsq: Array

    def errors(self, guess: Array) -> Array:
        """Sum of the squared errors of a guess."""
        return np.maximum(self.sumsq - 2.0 * guess * self.sum + self.n * guess**2, 0.0)

    def where(self, good: NDArray[np.bool_]) -> "Sums":
        """These sums in some rollouts, none in the others."""
        return Sums(
            n=np.where(good, self.n, 0.0), sum=np.where(good, self.sum, 0.0), sumsq=np.where(good, self.sumsq, 0.0)
        )

    @property
    def doubts(self) -> "Sums":
        """Of 4 x (1 - x) for numbers x in [0, 1]: 0 where an answer is sure, 1 where it is undecided.

        The squares of doubts are not known; each is at most the doubt itself, which bounds the errors of a guess.
        """
        doubts = 4.0 * np.maximum(self.sum - self.sumsq, 0.0)
        return Sums(n=self.n, sum=np.minimum(doubts, self.n), sumsq=np.minimum(doubts, self.n))


def sums(moments: Moments, least: float) -> tuple[Sums, NDArray[np.bool_]]:
    """Sums that numbers from `least` to 1 can have, and whether they are; 0 in the rollouts where they are not."""
    n, total, squares = (np.asarray(value, dtype=np.float64) for value in (moments.n, moments.sum, moments.sumsq))
    n, total, squares = np.broadcast_arrays(n, total, squares)
    with np.errstate(invalid="ignore", over="ignore"):
        slack = 1e-6 * n + 1e-9
        good = np.isfinite(n) & np.isfinite(total) & np.isfinite(squares)
        good &= (n >= 0) & (total >= least * n - slack) & (total <= n + slack)
        good &= (squares >= -slack) & (squares <= n + slack) & (squares * n >= total**2 - slack * n)
        if least >= 0:
            good &= squares <= total + slack
    return Sums(n=n, sum=total, sumsq=squares).where(good), good
