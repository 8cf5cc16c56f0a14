"""The gate on predictions: does the candidate answer as stable does, over the same minutes or to the same requests."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.bounded import Means
from leeway_operators.evidence.contrast import Sums, sums
from leeway_operators.evidence.paired import Paired
from leeway_operators.evidence.settings import Edges
from leeway_operators.evidence.state import Array, Count, State
from leeway_operators.evidence.ticks import DetectorTick
from leeway_operators.evidence.wealth import CAP, LEAST, log_mean

MOST_OUTPUTS = 3
"""That are watched, first by name: each costs the others some of the budget, and the document some room."""
DOUBTS = 2.0
"""Margin of the mean doubt, in margins of the mean. A mean that shifts by d moves the mean of x (1 - x) by d at most,
the doubt by 4 d; half of that is asked for, because this is where shuffled inputs show that leave the mean as it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Output(State):
    """One output of the model: its mean, and its mean doubt 4 x (1 - x), which tells answers of equal mean apart."""

    mean: Means
    doubt: Means

    @property
    def harm(self) -> Array:
        """Log e-value: the mean over both questions."""
        return log_mean(self.mean.difference.beyond.evidence, self.doubt.difference.beyond.evidence)

    @classmethod
    def begin(cls) -> Self:
        """No evidence."""
        return cls(mean=Means.begin(two_sided=True), doubt=Means.begin(two_sided=True))

    def after(self, candidate: Sums, stable: Sums, *, temper: Array, edges: Edges) -> Self:
        """With one more tick."""
        edge = edges.tolerance
        mean = self.mean.after([(candidate, stable)], temper=temper, tolerance=edge, cap=CAP)
        doubts = [(candidate.doubts, stable.doubts)]
        doubt = self.doubt.after(doubts, temper=temper, tolerance=DOUBTS * edge, cap=CAP)
        return type(self)(mean=mean, doubt=doubt)

    def fresh(self, where: NDArray[np.bool_]) -> Self:
        """With evidence for Pass begun anew in the rollouts where it is asked for."""
        return type(self)(mean=self.mean.fresh(where), doubt=self.doubt.fresh(where))


def _outputs(tick: DetectorTick) -> list[str]:
    """That both arms gave, if any: the first by name."""
    both = tick.candidate.outputs.keys() & tick.stable.outputs.keys()
    answered = [name for name in both if all(np.any(arm.outputs[name].n) for arm in (tick.candidate, tick.stable))]
    return sorted(answered)[:MOST_OUTPUTS]


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions(State):
    """All that is known about predictions.

    Attributes:
        outputs: by name; those of the first tick in which both arms answered.
        paired: from requests that both versions answered.
        ignored: ticks of which some sums could not be.
    """

    outputs: Mapping[str, Output]
    paired: Paired
    ignored: Count

    @classmethod
    def begin(cls) -> Self:
        """No evidence."""
        return cls(outputs={}, paired=Paired.begin(), ignored=np.zeros(()))

    @property
    def harm(self) -> Array:
        """Log e-value: the mean over all questions, half of it for pairs."""
        return log_mean(log_mean(*(output.harm for output in self.outputs.values())), self.paired.harm)

    def within(self, margin: Array) -> Array:
        """Log e-value for Pass: of pairs where there are any, else the least over the outputs."""
        apart = np.asarray(LEAST)
        if self.outputs:
            least = [
                np.minimum(
                    output.mean.difference.within(margin),
                    output.doubt.difference.within(DOUBTS * margin),
                )
                for output in self.outputs.values()
            ]
            apart = np.minimum.reduce(np.broadcast_arrays(*least))
        return np.where(self.paired.recent, self.paired.within(margin), apart)

    def after(self, tick: DetectorTick, edges: Edges, *, temper: Array) -> Self:
        """With one more tick."""
        ignored: NDArray[np.bool_] = np.zeros((), dtype=np.bool_)
        known = self.outputs or {name: Output.begin() for name in _outputs(tick)}
        outputs = dict(known)
        for name in known.keys() & tick.candidate.outputs.keys() & tick.stable.outputs.keys():
            candidate, good_c = sums(tick.candidate.outputs[name], least=0.0)
            stable, good_s = sums(tick.stable.outputs[name], least=0.0)
            ignored = ignored | ~good_c | ~good_s
            good = good_c & good_s
            outputs[name] = known[name].after(candidate.where(good), stable.where(good), temper=temper, edges=edges)
        pairs, good = sums(tick.pairs, least=-1.0)
        labelled, flips = (np.asarray(value, dtype=np.float64) for value in (tick.labelled, tick.flips))
        good = good & np.isfinite(labelled) & (flips >= 0) & (flips <= labelled)
        paired = self.paired.after(
            pairs.where(good),
            np.where(good, labelled, 0.0),
            np.where(good, flips, 0.0),
            temper=temper,
            edges=edges,
        )
        return replace(self, outputs=outputs, paired=paired, ignored=self.ignored + (ignored | ~good))

    def fresh(self, where: NDArray[np.bool_]) -> Self:
        """With evidence for Pass begun anew in the rollouts where it is asked for."""
        outputs = {name: output.fresh(where) for name, output in self.outputs.items()}
        return replace(self, outputs=outputs, paired=self.paired.fresh(where))
