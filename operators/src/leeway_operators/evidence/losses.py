"""The gate on labels: is the candidate's loss on labelled predictions higher than stable's."""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.bounded import Means
from leeway_operators.evidence.contrast import sums
from leeway_operators.evidence.settings import Edges
from leeway_operators.evidence.state import Array, Count, State
from leeway_operators.evidence.ticks import Moments


@dataclass(frozen=True, kw_only=True, eq=False)
class Losses(State):
    """All that is known about losses.

    Attributes:
        means: of the losses, each in [0, 1].
        ignored: ticks whose sums could not be.
    """

    means: Means
    ignored: Count

    @classmethod
    def begin(cls) -> Self:
        """No evidence."""
        return cls(means=Means.begin(two_sided=False), ignored=np.zeros(()))

    def after(self, candidate: Moments, stable: Moments, edges: Edges, *, temper: Array) -> Self:
        """With one more tick. It may add any wealth: labels of a whole day arrive at once, and then no more."""
        sums_c, good_c = sums(candidate, least=0.0)
        sums_s, good_s = sums(stable, least=0.0)
        good = good_c & good_s
        means = self.means.after(
            sums_c.where(good), sums_s.where(good), temper=temper, tolerance=edges.tolerance, cap=math.inf
        )
        return type(self)(means=means, ignored=self.ignored + ~good)

    def fresh(self, where: NDArray[np.bool_]) -> Self:
        """With evidence for Pass begun anew in the rollouts where it is asked for."""
        return replace(self, means=self.means.fresh(where))
