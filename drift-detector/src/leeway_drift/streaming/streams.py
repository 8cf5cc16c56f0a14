"""The streams being watched, in bounded number."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from leeway_drift.columns import Rows
from leeway_drift.detectors.interface import Window
from leeway_drift.reading.events import Envelope, Kind, Stream
from leeway_drift.streaming.cells import Cells
from leeway_drift.streaming.judging import Judging, Rules, Timed
from leeway_drift.streaming.sample import Random
from leeway_drift.streaming.ticks import OpenArm, Tick
from leeway_drift.streaming.timeline import Timeline
from leeway_drift.streaming.windows import OpenWindow, SlidingWindow

RECENT_EVENTS = 8_000


class Outcome(StrEnum):
    """What became of an event; every event that reaches the sink gets exactly one."""

    ACCEPTED = "accepted"
    """Its rows are in a tick."""
    DUPLICATE = "duplicate"
    """Its key was seen before."""
    DROPPED = "dropped"
    """It gave way to newer ones in a full queue."""
    IGNORED = "ignored"
    """It carries no inference, such as a model's metadata or an error, or belongs to a drill that is over."""
    INCOMPLETE = "incomplete"
    """The sender hung up in the middle of it."""
    LATE = "late"
    """Its tick was closed already."""
    MALFORMED = "malformed"
    """Its attributes are not those of an inference's event."""
    REFUSED = "refused"
    """Its stream is new and there are too many already."""
    TOO_LARGE = "too_large"
    """Its body is over the limit."""
    UNANSWERED = "unanswered"
    """No answer to its request has come: the model refused it, or the event of the answer was lost."""
    UNDECODABLE = "undecodable"
    """Its body is no inference that could be read."""


WITHOUT_STREAM = (Outcome.MALFORMED, Outcome.REFUSED, Outcome.DROPPED, Outcome.INCOMPLETE, Outcome.TOO_LARGE)
"""Outcomes of events that belong to no stream: their attributes are not trusted as labels, or not read (batches)."""

OF_STREAM = tuple(outcome for outcome in Outcome if outcome not in (Outcome.MALFORMED, Outcome.REFUSED))


class Recent(NamedTuple):
    """One of the latest decoded events.

    Attributes:
        time: when the logger saw it.
        request_id: ``x-request-id``, None if unknown.
        rows: how many it carried.
        columns: names of its columns.
    """

    time: datetime
    request_id: str | None
    rows: int
    columns: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(slots=True)
