"""Ticks: the base unit of time. Everything that can be merged is kept per tick."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from leeway_drift.profile.windows import TICK_SECONDS

SET_BACK_SECONDS = 60.0
"""By which ticks may be closed ahead of a clock that was set back: as long is waited out."""
_END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Timeline:
    """How a stream's time is cut into ticks, and which event time they stand for.

    Events are put into ticks by the time the logger saw them, ticks close by the clock of the detector. In a drill,
    time runs ``speed`` times as fast from ``event_origin`` on; otherwise event time is the logger's.

    Attributes:
        lateness: seconds by the detector's clock for which a tick waits after its end.
        tick_seconds: length of a tick by the logger's clock.
        origin: begin of tick 0 by the logger's clock, in seconds since the epoch.
        event_origin: begin of tick 0 in event time, in seconds since the epoch.
        speed: seconds of event time per second of the logger's clock.
    """

    lateness: float
    tick_seconds: float = TICK_SECONDS
    origin: float = 0.0
    event_origin: float = 0.0
    speed: float = 1.0

    def tick_at(self, seconds: float) -> int:
        """The tick that a reading of the logger's clock is in."""
        return math.floor((seconds - self.origin) / self.tick_seconds)

    def closed_at(self, now: float) -> int:
        """The last tick that is closed when the detector's clock reads ``now``."""
        return self.tick_at(now - self.lateness) - 1

    def is_ahead(self, closed: int, now: float) -> bool:
        """Whether the tick ``closed`` was closed so far ahead of ``now`` that the clock has been set back."""
        return (closed - self.closed_at(now)) * self.tick_seconds > SET_BACK_SECONDS

    def event_time(self, tick: int) -> datetime:
        """Event time of a tick's begin; a drill at full speed reaches the end of the calendar and stays there."""
        seconds = self.event_origin + tick * self.tick_seconds * self.speed
        return datetime.fromtimestamp(min(max(seconds, 0.0), _END_OF_TIME), UTC)

    def ticks_for(self, event_seconds: float) -> int:
        """How many ticks it takes to make up this much event time, at least 1."""
        return max(1, math.ceil(event_seconds / (self.tick_seconds * self.speed) - 1e-9))
