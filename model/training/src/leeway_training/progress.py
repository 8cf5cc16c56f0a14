"""What the run is doing, for the person who waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """Writes one line per step: which of how many, what, how long it took, and what came out."""

    def __init__(self, steps: int, *, stream: TextIO, clock: Callable[[], float]) -> None:
        self._steps = steps
        self._stream = stream
        self._clock = clock
        self._begun = clock()
        self._done = 0

    @contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """Announce a step; strings appended to the list it yields are shown when it is done."""
        self._done += 1
        notes: list[str] = []
        begun = self._clock()
        self._stream.write(f"[{self._done}/{self._steps}] {title} ... ")
        self._stream.flush()
        try:
            yield notes
        except BaseException:
            self._stream.write("stopped\n")
            raise
        now = self._clock()
        self._stream.write(
            f"{now - begun:.1f} s (total {now - self._begun:.1f} s){''.join(f'; {note}' for note in notes)}\n"
        )
        self._stream.flush()