class StreamState:
    """What is known of one stream.

    Attributes:
        timeline: how its time is cut.
        last_seen: clock reading of the latest event, in seconds.
        closed: its last closed tick.
        outcomes: events by kind and outcome, all of them present from the start.
        recent: the latest decoded events by kind.
        rows_seen: rows of decoded requests by slot, since the start.
        answered: time of the latest request by slot, in seconds since the epoch.
        rules: what its profile makes of it; None without one.
        common: cells in which requests are counted a second time; None if that is not needed.
        window: the open one; None without rules.
        sliding: the window of data quality.
        judging: what its detectors say.
    """

    timeline: Timeline
    last_seen: float
    closed: int
    outcomes: dict[tuple[Kind, Outcome], int] = field(
        default_factory=lambda: {(kind, outcome): 0 for kind in Kind for outcome in OF_STREAM}
    )
    recent: dict[Kind, deque[Recent]] = field(
        default_factory=lambda: {kind: deque(maxlen=RECENT_EVENTS) for kind in Kind}
    )
    rows_seen: dict[str, int] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    rules: Rules | None = None
    common: Cells | None = None
    window: OpenWindow | None = None
    sliding: SlidingWindow = field(default_factory=SlidingWindow)
    judging: Judging = field(default_factory=Judging)
    _open: dict[int, dict[str, OpenArm]] = field(default_factory=dict)

    def watch(self, rules: Rules | None) -> None:
        """Count by these rules from now on; another profile than before, or none, begins everything anew."""
        if self.rules is not None and (rules is None or self.rules.digest != rules.digest):
            self.rules = None
            self.begin_anew()
            for arm in (arm for arms in self._open.values() for arm in arms.values()):
                arm.forget_counts()
        self.rules = rules
        if rules is None:
            return
        if self.window is None:
            self.window = OpenWindow(rules.window_rows, self.timeline.ticks_for(rules.window_seconds))
        self.judging.begin(rules)

    def add(self, envelope: Envelope, rows: Rows, nbytes: int, random: Random | None) -> int | None:
        """Put an event's rows into its tick; returns that, None if it is closed."""
        recent, columns = self.recent[envelope.kind], (rows.numeric, rows.categorical)
        if recent and recent[-1].columns == columns:
            columns = recent[-1].columns  # one copy of the names, not one for each of thousands of events
        recent.append(Recent(envelope.time, envelope.request_id, rows.count, columns))
        time = envelope.time.timestamp()
        if envelope.kind is Kind.REQUEST:
            self.saw(envelope.slot, rows.count)
            self.answered[envelope.slot] = max(self.answered.get(envelope.slot, time), time)
        tick = self.timeline.tick_at(time)
        if tick <= self.closed:
            return None
        if self._arm(tick, envelope.slot).add(envelope.kind, rows, nbytes):
            self._arm(tick, envelope.slot).count(None if self.rules is None else self.rules.plan, random, self.common)
        return tick

    def saw(self, slot: str, rows: int) -> None:
        """Note rows of a request that was seen, whatever becomes of them: the share that is seen is the coverage."""
        self.rows_seen[slot] = self.rows_seen.get(slot, 0) + rows

    def add_loss(self, slot: str, loss: float, *, served: float, now: float) -> None:
        """Take the loss of a prediction that was made at ``served`` and whose label has become known now."""
        made = self.timeline.tick_at(served)
        self._arm(max(self.timeline.tick_at(now), self.closed + 1, made), slot).add_loss(made, loss)

    def close(self, until: int, random: Random | None) -> list[Tick]:
        """Close all ticks up to this one; returns those that had an event, in order."""
        plan = None if self.rules is None else self.rules.plan
        self.closed = max(self.closed, until)
        return [
            Tick(index, {slot: arm.close(plan, random, self.common) for slot, arm in self._open.pop(index).items()})
            for index in sorted(index for index in self._open if index <= until)
        ]

    def rewind(self, now: float) -> bool:
        """Go back with a clock that was set back, True if it was.

        Until it has caught up, all would come too late for the ticks that are closed ahead of it. A minute of that is
        waited out; beyond, what is open or in an open window of the time that has not come is forgotten.
        """
        if not self.timeline.is_ahead(self.closed, now):
            return False
        closed = self.timeline.closed_at(now)
        self.closed, self.last_seen = closed, min(self.last_seen, now)
        self.answered = {slot: min(time, now) for slot, time in self.answered.items()}
        self._open = {index: arms for index, arms in self._open.items() if closed < index <= self.timeline.tick_at(now)}
        if self.window is not None and self.window.reaches(closed + 1):
            self.window = OpenWindow(self.window.needed_rows, self.window.needed_ticks)
        if any(last > closed for _, last, _ in self.sliding.parts):
            self.sliding = SlidingWindow()
        return True

    def judge(self, ticks: Iterable[Tick], until: int, timed: Timed) -> list[Window]:
        """Take the closed ticks up to ``until``, in order, and judge the windows that end with them; returns those."""
        windows: list[Window] = []
        for tick in ticks:
            windows += self._take(tick, timed)
        if self.window is not None:
            windows += self._judge(self.window.close_until(until, self.timeline), timed)
        return windows

    def begin_anew(self) -> None:
        """Forget windows and what was said of them."""
        self.sliding, self.judging, self.window = SlidingWindow(), Judging(), None
        if self.rules is not None:
            self.watch(self.rules)

    def count_open(self, random: Random | None) -> None:
        """Count all that is collected, so that the counts are the whole state; what waits for a profile still waits."""
        if self.rules is None:
            return
        for arms in self._open.values():
            for arm in arms.values():
                arm.count(self.rules.plan, random, self.common)

    @property
    def open_ticks(self) -> dict[int, dict[str, OpenArm]]:
        """By index and slot."""
        return self._open

    def _arm(self, tick: int, slot: str) -> OpenArm:
        arms = self._open.setdefault(tick, {})
        arm = arms.get(slot)
        if arm is None:  # not setdefault, which would make one for every event
            arm = arms[slot] = OpenArm()
        return arm

    def _take(self, tick: Tick, timed: Timed) -> list[Window]:
        if self.window is None or self.rules is None:
            return []
        self.sliding.add(tick)
        if tick.counts is not None and (sliding := self.sliding.window(self.timeline)) is not None:
            self.judging.judge_quality(sliding, self.rules.detectors, timed)
        return self._judge(self.window.add(tick, self.timeline), timed)

    def _judge(self, windows: Iterable[Window], timed: Timed) -> list[Window]:
        judged = []
        for window in windows:
            if self.rules is not None:
                self.judging.judge(window, self.rules.detectors, timed)
            judged.append(window)
        return judged


class TooManyStreams(Exception):  # noqa: N818 - it says what is the case
    """A new stream cannot be watched; the message says what would help."""


class Streams:
    """Streams by identity.

    A new stream takes the place of the one that was silent longest, but only once that one has been silent for
    ``idle_seconds``: old versions make room by themselves, and a sender of invented names cannot push out live ones.

    Args:
        limit: streams watched at most.
        idle_seconds: silence after which a stream may give way to a new one.
        forgotten_seconds: silence after which it is forgotten anyway.
        new: makes the state of a stream that begins at this reading of the clock.
    """

    def __init__(
        self, *, limit: int, idle_seconds: float, forgotten_seconds: float, new: Callable[[float], StreamState]
    ) -> None:
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._forgotten_seconds = forgotten_seconds
        self._new = new
        self._states: dict[Stream, StreamState] = {}

    def __len__(self) -> int:
        return len(self._states)

    def get(self, stream: Stream) -> StreamState | None:
        """The state of a stream, None if it is not watched."""
        return self._states.get(stream)

    def items(self) -> list[tuple[Stream, StreamState]]:
        """All streams, as a copy that stays valid while others come and go."""
        return list(self._states.items())

    def values(self) -> list[StreamState]:
        """The states of all streams, as such a copy."""
        return list(self._states.values())

    def restore(self, stream: Stream, state: StreamState) -> None:
        """Put back a stream from before a restart."""
        self._states[stream] = state

    def seen(self, stream: Stream, now: float) -> StreamState:
        """Note that a stream is alive and return its state, a new one if need be.

        Raises:
            TooManyStreams: it is new and none of the others has been silent long enough to be forgotten.
        """
        state = self._states.get(stream)
        if state is None:
            self._make_room(now)
            state = self._new(now)
            self._states[stream] = state
        state.last_seen = now
        return state

    def forget_silent(self, now: float) -> None:
        """Forget streams that were silent for ``forgotten_seconds``."""
        for stream, state in self.items():
            if now - state.last_seen >= self._forgotten_seconds:
                del self._states[stream]

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
