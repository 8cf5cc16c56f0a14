"""From an event to rows in a window. The network side calls ``admit`` and ``offer``, the worker ``process_next``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from leeway_drift.reading.decode import decode
from leeway_drift.reading.errors import Undecodable
from leeway_drift.reading.events import Envelope, MalformedEvent, parse_envelope
from leeway_drift.streaming.dedup import RecentKeys
from leeway_drift.streaming.event_queue import EventQueue
from leeway_drift.streaming.streams import WITHOUT_STREAM, Outcome, Streams, StreamState, TooManyStreams
from leeway_drift.streaming.window import Entry, Window


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of everything a sender could make grow.

    The defaults add up to 256 MiB in windows, 32 in the queue, about 20 for remembered ids, 70 for Python itself and,
    for a moment, 100 for the body being decoded: JSON takes up to fifty times its bytes (a list of empty lists).
    Bodies being read come on top, at most five per pod of a served model.

    Attributes:
        body_bytes: of one event.
        queue_events: waiting to be decoded.
        queue_bytes: of their bodies.
        remembered_events: against which duplicates are found.
        streams: (namespace, model, version) watched at once.
        stream_idle_seconds: silence after which a stream may give way to a new one.
        window_rows: of one stream and kind.
        window_bytes: of one stream and kind.
    """

    body_bytes: int = 2 * 2**20
    queue_events: int = 10_000
    queue_bytes: int = 32 * 2**20
    remembered_events: int = 50_000
    streams: int = 32
    stream_idle_seconds: float = 3600
    window_rows: int = 10_000
    window_bytes: int = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Admitted:
    """An event whose attributes are good: only its body is missing."""

    envelope: Envelope
    state: StreamState


@dataclass(frozen=True, slots=True)
class _Pending:
    admitted: Admitted
    body: bytes

    @property
    def nbytes(self) -> int:
        return len(self.body)


class Detector:
    """Takes events, keeps windows, counts what became of every event.

    Args:
        limits: bounds of its memory.
        clock: monotonic seconds.

    Attributes:
        limits: as given.
        streams: what is watched.
        unattributed: events that belong to no stream, by outcome.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.streams = Streams(
            limit=limits.streams,
            idle_seconds=limits.stream_idle_seconds,
            clock=clock,
            new_window=lambda: Window(limits.window_rows, limits.window_bytes),
        )
        self.unattributed = dict.fromkeys(WITHOUT_STREAM, 0)
        self._queue: EventQueue[_Pending] = EventQueue(limits.queue_events, limits.queue_bytes)
        self._seen = RecentKeys(limits.remembered_events)

    @property
    def backlog(self) -> int:
        """Events offered and not yet processed."""
        return len(self._queue)

    def admit(self, headers: Mapping[str, str]) -> Admitted:
        """Check an event's attributes before its body is read; ``offer`` or ``give_up`` has to follow.

        Raises:
            MalformedEvent: they are not those of a logger event.
            TooManyStreams: its stream is new and cannot be watched.
        """
        try:
            envelope = parse_envelope(headers)
            return Admitted(envelope, self.streams.seen(envelope.stream))
        except MalformedEvent:
            self.unattributed[Outcome.MALFORMED] += 1
            raise
        except TooManyStreams:
            self.unattributed[Outcome.REFUSED] += 1
            raise

    def offer(self, admitted: Admitted, body: bytes) -> None:
        """Queue an event; older ones give way if the queue is full."""
        for dropped in self._queue.push(_Pending(admitted, body)):
            _count(dropped.admitted, Outcome.DROPPED)

    def give_up(self, admitted: Admitted, outcome: Outcome) -> None:
        """Count an admitted event whose body could not be had."""
        _count(admitted, outcome)

    def process_next(self) -> bool:
        """Decode the oldest queued event into its window; False if there is none."""
        pending = self._queue.pop()
        if pending is None:
            return False
        _count(pending.admitted, self._process(pending.admitted, pending.body))
        return True

    def _process(self, admitted: Admitted, body: bytes) -> Outcome:
        envelope = admitted.envelope
        if not self._seen.add(envelope.key):
            return Outcome.DUPLICATE
        try:
            rows = decode(body, envelope.kind)
        except Undecodable:
            return Outcome.UNDECODABLE
        if rows is None:
            return Outcome.IGNORED
        entry = Entry(envelope.time, envelope.request_id, rows)
        return Outcome.ACCEPTED if admitted.state.windows[envelope.kind].append(entry) else Outcome.TOO_LARGE


def _count(admitted: Admitted, outcome: Outcome) -> None:
    admitted.state.outcomes[admitted.envelope.kind, outcome] += 1
