"""Doing something every few seconds, by a clock that may be set."""


class Pace:
    """Says when something is due again.

    A clock that was set back makes it due at once: otherwise it would rest for as long as the clock was wrong.

    Args:
        seconds: between two times.
        began: reading of the clock from which on the seconds count; without it, the first time is at once.
    """

    def __init__(self, seconds: float, began: float | None = None) -> None:
        self._seconds = seconds
        self._last = began

    def due(self, now: float) -> bool:
        """Whether it is time; if it is, the next time is ``seconds`` from now."""
        if self._last is not None and 0 <= now - self._last < self._seconds:
            return False
        self._last = now
        return True

    def slow_down(self, seconds: float) -> None:
        """Take so many seconds from now on."""
        self._seconds = seconds
