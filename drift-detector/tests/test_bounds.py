from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.columns import Rows
from leeway_drift.reading.events import Stream
from leeway_drift.streaming.dedup import RecentKeys
from leeway_drift.streaming.event_queue import EventQueue
from leeway_drift.streaming.streams import Streams, StreamState, TooManyStreams
from leeway_drift.streaming.timeline import Timeline


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
    recent: RecentKeys[int] = RecentKeys(capacity)
    remembered: list[int] = []
    for key in keys:
        assert recent.add(key) == (key not in remembered)
        if key not in remembered:
            remembered = [*remembered, key][-capacity:]
        assert len(recent) == len(remembered)


def test_strings_count_into_the_bytes_of_rows():
    short, long = (Rows.of({"c": np.array([text], dtype=object)}, 1) for text in ("x", "x" * 1000))
    assert long.nbytes - short.nbytes == 999


def stream(number: int) -> Stream:
    return Stream("models", "flights", f"1.{number}")


def new_state(now: float) -> StreamState:
    return StreamState(timeline=Timeline(lateness=5), last_seen=now, closed=0)


def test_a_silent_stream_makes_room_and_a_live_one_does_not():
    streams = Streams(limit=2, idle_seconds=60, forgotten_seconds=1000, new=new_state)
    streams.seen(stream(0), 0)
    streams.seen(stream(1), 0)
    with pytest.raises(TooManyStreams, match=r"2 streams .* 60 s"):
        streams.seen(stream(2), 59)
    live = streams.seen(stream(0), 59)
    streams.seen(stream(2), 60)
    assert streams.get(stream(0)) is live
    assert streams.get(stream(1)) is None
    assert len(streams) == 2


def test_a_stream_that_stays_silent_is_forgotten():
    streams = Streams(limit=2, idle_seconds=60, forgotten_seconds=1000, new=new_state)
    streams.seen(stream(0), 0)
    streams.seen(stream(1), 500)
    streams.forget_silent(1000)
    assert [known for known, _ in streams.items()] == [stream(1)]
