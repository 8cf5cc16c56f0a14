"""How an event's way is traced: by what the shell passes in, which knows the time and where traces go."""

from collections.abc import Callable

from leeway_drift.streaming.intake import Arrived
from leeway_drift.streaming.streams import Outcome

Ended = Callable[[Outcome | None], None]
"""Told what became of an event; None if it waits for the other half of its inference."""
Traced = Callable[[Arrived], Ended | None]
"""Told of an event when its turn has come, and says whom to tell of its end; None if it is not traced."""


def untraced(_: Arrived) -> None:
    """Nobody wants traces."""
