"""Which labels compare with each other: never over a change of the shares, and in blocks that are large enough."""

import math

from hypothesis import given
from hypothesis import strategies as st

from leeway_operators.core.served import LEAST_LABELS, Block, Run, blocks_of
from leeway_operators.evidence.ticks import Moments

LOSS = 0.25


def moments(n: int) -> Moments:
    return Moments(n=float(n), sum=n * LOSS, sumsq=n * LOSS * LOSS)


def arm(*counts: int, since: int = 0) -> dict[float, Moments]:
    """Labels of minute after minute."""
    return {60.0 * (since + minute): moments(n) for minute, n in enumerate(counts) if n}


Sizes = list[tuple[float, float]]


def labels_of(block: Block) -> tuple[float, float]:
    candidate, stable = block
    return float(candidate.n), float(stable.n)


def compared(candidate: dict[float, Moments], stable: dict[float, Moments], *runs: Run) -> tuple[Sizes, Sizes]:
    """Labels of each block, and those that wait in each run."""
    blocks, left = blocks_of(candidate, stable, runs)
    return [labels_of(block) for block in blocks], [labels_of(run.waiting) for run in left]


ALL = Run(begin=0.0)


def test_large_minutes_stay_apart_and_small_ones_are_joined_with_their_neighbours() -> None:
    assert compared(arm(10, 1, 1), arm(90, 9, 9), ALL) == ([(10, 90), (2, 18)], [(0, 0)])


def test_what_is_too_little_waits_for_more() -> None:
    blocks, runs = blocks_of(arm(10, 1), arm(90, 8), [ALL])
    assert len(blocks) == 1
    more, (run,) = blocks_of(arm(0, 0, 5), arm(0, 0, 6), runs)
    assert [labels_of(block) for block in more] == [(6, 14)]
    assert run == ALL


def test_nothing_is_joined_over_a_change_of_the_shares() -> None:
    shares = Run(begin=0.0, end=150.0), Run(begin=150.0)  # they change within the third minute, which is in neither
    told = compared(arm(1, 1, 1, 5, 4), arm(9, 9, 9, 5, 4), *shares)
    assert told == ([(2, 18), (1, 9)], [(0, 0), (9, 9)])


def test_where_nobody_knows_the_shares_each_minute_is_alone() -> None:
    assert compared(arm(1, 1), arm(9, 9)) == ([(1, 9), (1, 9)], [])


def test_a_minute_of_one_version_alone_helps_the_next_one() -> None:
    assert compared(arm(0, 2), arm(19, 19), ALL)[0] == [(2, 38)]


counts = st.lists(st.integers(0, 30), min_size=1, max_size=40)


@given(counts, counts, st.integers(0, 40), st.integers(1, 119))
def test_what_came_before_a_change_and_after_it_is_as_if_it_had_come_apart(
    ours: list[int], theirs: list[int], changed: int, lasted: int
) -> None:
    """The minutes in which the shares changed are alone."""
    end, begin = 60.0 * changed, 60.0 * changed + lasted
    after = changed + math.ceil(lasted / 60)
    blocks: Sizes = []
    waiting: Sizes = []
    for part in (slice(0, changed), slice(after, None)):
        told, left = compared(arm(*ours[part]), arm(*theirs[part]), ALL)
        blocks, waiting = blocks + told, waiting + left
    alone, _ = compared(arm(*ours[changed:after]), arm(*theirs[changed:after]))
    told, left = compared(arm(*ours), arm(*theirs), Run(begin=0.0, end=end), Run(begin=begin))
    assert sorted(told) == sorted(blocks + alone)
    assert left == waiting


@given(counts, counts)
def test_every_label_is_in_a_block_that_is_large_or_waits(ours: list[int], theirs: list[int]) -> None:
    blocks, waiting = compared(arm(*ours), arm(*theirs), ALL)
    everything = blocks + waiting
    assert (sum(mine for mine, _ in everything), sum(other for _, other in everything)) == (sum(ours), sum(theirs))
    assert all(mine + other >= LEAST_LABELS for mine, other in blocks)
    assert all(mine + other < LEAST_LABELS for mine, other in waiting)


@given(counts, counts)
def test_whose_labels_they_are_does_not_move_a_block(ours: list[int], theirs: list[int]) -> None:
    (blocks, _), (swapped, _) = (
        compared(arm(*mine), arm(*other), ALL) for mine, other in ((ours, theirs), (theirs, ours))
    )
    assert blocks == [(mine, other) for other, mine in swapped]


def test_where_a_clock_that_was_set_back_makes_spans_overlap_the_latest_counts() -> None:
    overlapping = Run(begin=0.0, end=600.0), Run(begin=300.0)
    told = compared(arm(1, 1, since=4), arm(9, 9, since=4), *overlapping)
    assert told == ([], [(1, 9), (1, 9)])
