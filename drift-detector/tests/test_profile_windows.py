from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.profile.windows import TICK_SECONDS, choose_window, cut_windows

gaps = st.lists(st.sampled_from([0, 0, 1, 7, 10, 100, 5000]), max_size=80)


@given(gaps, st.integers(1, 20), st.sampled_from([0.0, 5.0, 60.0, 3600.0]))
def test_windows_are_whole_ticks_that_reach_rows_and_seconds(steps: list[int], rows: int, seconds: float):
    time = np.cumsum([1_000_003, *steps])
    offsets = cut_windows(time, rows, seconds).tolist()
    ticks = time // TICK_SECONDS
    begin = int(ticks[0])
    for start, end in pairwise(offsets):
        assert end - start >= rows
        if end < time.size:
            assert ticks[end] > ticks[end - 1]
            assert (ticks[end] - begin) * TICK_SECONDS >= seconds
        begin = max(int(ticks[end - 1]) + 1, begin + int(np.ceil(seconds / TICK_SECONDS)))


def test_window_closes_with_the_tick_that_brings_the_last_row():
    time = np.array([0, 1, 2, 3, 11, 12, 25])
    assert cut_windows(time, 2, 0).tolist() == [0, 4, 6]


def test_window_lasts_its_seconds_however_many_rows_it_has():
    time = np.arange(0, 1000)
    assert cut_windows(time, 10, 300).tolist() == [0, 300, 600, 900]


def test_window_begins_where_the_one_before_ends_even_if_nothing_comes():
    time = np.array([0, 1, 95, 96, 200, 201])
    assert cut_windows(time, 2, 20).tolist() == [0, 2, 4, 6]


def test_rows_that_never_fill_a_window_are_in_none():
    assert cut_windows(np.arange(5), 100, 0).tolist() == [0]
    assert cut_windows(np.empty(0, dtype=np.int64), 1, 0).tolist() == [0]


def test_a_day_is_preferred_and_rows_give_way_before_it():
    assert choose_window(np.arange(60 * 1500) * 58) == (1000, 86_400.0)
    assert choose_window(np.arange(60 * 300) * 288) == (200, 86_400.0)


def test_a_short_reference_gets_the_longest_window_that_it_has_enough_of():
    assert choose_window(np.arange(40_000)) == (500, 600.0)
