"""The gate on labels: is the candidate's loss on labelled predictions higher than stable's, in the same minutes.

Labels come late, over hours in which both the level of the losses and the versions' shares of the traffic changed. Over
such hours together, equally good versions have unequal means, since each has its own share of the worse ones. Each
block of minutes is therefore compared by itself, and the log e-values are added: their sum is one under the null
hypothesis that in no block the candidate's mean loss is higher (by more than the margin), whatever the levels are.
A block of n labels is worth n - 1 of them.
"""

import math
from collections.abc import Sequence
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

    def after(self, candidate: Sequence[Moments], stable: Sequence[Moments], edges: Edges, *, temper: Array) -> Self:
        """With one more tick. It may add any wealth: labels of a whole day arrive at once, and then no more.

        Args:
            candidate: its losses by block.
            stable: its losses in the same blocks; an arm without labels may have none.
            edges: of the gate.
            temper: divides the tick's evidence: how many labels come at once.
        """
        ignored: NDArray[np.bool_] = np.zeros((), dtype=np.bool_)
        blocks = []
        for one, other in zip(candidate, stable, strict=False):
            sums_c, good_c = sums(one, least=0.0)
            sums_s, good_s = sums(other, least=0.0)
            good = good_c & good_s
            ignored = ignored | ~good
            blocks.append((sums_c.where(good), sums_s.where(good)))
        means = self.means.after(blocks, temper=temper, tolerance=edges.tolerance, cap=math.inf)
        return type(self)(means=means, ignored=self.ignored + ignored)

    def fresh(self, where: NDArray[np.bool_]) -> Self:
        """With evidence for Pass begun anew in the rollouts where it is asked for."""
        return replace(self, means=self.means.fresh(where))
