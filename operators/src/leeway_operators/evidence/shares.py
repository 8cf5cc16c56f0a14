"""A gate on a share: of requests that failed, of predictions that were slow, of rows with faulty data."""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.bernoulli import Block, NoWorse, StableRate, Worse
from leeway_operators.evidence.contrast import Contrast, of_shares
from leeway_operators.evidence.settings import Edges
from leeway_operators.evidence.state import Array, Count, State
from leeway_operators.evidence.ticks import Pair


def block_of(n: Pair, k: Pair) -> tuple[Block, NDArray[np.bool_]]:
    """Counts of a tick, and whether they can be: finite and 0 <= k <= n; 0 in the rollouts where they cannot."""
    values = np.broadcast_arrays(
        *(np.asarray(value, dtype=np.float64) for value in (k.candidate, n.candidate, k.stable, n.stable))
    )
    k_c, n_c, k_s, n_s = values
    good = np.isfinite(n_c) & np.isfinite(n_s) & (k_c >= 0) & (k_s >= 0) & (k_c <= n_c) & (k_s <= n_s)
    k_c, n_c, k_s, n_s = (np.where(good, value, 0.0) for value in values)
    return Block(candidate_k=k_c, candidate_n=n_c, stable_k=k_s, stable_n=n_s), good


@dataclass(frozen=True, kw_only=True, eq=False)
class Shares(State):
    """All that is known about one share in both arms.

    Attributes:
        stable: what is expected of stable.
        worse: evidence of harm, over the whole rollout.
        no_worse: evidence for Pass, since it began.
        whole: the whole rollout's ticks, for the interval.
        candidate_k: what counts against the candidate, in all.
        candidate_n: of how many.
        stable_k: what counts against stable, in all.
        stable_n: of how many.
        ignored: ticks whose counts could not be.
    """

    stable: StableRate
    worse: Worse
    no_worse: NoWorse
    whole: Contrast
    candidate_k: Count
    candidate_n: Count
    stable_k: Count
    stable_n: Count
    ignored: Count

    @classmethod
    def begin(cls, history: float | None = None) -> Self:
        """No evidence; `history` is stable's share before the rollout."""
        none = np.zeros(())
        return cls(
            stable=StableRate.begin(history),
            worse=Worse.begin(),
            no_worse=NoWorse.begin(),
            whole=Contrast.none(),
            candidate_k=none,
            candidate_n=none,
            stable_k=none,
            stable_n=none,
            ignored=none,
        )

    def after(self, n: Pair, k: Pair, edges: Edges, *, temper: Array, ceiling: float = math.inf) -> Self:
        """With one more tick.

        Args:
            n: what is counted.
            k: of it, what counts against an arm.
            edges: of the gate.
            temper: divides the tick's evidence: how many of what is counted come at once.
            ceiling: of the wealth on harm.
        """
        block, good = block_of(n, k)
        return type(self)(
            stable=self.stable.after(block),
            worse=self.worse.after(block, self.stable, edges.tolerance, temper=temper, ceiling=ceiling),
            no_worse=self.no_worse.after(block, self.stable, edges.margin, temper=temper),
            whole=self.whole.with_more(of_shares(block, self.stable.theta).tempered(self.stable.phi * temper)),
            candidate_k=self.candidate_k + block.candidate_k,
            candidate_n=self.candidate_n + block.candidate_n,
            stable_k=self.stable_k + block.stable_k,
            stable_n=self.stable_n + block.stable_n,
            ignored=self.ignored + ~good,
        )

    def interval(self, alpha: float, tolerance: Array) -> tuple[Array, Array]:
        """Bounds of the difference that hold at all looks together with chance 1 - alpha.

        Half of the lower bound's chance is spent on the test of harm: where that proves harm at 4/alpha, which it does
        whenever it fires within a budget shared by four gates, the interval lies above the tolerance, too.
        """
        lower, _ = self.whole.interval(alpha / 2.0)
        _, upper = self.whole.interval(alpha)
        proven = self.worse.evidence >= math.log(4.0 / alpha)
        return np.where(proven, np.fmax(lower, tolerance), lower), upper

    def fresh(self, where: NDArray[np.bool_]) -> Self:
        """With evidence for Pass begun anew in the rollouts where it is asked for."""
        return replace(self, no_worse=self.no_worse.restarted(where))
