"""Windows: unions of consecutive closed ticks, and the trailing and sliding ones."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Window
from leeway_drift.profile.quality import QUALITY_ROWS
from leeway_drift.streaming.sample import Sample
from leeway_drift.streaming.ticks import Tick
from leeway_drift.streaming.timeline import Timeline

_SLIDING_PARTS = 32


@dataclass(slots=True)
class OpenWindow:
    """Collects ticks until both rows and seconds are reached.

    Where it ends depends on the ticks alone, not on when it is asked: rows come with ticks that have some, seconds
    pass in those without, too.

    Attributes:
        needed_rows: of requests.
        needed_ticks: consecutive ticks, with or without events.
        first: its first tick; None before the first event of all.
        last: the last tick that had an event.
        counts: of its ticks so far, None if there are none.
        sample: of its ticks so far.
    """

    needed_rows: int
    needed_ticks: int
    first: int | None = None
    last: int | None = None
    counts: Counts | None = None
    sample: Sample | None = None

    def add(self, tick: Tick, timeline: Timeline) -> Iterator[Window]:
        """Take the next closed tick that had an event; yields the window that ended before it, if one did."""
        yield from self.close_until(tick.index - 1, timeline)
        counts = tick.counts
        if counts is None:
            return
        if self.first is None:
            self.first = tick.index
        self.last = tick.index
        self.counts = counts if self.counts is None else self.counts + counts
        if (sample := tick.sample) is not None:
            self.sample = sample if self.sample is None else self.sample + sample

    def reaches(self, tick: int) -> bool:
        """Whether it begins or has events in this tick or after it."""
        return any(known is not None and known >= tick for known in (self.first, self.last))

    def close_until(self, tick: int, timeline: Timeline) -> Iterator[Window]:
        """Yields the window if it ended in this tick or before; all ticks up to it must be closed and added."""
        if self.first is None or self.last is None or self.counts is None or self.counts.rows < self.needed_rows:
            return
        end = max(self.last, self.first + self.needed_ticks - 1)
        if end > tick:
            return
        sample = None if self.sample is None else self.sample.rows
        yield Window(timeline.event_time(self.first), timeline.event_time(end + 1), self.counts, sample)
        self.first, self.last, self.counts, self.sample = end + 1, None, None, None


@dataclass(slots=True)
class SlidingWindow:
    """The last ticks that have ``QUALITY_ROWS`` rows together.

    Attributes:
        parts: (first tick, last tick, counts), oldest first. With little traffic the oldest are merged, so that there
            are never many; the window then lets go of them together.
    """

    parts: deque[tuple[int, int, Counts]] = field(default_factory=deque)

    def add(self, tick: Tick) -> None:
        """Take the next closed tick that had an event."""
        if (counts := tick.counts) is None:
            return
        self.parts.append((tick.index, tick.index, counts))
        rows = sum(part.rows for _, _, part in self.parts)
        while rows - self.parts[0][2].rows >= QUALITY_ROWS:
            rows -= self.parts.popleft()[2].rows
        if len(self.parts) > _SLIDING_PARTS:
            (first, _, older), (_, last, newer) = self.parts.popleft(), self.parts.popleft()
            self.parts.appendleft((first, last, older + newer))

    def window(self, timeline: Timeline) -> Window | None:
        """As it is now; None before the first tick."""
        if not self.parts:
            return None
        counts = self.parts[0][2]
        for _, _, more in list(self.parts)[1:]:
            counts += more
        return Window(timeline.event_time(self.parts[0][0]), timeline.event_time(self.parts[-1][1] + 1), counts)
