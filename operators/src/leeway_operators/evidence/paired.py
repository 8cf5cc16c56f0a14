"""Answers of both versions to one request: how much scores differ, and how often labels do."""

from dataclasses import dataclass, replace
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.bounded import Difference, Guess
from leeway_operators.evidence.contrast import Sums, of_pairs
from leeway_operators.evidence.settings import Edges
from leeway_operators.evidence.state import Array, Axes, Count, State, chosen
from leeway_operators.evidence.wealth import (
    CAP,
    LEAST,
    even_start,
    floored_start,
    grown,
    grown_over_floor,
    log_mean,
    log_sum,
)

MORE = np.array([0.02, 0.05, 0.15, 0.4, 0.8])
"""How far a flip rate is from the margin towards 1: what the wealth on harm is spread over."""
FEWER = np.array([0.001, 0.1, 0.25, 0.5, 0.75])
"""Flip rates as shares of the margin: what the wealth on Pass is spread over."""
_LEAST_RATE = 1e-3


def log_factors(n: Array, flips: Array, rate: Array, alternatives: Array) -> Array:
    """Log likelihood ratios of flips at alternative rates to those at `rate`, [..., J].

    Their expectation is linear in the true rate and 1 at `rate`: at most 1 on the side away from the alternative.
    """
    rest = (n - flips)[..., None]
    gains: Array = flips[..., None] * np.log(alternatives / rate) + rest * np.log((1 - alternatives) / (1 - rate))
    return gains


@dataclass(frozen=True, kw_only=True, eq=False)
class Flips(State):
    """How often the versions' labels differ.

    Attributes:
        more: log e-values against a rate of at most the margin, over the whole rollout.
        fewer: log e-values against a rate of at least the margin, since evidence for Pass began.
        ticks: with labelled pairs.
        recent: labelled pairs since evidence for Pass began.
        n: labelled pairs, in all.
        k: flips, in all.
    """

    more: Annotated[Array, Axes((len(MORE),))]
    fewer: Annotated[Array, Axes((len(FEWER),))]
    ticks: Count
    recent: Count
    n: Count
    k: Count

    @classmethod
    def begin(cls) -> Self:
        """No evidence."""
        none = np.zeros(())
        return cls(more=floored_start(len(MORE)), fewer=even_start(len(FEWER)), ticks=none, recent=none, n=none, k=none)

    def after(self, n: Array, flips: Array, *, temper: Array, edges: Edges) -> Self:
        """With one more tick."""
        rate, tolerated = (np.maximum(edge, _LEAST_RATE) for edge in (edges.margin, edges.tolerance))
        more = log_factors(n, flips, tolerated, tolerated + (1.0 - tolerated) * MORE) / temper[..., None]
        fewer = log_factors(n, flips, rate, rate * FEWER) / temper[..., None]
        return type(self)(
            more=grown_over_floor(self.more, np.minimum(more, CAP), self.ticks, n > 0),
            fewer=grown(self.fewer, fewer),
            ticks=self.ticks + (n > 0),
            recent=self.recent + n,
            n=self.n + n,
            k=self.k + flips,
        )

    def fresh(self, where: NDArray[np.bool_]) -> Self:
        """With evidence for Pass begun anew in the rollouts where it is asked for."""
        return replace(
            self,
            fewer=chosen(where, even_start(len(FEWER)), self.fewer, axes=1),
            recent=chosen(where, np.zeros(()), self.recent),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Paired(State):
    """All that is known from pairs.

    Attributes:
        guess: of the next tick's mean difference.
        difference: of scores, candidate minus stable.
        flips: of labels.
        n: pairs, in all.
    """

    guess: Guess
    difference: Difference
    flips: Flips
    n: Count

    @classmethod
    def begin(cls) -> Self:
        """No evidence."""
        return cls(
            guess=Guess.begin(0.0), difference=Difference.begin(two_sided=True), flips=Flips.begin(), n=np.zeros(())
        )

    @property
    def recent(self) -> NDArray[np.bool_]:
        """Whether there were pairs since evidence for Pass began."""
        recent: NDArray[np.bool_] = (self.difference.recent.information > 0) | (self.flips.recent > 0)
        return recent

    @property
    def harm(self) -> Array:
        """Log e-value: the mean over both questions."""
        return log_mean(self.difference.beyond.evidence, log_sum(self.flips.more))

    def within(self, margin: Array) -> Array:
        """Log e-value for Pass: the least over the questions that pairs can answer, scores or labels or both."""
        scores = np.where(self.difference.recent.information > 0, self.difference.within(margin), np.inf)
        labels = np.where(self.flips.recent > 0, log_sum(self.flips.fewer), np.inf)
        return np.where(self.recent, np.minimum(scores, labels), LEAST)

    def after(self, pairs: Sums, labelled: Array, flips: Array, *, temper: Array, edges: Edges) -> Self:
        """With one more tick."""
        tick = of_pairs(pairs, self.guess.mean).tempered(temper)
        return type(self)(
            guess=self.guess.after(pairs),
            difference=self.difference.after(tick, edges.tolerance, CAP),
            flips=self.flips.after(labelled, flips, temper=temper, edges=edges),
            n=self.n + np.maximum(pairs.n, labelled),
        )

    def fresh(self, where: NDArray[np.bool_]) -> Self:
        """With evidence for Pass begun anew in the rollouts where it is asked for."""
        return replace(self, difference=self.difference.fresh(where), flips=self.flips.fresh(where))
