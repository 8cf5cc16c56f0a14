"""Drills: traffic that is watched apart, in a time of its own, to see what the detectors make of a fault."""

import re
from collections import deque
from dataclasses import dataclass, field

from leeway_drift.profile.windows import TICK_SECONDS
from leeway_drift.reading.events import Stream
from leeway_drift.streaming.streams import StreamState
from leeway_drift.streaming.timeline import Timeline

SHORTEST_TICK_SECONDS = 0.25
_PREFIX = re.compile(r"drill-([0-9a-f]{32})-")
_REMEMBERED = 64


class TooManyDrills(Exception):  # noqa: N818 - it says what is the case
    """No more drills at once; the message says what would help."""


@dataclass(frozen=True, slots=True, eq=False)
class Drill:
    """A drill that is on.

    Attributes:
        stream: whose profile judges it; all of its events belong to it, whichever version answers.
        state: of its own.
    """

    stream: Stream
    state: StreamState


def request_id_prefix(drill: str) -> str:
    """What the ``x-request-id`` of a drill's requests begins with."""
    return f"drill-{drill}-"


@dataclass(slots=True)
class Drills:
    """The drills that are on, and the names of those that are over, whose stragglers belong nowhere.

    Attributes:
        limit: drills at once.
        idle_seconds: silence after which one is over.
    """

    limit: int
    idle_seconds: float
    _on: dict[str, Drill] = field(default_factory=dict)
    _over: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def begin(self, name: str, stream: Stream, *, start: float, speed: float, now: float, lateness: float) -> Drill:
        """Register a drill.

        Args:
            name: 32 hexadecimal digits.
            stream: whose profile judges it.
            start: event time of its first moment, in seconds since the epoch.
            speed: seconds of event time per second.
            now: reading of the detector's clock.
            lateness: seconds for which its ticks wait.

        Raises:
            TooManyDrills: there are ``limit`` already.
        """
        if len(self._on) >= self.limit:
            raise TooManyDrills(f"{self.limit} drills are on; end one with DELETE /v1/simulate/<drill>")
        timeline = Timeline(lateness, max(TICK_SECONDS / speed, SHORTEST_TICK_SECONDS), now, start, speed)
        drill = Drill(stream, StreamState(timeline=timeline, last_seen=now, closed=timeline.closed_at(now)))
        self._on[name] = drill
        return drill

    def end(self, name: str) -> bool:
        """End a drill; False if it is not on."""
        if self._on.pop(name, None) is None:
            return False
        self._over.append(name)
        return True

    def get(self, name: str) -> Drill | None:
        """A drill that is on."""
        return self._on.get(name)

    def items(self) -> list[tuple[str, Drill]]:
        """Those that are on, as a copy."""
        return list(self._on.items())

    def values(self) -> list[Drill]:
        """Those that are on, without their names."""
        return list(self._on.values())

    def of_request(self, request_id: str | None) -> Drill | str | None:
        """The drill an event belongs to; its name if it is over, None if it belongs to none.

        A prefix that nobody registered is no drill: no client can hide its requests behind one.
        """
        match = _PREFIX.match(request_id) if request_id is not None else None
        if match is None:
            return None
        name = match[1]
        return self._on.get(name) or (name if name in self._over else None)

    def forget_silent(self, now: float) -> None:
        """End those that nobody uses any more."""
        for name, drill in self.items():
            if now - drill.state.last_seen >= self.idle_seconds:
                self.end(name)
