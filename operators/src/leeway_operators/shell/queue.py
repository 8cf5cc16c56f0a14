"""The keys that wait for a reconciliation: each at most once, each at its time, none while it is being worked on."""

import threading
from collections.abc import Callable
from datetime import timedelta

Key = tuple[str, str]
"""Namespace and name."""

_FIRST_RETRY = timedelta(seconds=1)
_LAST_RETRY = timedelta(minutes=1)


class Queue:
    """A work queue for several workers. A key that fails comes back after 1 s, 2 s, 4 s … 1 min."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` is the clock, in seconds."""
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._due: dict[Key, float] = {}
        self._busy: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._closed = False

    def add(self, key: Key, delay: timedelta = timedelta(0)) -> None:
        """Ask for the key after `delay`; the earliest of several wishes counts."""
        with self._changed:
            due = self._monotonic() + delay.total_seconds()
            self._due[key] = min(due, self._due.get(key, due))
            self._changed.notify_all()

    def failed(self, key: Key) -> timedelta:
        """Ask for the key again, later each time; returns the delay."""
        with self._changed:
            # The exponent is bounded: the delay is long past its limit there.
            failures = self._failures[key] = min(self._failures.get(key, 0) + 1, 10)
        delay = min(_FIRST_RETRY * (1 << (failures - 1)), _LAST_RETRY)
        self.add(key, delay)
        return delay

    def succeeded(self, key: Key) -> None:
        """Forget earlier failures of the key."""
        with self._changed:
            self._failures.pop(key, None)

    def pop(self, wait: timedelta) -> Key | None:
        """The key that is due first, and is then this worker's until `done`.

        None if none is due within `wait`, or the queue is closed.
        """
        end = self._monotonic() + wait.total_seconds()
        with self._changed:
            while not self._closed:
                now = self._monotonic()
                waiting = {key: due for key, due in self._due.items() if key not in self._busy}
                key = min(waiting, key=waiting.__getitem__, default=None)
                if key is not None and waiting[key] <= now:
                    del self._due[key]
                    self._busy.add(key)
                    return key
                until = min(end, waiting[key]) if key is not None else end
                if now >= end:
                    return None
                self._changed.wait(until - now)
        return None

    def done(self, key: Key) -> None:
        """The worker has finished with the key; what changed meanwhile may be looked at."""
        with self._changed:
            self._busy.discard(key)
            self._changed.notify_all()

    def close(self) -> None:
        """Wake the workers up for the end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
