"""Predictions that wait to be written: the engine's thread never waits, and what it hands over is bounded."""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leeway_drift.labels.records import Prediction


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Bounds of what waits to be written, and of how long.

    Attributes:
        events: predictions in the queue.
        nbytes: of their rows.
        retry_seconds: pauses between attempts to write; after the last the predictions are lost.
    """

    events: int = 10_000
    nbytes: int = 16 * 2**20
    retry_seconds: tuple[float, ...] = (0.5, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A prediction, the manifest of the bundle that made it (None if it has none), and the bytes of its rows."""

    prediction: Prediction
    manifest: Mapping[str, Any] | None
    nbytes: int


class PredictionQueue:
    """Hands predictions from the engine's thread to the writer's.

    Args:
        limits: of the queue.
    """

    def __init__(self, limits: LogLimits) -> None:
        self._limits = limits
        self._queue: deque[Waiting] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = False

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, prediction: Prediction, manifest: Mapping[str, Any] | None) -> bool:
        """Have a prediction wait; False if the queue is full."""
        features = prediction.features
        nbytes = prediction.outputs.nbytes + (features.nbytes if features is not None else 0)
        with self._changed:
            if len(self._queue) >= self._limits.events or self._bytes + nbytes > self._limits.nbytes:
                return False
            self._queue.append(Waiting(prediction, manifest, nbytes))
            self._bytes += nbytes
            self._changed.notify()
        return True

    def take(self, limit: int, patience: float) -> Sequence[Waiting] | None:
        """Up to ``limit`` predictions, oldest first; none if none comes within ``patience`` seconds.

        None once the queue is closed and empty.
        """
        with self._changed:
            if not self._queue and not self._closing:
                self._changed.wait(patience)
            batch = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
            self._bytes -= sum(waiting.nbytes for waiting in batch)
            return None if self._closing and not batch else batch

    def rest(self, seconds: float) -> bool:
        """Wait; False at once if the queue is being closed."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._closing, seconds)

    def close(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._closing = True
            self._changed.notify()
