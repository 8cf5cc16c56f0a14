from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.columns import Rows
from leeway_drift.reading.events import Stream
from leeway_drift.streaming.dedup import RecentKeys
from leeway_drift.streaming.event_queue import EventQueue
from leeway_drift.streaming.streams import Streams, TooManyStreams
from leeway_drift.streaming.window import Entry, Window

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Item:
    """Something to queue."""

    number: int
    nbytes: int


@given(st.lists(st.one_of(st.none(), st.integers(0, 12)), max_size=60), st.integers(1, 5), st.integers(0, 20))
def test_the_queue_keeps_its_bounds_and_loses_nothing_unnoticed(
    steps: list[int | None], max_items: int, max_bytes: int
):
    queue: EventQueue[Item] = EventQueue(max_items, max_bytes)
    pushed, popped, dropped = [], [], []
    for number, size in enumerate(steps):
        if size is None:
            popped += [item] if (item := queue.pop()) else []
        else:
            pushed.append(Item(number, size))
            dropped += queue.push(pushed[-1])
        assert len(queue) <= max_items
        assert queue.nbytes <= max_bytes
    while item := queue.pop():
        popped.append(item)
    assert queue.nbytes == 0
    assert popped == sorted(popped, key=lambda item: item.number)
    assert sorted(popped + dropped, key=lambda item: item.number) == pushed


def test_the_oldest_gives_way():
    queue: EventQueue[Item] = EventQueue(2, 100)
    first, second, third = (Item(number, 1) for number in range(3))
    assert [queue.push(item) for item in (first, second, third)] == [[], [], [first]]


@given(st.lists(st.integers(0, 8), max_size=80), st.integers(1, 6))
def test_a_repetition_among_the_last_distinct_keys_is_noticed(keys: list[int], capacity: int):
    recent = RecentKeys(capacity)
    remembered: list[int] = []
    for key in keys:
        assert recent.add(key) == (key not in remembered)
        if key not in remembered:
            remembered = [*remembered, key][-capacity:]
        assert len(recent) == len(remembered)


def entry(number: int, count: int, column: str = "x") -> Entry:
    return Entry(NOW, str(number), Rows.of({column: np.zeros(count, dtype=np.float32)}, count))


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["x", "y"])), max_size=40),
    st.integers(1, 10),
    st.integers(900, 4000),
)
def test_a_window_holds_the_newest_within_its_bounds(events: list[tuple[int, str]], max_rows: int, max_bytes: int):
    window = Window(max_rows, max_bytes)
    fitting = []
    for number, (count, column) in enumerate(events):
        assert window.append(entry(number, count, column)) == (count <= max_rows)
        fitting += [str(number)] if count <= max_rows else []
        held = list(window)
        assert [item.request_id for item in held] == fitting[len(fitting) - len(held) :]
        assert window.rows == sum(item.rows.count for item in held) <= max_rows
        assert sum(item.rows.nbytes for item in held) <= window.nbytes <= max_bytes


def test_rows_larger_than_a_window_are_not_taken():
    window = Window(10, 1000)
    assert window.append(entry(1, 2))
    assert not window.append(entry(2, 2, column="x" * 1000))
    assert [item.request_id for item in window] == ["1"]


def test_neighbours_hold_their_column_names_once():
    window = Window(10, 10_000)
    for number in range(3):
        window.append(entry(number, 1, column="departure_delay"))
    assert len({id(item.rows.numeric) for item in window}) == 1
    assert window.nbytes == sum(item.rows.nbytes for item in window) + entry(0, 1, "departure_delay").rows.names_nbytes


def test_strings_count_into_the_bytes_of_rows():
    short, long = (Rows.of({"c": np.array([text], dtype=object)}, 1) for text in ("x", "x" * 1000))
    assert long.nbytes - short.nbytes == 999


def stream(number: int) -> Stream:
    return Stream("models", "flights", f"1.{number}")


def test_a_silent_stream_makes_room_and_a_live_one_does_not():
    seconds = 0.0
    streams = Streams(limit=2, idle_seconds=60, clock=lambda: seconds, new_window=lambda: Window(10, 10_000))
    streams.seen(stream(0))
    streams.seen(stream(1))
    seconds = 59
    with pytest.raises(TooManyStreams, match=r"2 streams .* 60 s"):
        streams.seen(stream(2))
    live = streams.seen(stream(0))
    seconds = 60
    streams.seen(stream(2))
    assert streams.get(stream(0)) is live
    assert streams.get(stream(1)) is None
    assert len(streams) == 2
