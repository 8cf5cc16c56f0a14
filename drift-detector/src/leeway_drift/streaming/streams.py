"""The streams being watched, in bounded number: what each has in its windows and what became of its events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from leeway_drift.reading.events import Kind, Stream
from leeway_drift.streaming.window import Window


class Outcome(StrEnum):
    """What became of an event; every event that reaches the sink gets exactly one."""

    ACCEPTED = "accepted"
    """Its rows are in the window."""
    DUPLICATE = "duplicate"
    """Its key was seen before."""
    DROPPED = "dropped"
    """It gave way to newer ones in a full queue."""
    IGNORED = "ignored"
    """It carries no inference, such as a model's metadata."""
    INCOMPLETE = "incomplete"
    """The sender hung up in the middle of it."""
    MALFORMED = "malformed"
    """Its attributes are not those of a logger event."""
    REFUSED = "refused"
    """Its stream is new and there are too many already."""
    TOO_LARGE = "too_large"
    """Its body is over the limit, or its rows over what a window holds."""
    UNDECODABLE = "undecodable"
    """Its body is no inference that could be read."""


WITHOUT_STREAM = (Outcome.MALFORMED, Outcome.REFUSED)
"""Outcomes of events that belong to no stream: their attributes are not trusted as labels."""

OF_STREAM = tuple(outcome for outcome in Outcome if outcome not in WITHOUT_STREAM)


@dataclass(slots=True)
class StreamState:
    """What is known of one stream.

    Attributes:
        windows: the latest rows by kind.
        outcomes: events by kind and outcome, all of them present from the start.
        last_seen: clock reading of the latest event, in seconds.
    """

    windows: Mapping[Kind, Window]
    last_seen: float
    outcomes: dict[tuple[Kind, Outcome], int] = field(
        default_factory=lambda: {(kind, outcome): 0 for kind in Kind for outcome in OF_STREAM}
    )


class TooManyStreams(Exception):  # noqa: N818 - it says what is the case
    """A new stream cannot be watched; the message says what would help."""


class Streams:
    """Streams by identity.

    A new stream takes the place of the one that was silent longest, but only once that one has been silent for
    ``idle_seconds``: old versions make room by themselves, and a sender of invented names cannot push out live ones.

    Args:
        limit: streams watched at most.
        idle_seconds: silence after which a stream may be forgotten.
        clock: monotonic seconds.
        new_window: makes an empty window.
    """

    def __init__(
        self, *, limit: int, idle_seconds: float, clock: Callable[[], float], new_window: Callable[[], Window]
    ) -> None:
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._new_window = new_window
        self._states: dict[Stream, StreamState] = {}

    def __len__(self) -> int:
        return len(self._states)

    def get(self, stream: Stream) -> StreamState | None:
        """The state of a stream, None if it is not watched."""
        return self._states.get(stream)

    def items(self) -> list[tuple[Stream, StreamState]]:
        """All streams, as a copy that stays valid while others come and go."""
        return list(self._states.items())

    def seen(self, stream: Stream) -> StreamState:
        """Note that a stream is alive and return its state, a new one if need be.

        Raises:
            TooManyStreams: it is new and none of the others has been silent long enough to be forgotten.
        """
        now = self._clock()
        state = self._states.get(stream)
        if state is None:
            self._make_room(now)
            state = StreamState(windows={kind: self._new_window() for kind in Kind}, last_seen=now)
            self._states[stream] = state
        state.last_seen = now
        return state

    def _make_room(self, now: float) -> None:
        if len(self._states) < self._limit:
            return
        oldest = min(self._states, key=lambda stream: self._states[stream].last_seen)
        if now - self._states[oldest].last_seen < self._idle_seconds:
            raise TooManyStreams(
                f"{self._limit} streams are watched and each had an event within the last {self._idle_seconds:g} s; "
                "a new one is watched once another falls silent"
            )
        del self._states[oldest]
