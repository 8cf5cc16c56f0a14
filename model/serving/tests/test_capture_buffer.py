"""The buffer never holds more than it may, keeps the latest, and hands out batches that are due."""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_serving.capture.buffer import Buffer, BufferLimits
from leeway_serving.capture.events import Inference

FOREVER = 10_000.0


def inference(name: int, size: int = 0) -> Inference:
    return Inference(
        str(name), "1", None, 200, b" " * size, b"", binary_request=False, binary_response=False, started=0, ended=0
    )


EMPTY = inference(0).held_bytes


def stopped_clock() -> float:
    return 0.0


def drain(buffer: Buffer) -> Iterator[list[int]]:
    buffer.close()
    while (taken := buffer.take()) is not None:
        yield [int(one.request_id) for one in taken]


@given(st.lists(st.integers(0, 3000), max_size=60))
def test_what_is_kept_is_within_the_limits_and_the_latest(sizes: list[int]) -> None:
    limits = BufferLimits(inferences=8, held_bytes=EMPTY * 10, batch_inferences=3, batch_bytes=EMPTY * 5)
    buffer = Buffer(limits, stopped_clock)
    dropped = sum(buffer.put(inference(name, size)) for name, size in enumerate(sizes))
    batches = list(drain(buffer))
    kept = [name for one in batches for name in one]
    assert dropped + len(kept) == len(sizes)
    assert kept == list(range(len(sizes)))[len(sizes) - len(kept) :]
    assert len(kept) <= 8
    assert sum(sizes[name] + EMPTY for name in kept) <= EMPTY * 10
    for one in batches:
        assert len(one) <= 3
        assert len(one) == 1 or sum(sizes[name] + EMPTY for name in one) <= EMPTY * 5


def test_an_inference_larger_than_the_buffer_drops_itself_and_nothing_else() -> None:
    buffer = Buffer(BufferLimits(held_bytes=EMPTY * 2), stopped_clock)
    assert buffer.put(inference(1)) == 0
    assert buffer.put(inference(2, EMPTY * 2)) == 1
    assert list(drain(buffer)) == [[1]]


def test_nothing_is_taken_in_after_the_end() -> None:
    buffer = Buffer(BufferLimits(), stopped_clock)
    assert list(drain(buffer)) == []
    assert buffer.put(inference(1)) == 1
    assert buffer.take() is None


@pytest.mark.parametrize(
    "limits",
    [
        BufferLimits(batch_inferences=3, seconds=FOREVER),
        BufferLimits(batch_bytes=EMPTY * 3, seconds=FOREVER),
    ],
    ids=["inferences", "bytes"],
)
def test_a_full_batch_is_due_at_once(limits: BufferLimits) -> None:
    buffer = Buffer(limits, stopped_clock)
    for name in range(3):
        buffer.put(inference(name))
    taken = buffer.take()
    assert taken is not None
    assert len(taken) == 3


def test_a_batch_that_is_not_full_is_due_when_its_first_inference_is_old_enough() -> None:
    clock = count(step=5.0)
    buffer = Buffer(BufferLimits(seconds=5.0), lambda: next(clock))
    buffer.put(inference(1))
    assert [one.request_id for one in buffer.take() or ()] == ["1"]


def test_what_is_discarded_is_counted_and_gone() -> None:
    buffer = Buffer(BufferLimits(), stopped_clock)
    for name in range(3):
        buffer.put(inference(name))
    assert buffer.discard() == 3
    assert list(drain(buffer)) == []
