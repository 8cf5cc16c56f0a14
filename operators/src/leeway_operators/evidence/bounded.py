"""Gates on means of bounded numbers: are they beyond a tolerance, are they within a margin."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.bernoulli import DECAY
from leeway_operators.evidence.contrast import BETS, Contrast, Sums, of_arms
from leeway_operators.evidence.state import ANY, Array, Axes, Count, State, UnreadableError
from leeway_operators.evidence.wealth import floored_start, grown_over_floor, log_sum


@dataclass(frozen=True, kw_only=True, eq=False)
class Guess(State):
    """Expected mean of the next block of numbers, from earlier ones."""

    n: Annotated[Array, Axes((), least=0.5)]
    sum: Array
    start: Array

    @classmethod
    def begin(cls, start: float) -> Self:
        """As heavy as one number."""
        return cls(n=np.ones(()), sum=np.asarray(start), start=np.asarray(start))

    @property
    def mean(self) -> Array:
        """The guess."""
        return self.sum / self.n

    def after(self, more: Sums) -> Self:
        """With one more block."""
        seen = more.n > 0
        return type(self)(
            n=np.where(seen, DECAY * self.n + (1.0 - DECAY) + more.n, self.n),
            sum=np.where(seen, DECAY * self.sum + (1.0 - DECAY) * self.start + more.sum, self.sum),
            start=self.start,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Beyond(State):
    """Evidence that a difference is beyond a tolerance, above it or on either side.

    Attributes:
        wealth: log e-values per side (above, then below) and bet.
        ticks: that had data.
    """

    wealth: Annotated[Array, Axes((ANY, len(BETS)))]
    ticks: Count

    @classmethod
    def begin(cls, *, two_sided: bool) -> Self:
        """No evidence."""
        return cls(wealth=floored_start(2 if two_sided else 1, len(BETS)), ticks=np.zeros(()))

    @property
    def two_sided(self) -> bool:
        """Whether a difference below counts, too."""
        return bool(self.wealth.shape[-2] > 1)

    @property
    def evidence(self) -> Array:
        """Log e-value."""
        return log_sum(self.wealth.reshape(*self.wealth.shape[:-2], -1))

    def side(self, index: int) -> Array:
        """Log e-value of one side."""
        return log_sum(self.wealth[..., index, :])

    def after(self, tick: Contrast, tolerance: Array, cap: float) -> Self:
        """With one more tick, which adds `cap` nats at most."""
        signs = (1.0, -1.0) if self.two_sided else (1.0,)
        gains = np.stack([tick.gains(sign * tolerance, sign) for sign in signs], axis=-2)
        counts = tick.information > 0
        wealth = grown_over_floor(self.wealth, np.minimum(gains, cap), self.ticks, counts, axes=2)
        return type(self)(wealth=wealth, ticks=self.ticks + counts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Difference(State):
    """All that is known about one difference.

    Attributes:
        beyond: evidence of harm, over the whole rollout.
        whole: the whole rollout's ticks, for the interval.
        recent: those since evidence for Pass began.
    """

    beyond: Beyond
    whole: Contrast
    recent: Contrast

    @classmethod
    def begin(cls, *, two_sided: bool) -> Self:
        """No evidence; one-sided asks only whether the candidate is higher."""
        return cls(beyond=Beyond.begin(two_sided=two_sided), whole=Contrast.none(), recent=Contrast.none())

    def after(self, tick: Contrast, tolerance: Array, cap: float) -> Self:
        """With one more tick."""
        return type(self)(
            beyond=self.beyond.after(tick, tolerance, cap),
            whole=self.whole.with_more(tick),
            recent=self.recent.with_more(tick),
        )

    def fresh(self, where: NDArray[np.bool_]) -> Self:
        """With evidence for Pass begun anew in the rollouts where it is asked for."""
        return replace(self, recent=self.recent.restarted(where))

    def within(self, margin: Array) -> Array:
        """Log e-value for Pass: the least of the sides that are asked for."""
        evidence = self.recent.evidence(margin, -1.0)
        if self.beyond.two_sided:
            evidence = np.minimum(evidence, self.recent.evidence(-margin, 1.0))
        return evidence

    def interval(self, alpha: float, tolerance: Array) -> tuple[Array, Array]:
        """Bounds that hold at all looks together with chance 1 - alpha.

        A bound that the test of harm also tests spends half of its chance there: harm at 4/alpha lies in the interval.
        """
        lower, upper = self.whole.interval(alpha / 2.0)
        enough = math.log(4.0 / alpha)
        lower = np.where(self.beyond.side(0) >= enough, np.fmax(lower, tolerance), lower)
        if self.beyond.two_sided:
            return lower, np.where(self.beyond.side(1) >= enough, np.fmin(upper, -tolerance), upper)
        return lower, self.whole.interval(alpha)[1]

    @classmethod
    def of_document(cls, document: object, where: str) -> Self:
        """As of any state; a difference has one side or two."""
        difference = super().of_document(document, where)
        if difference.beyond.wealth.shape[0] not in {1, 2}:
            raise UnreadableError(f"{where}.beyond.wealth: expected one side or two")
        return difference


@dataclass(frozen=True, kw_only=True, eq=False)
class Means(State):
    """The means of bounded numbers in both arms, and their difference.

    Attributes:
        guess_candidate: of the next block's mean.
        guess_stable: of the next block's mean.
        difference: candidate minus stable.
        candidate_n: numbers of the candidate, in all.
        candidate_sum: of them.
        stable_n: numbers of stable, in all.
        stable_sum: of them.
    """

    guess_candidate: Guess
    guess_stable: Guess
    difference: Difference
    candidate_n: Count
    candidate_sum: Array
    stable_n: Count
    stable_sum: Array

    @classmethod
    def begin(cls, *, two_sided: bool) -> Self:
        """No evidence."""
        none = np.zeros(())
        return cls(
            guess_candidate=Guess.begin(0.5),
            guess_stable=Guess.begin(0.5),
            difference=Difference.begin(two_sided=two_sided),
            candidate_n=none,
            candidate_sum=none,
            stable_n=none,
            stable_sum=none,
        )

    def after(self, blocks: Iterable[tuple[Sums, Sums]], *, temper: Array, tolerance: Array, cap: float) -> Self:
        """With one more tick, whose evidence is divided by `temper`: how many numbers come at once.

        Args:
            blocks: of candidate and stable. Means are compared within each of them alone: its log e-value rests on a
                guess that is fixed before it, and those of several add up to the tick's.
            temper: at least 1.
            tolerance: of a difference that is no harm.
            cap: of what the tick may add, in nats.
        """
        known, tick = self, Contrast.none()
        for candidate, stable in blocks:
            more = of_arms(candidate, stable, known.guess_candidate.mean, known.guess_stable.mean)
            tick = tick.with_more(more.tempered(temper))
            known = replace(
                known,
                guess_candidate=known.guess_candidate.after(candidate),
                guess_stable=known.guess_stable.after(stable),
                candidate_n=known.candidate_n + candidate.n,
                candidate_sum=known.candidate_sum + candidate.sum,
                stable_n=known.stable_n + stable.n,
                stable_sum=known.stable_sum + stable.sum,
            )
        return replace(known, difference=self.difference.after(tick, tolerance, cap))

    def fresh(self, where: NDArray[np.bool_]) -> Self:
        """With evidence for Pass begun anew in the rollouts where it is asked for."""
        return replace(self, difference=self.difference.fresh(where))
