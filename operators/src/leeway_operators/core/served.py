"""Labels that came in one tick, in blocks of minutes in which their predictions were served."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from leeway_operators.evidence.ticks import Moments

MINUTE = 60.0
LEAST_LABELS = 20
"""Of a block, if there are as many: one of n labels is worth n - 1, so that a twentieth is lost at most."""

Run = tuple[float, float]
"""Begin and end of a span in which the versions' shares of the traffic stayed the same, in seconds since 1970."""
Block = tuple[Moments, Moments]
"""Losses of candidate and stable."""


def blocks_of(candidate: Mapping[float, Moments], stable: Mapping[float, Moments], runs: Sequence[Run]) -> list[Block]:
    """Put losses together as far as that helps, and never over a change of the shares.

    Over minutes with the same shares both versions have the same mix of good and bad minutes. Where a block ends is
    decided by how many labels both have together: neither by whose they are nor by what they say.

    Args:
        candidate: losses by the begin of the minute in which predictions were served, in seconds since 1970.
        stable: likewise.
        runs: oldest first. A minute that lies in none of them is a block of its own.

    Returns:
        Oldest first.
    """
    blocks: list[Block] = []
    for run, minutes in groupby(sorted(candidate.keys() | stable.keys()), key=lambda minute: _run_of(minute, runs)):
        single = [(candidate.get(minute, Moments()), stable.get(minute, Moments())) for minute in minutes]
        blocks += single if run is None else _joined(single)
    return blocks


def _run_of(minute: float, runs: Sequence[Run]) -> Run | None:
    """The latest, where a clock that was set back made them overlap."""
    return next((run for run in reversed(runs) if run[0] <= minute and minute + MINUTE <= run[1]), None)


def _joined(single: Iterable[Block]) -> list[Block]:
    joined: list[Block] = []
    for block in single:
        joined.append(_sum(joined.pop(), block) if joined and _is_small(joined[-1]) else block)
    if len(joined) > 1 and _is_small(joined[-1]):
        last = joined.pop()
        joined.append(_sum(joined.pop(), last))
    return joined


def _is_small(block: Block) -> bool:
    return sum(float(arm.n) for arm in block) < LEAST_LABELS


def _sum(one: Block, other: Block) -> Block:
    candidate, stable = (
        Moments(n=mine.n + more.n, sum=mine.sum + more.sum, sumsq=mine.sumsq + more.sumsq)
        for mine, more in zip(one, other, strict=True)
    )
    return candidate, stable
