"""Labels that came in one tick, in blocks of minutes in which their predictions were served."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from leeway_operators.evidence.ticks import Moments

MINUTE = 60.0
LEAST_LABELS = 20
"""Of a block where the shares of the traffic are known: one of n labels is worth n - 1, a twentieth is lost at most."""

Block = tuple[Moments, Moments]
"""Losses of candidate and stable over the same minutes."""
NO_LOSSES: Block = (Moments(), Moments())


@dataclass(frozen=True, kw_only=True)
class Run:
    """A span in which the versions' shares of the traffic stayed the same.

    Attributes:
        begin: seconds since 1970.
        end: likewise; infinite while it lasts.
        waiting: losses of its minutes that are too few for a block.
    """

    begin: float
    end: float = math.inf
    waiting: Block = NO_LOSSES

    def holds(self, minute: float) -> bool:
        """Whether the minute that begins then lies in it as a whole."""
        return self.begin <= minute and minute + MINUTE <= self.end


def blocks_of(
    candidate: Mapping[float, Moments], stable: Mapping[float, Moments], runs: Sequence[Run]
) -> tuple[list[Block], tuple[Run, ...]]:
    """Put losses together as far as that helps, and never over a change of the shares.

    Over minutes with the same shares both versions have the same mix of good and bad minutes. Where a block ends is
    decided by how many labels both have together: neither by whose they are nor by what they say. A minute that lies in
    no run is a block of its own.

    Args:
        candidate: losses by the begin of the minute in which predictions were served, in seconds since 1970.
        stable: likewise.
        runs: oldest first.

    Returns:
        Blocks, and the runs with what waits for more.
    """
    blocks: list[Block] = []
    waiting = [run.waiting for run in runs]
    for minute in sorted(candidate.keys() | stable.keys()):
        block = candidate.get(minute, Moments()), stable.get(minute, Moments())
        # The latest run, where a clock that was set back made two overlap.
        index = next((index for index in reversed(range(len(runs))) if runs[index].holds(minute)), None)
        if index is not None:
            waiting[index] = block = _sum(waiting[index], block)
            if sum(float(arm.n) for arm in block) < LEAST_LABELS:
                continue
            waiting[index] = NO_LOSSES
        blocks.append(block)
    return blocks, tuple(replace(run, waiting=rest) for run, rest in zip(runs, waiting, strict=True))


def _sum(one: Block, other: Block) -> Block:
    candidate, stable = (
        Moments(n=mine.n + more.n, sum=mine.sum + more.sum, sumsq=mine.sumsq + more.sumsq)
        for mine, more in zip(one, other, strict=True)
    )
    return candidate, stable
