"""Which labels compare with each other: never over a change of the shares, and in blocks that are large enough."""

import math

from hypothesis import given
from hypothesis import strategies as st

from leeway_operators.core.served import LEAST_LABELS, Run, blocks_of
from leeway_operators.evidence.ticks import Moments

LOSS = 0.25


def moments(n: int) -> Moments:
    return Moments(n=float(n), sum=n * LOSS, sumsq=n * LOSS * LOSS)


def arm(*counts: int, since: int = 0) -> dict[float, Moments]:
    """Labels of minute after minute."""
    return {60.0 * (since + minute): moments(n) for minute, n in enumerate(counts) if n}


def sizes(candidate: dict[float, Moments], stable: dict[float, Moments], *runs: Run) -> list[tuple[float, float]]:
    return [(float(mine.n), float(theirs.n)) for mine, theirs in blocks_of(candidate, stable, runs)]


ALL: Run = (0.0, math.inf)


def test_large_minutes_stay_apart_and_small_ones_are_joined_with_their_neighbours() -> None:
    assert sizes(arm(10, 1, 1, 2), arm(90, 9, 9, 50), ALL) == [(10, 90), (2, 18), (2, 50)]


def test_the_last_that_are_too_few_join_those_before() -> None:
    assert sizes(arm(10, 1), arm(90, 9), ALL) == [(11, 99)]


def test_nothing_is_joined_over_a_change_of_the_shares() -> None:
    shares = (0.0, 150.0), (150.0, 300.0)  # they change within the third minute, which is in neither
    assert sizes(arm(1, 1, 1, 5, 5), arm(9, 9, 9, 5, 5), *shares) == [(2, 18), (1, 9), (10, 10)]


def test_where_nobody_knows_the_shares_each_minute_is_alone() -> None:
    assert sizes(arm(1, 1), arm(9, 9)) == [(1, 9), (1, 9)]


def test_a_minute_of_one_version_alone_helps_the_next_one() -> None:
    assert sizes(arm(0, 2), arm(19, 19), ALL) == [(2, 38)]


labels = st.lists(st.integers(0, 30), min_size=1, max_size=40)


@given(labels, labels, st.integers(0, 40), st.integers(1, 119))
def test_what_came_before_a_change_and_after_it_is_as_if_it_had_come_apart(
    ours: list[int], theirs: list[int], changed: int, lasted: int
) -> None:
    """The minutes in which the shares changed are alone."""
    end, begin = 60.0 * changed, 60.0 * changed + lasted
    after = changed + math.ceil(lasted / 60)
    parts = [slice(0, changed), *(slice(minute, minute + 1) for minute in range(changed, after)), slice(after, None)]
    apart = [size for part in parts for size in sizes(arm(*ours[part]), arm(*theirs[part]), ALL)]
    assert sizes(arm(*ours), arm(*theirs), (0.0, end), (begin, math.inf)) == apart


@given(labels, labels)
def test_every_label_is_in_a_block_and_none_is_small_but_one_that_is_alone(ours: list[int], theirs: list[int]) -> None:
    known = sizes(arm(*ours), arm(*theirs), ALL)
    assert (sum(mine for mine, _ in known), sum(other for _, other in known)) == (sum(ours), sum(theirs))
    assert len(known) < 2 or all(mine + other >= LEAST_LABELS for mine, other in known)


@given(labels, labels)
def test_whose_labels_they_are_does_not_move_a_block(ours: list[int], theirs: list[int]) -> None:
    assert sizes(arm(*ours), arm(*theirs), ALL) == [
        (mine, other) for other, mine in sizes(arm(*theirs), arm(*ours), ALL)
    ]


def test_where_a_clock_that_was_set_back_makes_spans_overlap_the_latest_counts() -> None:
    assert sizes(arm(1, 1, since=4), arm(9, 9, since=4), (0.0, 600.0), (300.0, math.inf)) == [(1, 9), (1, 9)]
