"""Inferences between the event loop, which never waits, and the thread that sends them."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from leeway_serving.capture.events import Inference


@dataclass(frozen=True)
class BufferLimits:
    """How much is held, and when it is sent.

    Attributes:
        inferences: held at most.
        held_bytes: of all that are held.
        batch_inferences: of one batch at most; as soon as there are so many, one is due.
        batch_bytes: of one batch at most, unless a single inference has more.
        seconds: from the first inference of a batch until it is due.
    """

    inferences: int = 4096
    held_bytes: int = 16 * 2**20
    batch_inferences: int = 64
    batch_bytes: int = 2**20
    seconds: float = 0.5


class Buffer:
    """Holds the latest inferences: what is old is of no use to a detector whose windows have closed."""

    def __init__(self, limits: BufferLimits, clock: Callable[[], float]) -> None:
        """Starts out empty.

        Args:
            limits: of what it holds.
            clock: monotonic, in seconds.
        """
        self._limits = limits
        self._clock = clock
        self._held: deque[tuple[float, Inference]] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition(threading.Lock())

    def put(self, inference: Inference) -> int:
        """Adds an inference.

        Returns:
            How many were dropped for it; itself if it is larger than all that may be held, or comes after the end.
        """
        limits = self._limits
        size = inference.held_bytes
        with self._changed:
            if self._closed or size > limits.held_bytes:
                return 1
            dropped = 0
            while len(self._held) >= limits.inferences or self._bytes + size > limits.held_bytes:
                self._pop()
                dropped += 1
            self._held.append((self._clock(), inference))
            self._bytes += size
            # The other thread cares for the first one, whose age it waits for, and for the one that fills a batch.
            if len(self._held) in (1, limits.batch_inferences) or self._bytes >= limits.batch_bytes:
                self._changed.notify()
            return dropped

    def take(self) -> list[Inference] | None:
        """Waits until a batch is due and removes it, the oldest first; None once the buffer is closed and empty."""
        with self._changed:
            while not self._is_due():
                self._changed.wait(self._seconds_left())
            return self._next() if self._held else None

    def close(self) -> None:
        """Takes no more; what is held is due at once."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def discard(self) -> int:
        """Forgets what is held and returns how many inferences that were."""
        with self._changed:
            dropped = len(self._held)
            self._held.clear()
            self._bytes = 0
            return dropped

    def _is_due(self) -> bool:
        if self._closed or not self._held:
            return self._closed
        full = len(self._held) >= self._limits.batch_inferences or self._bytes >= self._limits.batch_bytes
        return full or self._clock() - self._held[0][0] >= self._limits.seconds

    def _seconds_left(self) -> float | None:
        return self._limits.seconds - (self._clock() - self._held[0][0]) if self._held else None

    def _next(self) -> list[Inference]:
        taken = [self._pop()]
        room = self._limits.batch_bytes - taken[0].held_bytes
        while self._held and len(taken) < self._limits.batch_inferences:
            room -= self._held[0][1].held_bytes
            if room < 0:
                break
            taken.append(self._pop())
        return taken

    def _pop(self) -> Inference:
        _, inference = self._held.popleft()
        self._bytes -= inference.held_bytes
        return inference
