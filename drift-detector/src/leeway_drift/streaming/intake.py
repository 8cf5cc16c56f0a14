"""From the network to single events: what is admitted waits in a bounded queue, and every event is counted once.

The network calls ``admit``, ``offer``, ``offer_batch`` and ``give_up``, the thread that does the work all the rest. The
two share what the lock guards: the queue, the streams' identities and the counts of outcomes.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from leeway_drift.reading.decode import Loads
from leeway_drift.reading.events import Envelope, MalformedEvent, Stream, parse_envelope, parse_event
from leeway_drift.streaming.event_queue import EventQueue
from leeway_drift.streaming.limits import Limits
from leeway_drift.streaming.streams import WITHOUT_STREAM, Outcome, Streams, StreamState, TooManyStreams

_OF_EVERY_EVENT = b'"specversion"'  # CloudEvents 1.0, "Required attributes"


@dataclass(frozen=True, slots=True)
class Admitted:
    """An event whose attributes are good: only its body is missing."""

    envelope: Envelope
    state: StreamState


class Arrived(NamedTuple):
    """An event that is to be processed; ``nbytes`` of its body, ``arrival`` by the detector's clock."""

    envelope: Envelope
    state: StreamState
    body: object
    nbytes: int
    arrival: float


@dataclass(frozen=True, slots=True)
class Queued:
    """An event, or a batch of them if ``admitted`` is None."""

    admitted: Admitted | None
    body: bytes
    arrival: float

    @property
    def nbytes(self) -> int:
        """Of its body."""
        return len(self.body)


class Intake:
    """Admits events, lets them wait, and counts what becomes of them.

    Args:
        limits: of the queue.
        clock: seconds since the epoch.
        streams: what is watched.
        lock: guards what both sides use; it is held for microseconds.
        loads: a fast JSON parser (``reading.decode``).
        lateness: seconds for which a tick waits after its end.

    Attributes:
        unattributed: events that belong to no stream, by outcome.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float],
        streams: Streams,
        lock: AbstractContextManager[object],
        loads: Loads,
        *,
        lateness: float,
    ) -> None:
        self.unattributed = dict.fromkeys(WITHOUT_STREAM, 0)
        self._clock = clock
        self._streams = streams
        self._lock = lock
        self._loads = loads
        self._lateness = lateness
        self._queue: EventQueue[Queued] = EventQueue(limits.queue_events, limits.queue_bytes)

    def __len__(self) -> int:
        return len(self._queue)

    def admit(self, headers: Mapping[str, str]) -> Admitted:
        """Check an event's attributes before its body is read; ``offer`` or ``give_up`` has to follow.

        Raises:
            MalformedEvent: they are not those of a logger event.
            TooManyStreams: its stream is new and cannot be watched.
        """
        try:
            return self._admit(parse_envelope(headers))
        except MalformedEvent:
            self._count_unattributed(Outcome.MALFORMED)
            raise

    def offer(self, admitted: Admitted, body: bytes) -> None:
        """Queue an event; older ones give way if the queue is full."""
        self._push(Queued(admitted, body, self._clock()))

    def offer_batch(self, body: bytes) -> None:
        """Queue a batch of events, whose attributes are read later."""
        self._push(Queued(None, body, self._clock()))

    def give_up(self, admitted: Admitted | None, outcome: Outcome) -> None:
        """Count an event, or a batch as one if ``admitted`` is None, whose body could not be had."""
        if admitted is None:
            self._count_unattributed(outcome)
        else:
            self.count(admitted.envelope, admitted.state, outcome)

    def know(self, stream: Stream, seen: float) -> StreamState:
        """The state of a stream of which another replica had an event at this reading of the clock.

        Raises:
            TooManyStreams: it is new and cannot be watched.
        """
        with self._lock:
            known = self._streams.get(stream)
            return self._streams.seen(stream, seen if known is None else max(seen, known.last_seen))

    def forget_silent(self, now: float) -> None:
        """Forget streams that nobody uses any more."""
        with self._lock:
            self._streams.forget_silent(now)

    def take(self) -> Queued | None:
        """The oldest that waits, None if nothing does."""
        with self._lock:
            return self._queue.pop()

    def events(self, queued: Queued, arrival: float) -> Iterator[Arrived]:
        """The single events of what was queued, which count as arrived then.

        What the logger's clock puts further into the future than an event may be late happened then: the clock of the
        detector closes ticks.
        """
        latest = arrival + self._lateness
        for envelope, state, body, nbytes in self._single(queued):
            possible = envelope.time.timestamp() <= latest
            known = envelope if possible else replace(envelope, time=datetime.fromtimestamp(latest, UTC))
            yield Arrived(known, state, body, nbytes, arrival)

    def count(self, envelope: Envelope, state: StreamState, outcome: Outcome) -> None:
        """Count what became of an event."""
        with self._lock:
            state.outcomes[envelope.kind, outcome] += 1

    def _single(self, queued: Queued) -> Iterator[tuple[Envelope, StreamState, object, int]]:
        if queued.admitted is not None:
            yield queued.admitted.envelope, queued.admitted.state, queued.body, queued.nbytes
            return
        try:
            events = self._parse(queued.body)
        except (ValueError, RecursionError):
            events = None
        if not isinstance(events, list):
            self._count_unattributed(Outcome.MALFORMED)
            return
        for event in events:
            try:
                envelope, body = parse_event(event)
                admitted = self._admit(envelope)
            except MalformedEvent:
                self._count_unattributed(Outcome.MALFORMED)
            except TooManyStreams:
                continue
            else:
                yield envelope, admitted.state, body, queued.nbytes // len(events)

    def _parse(self, body: bytes) -> object:
        try:
            return self._loads(body)
        except ValueError:
            return json.loads(body)  # it reads NaN

    def _push(self, queued: Queued) -> None:
        with self._lock:
            dropped = self._queue.push(queued)
        for gone in dropped:
            if gone.admitted is None:
                self._count_unattributed(Outcome.DROPPED, _events_in(gone.body))
            else:
                self.give_up(gone.admitted, Outcome.DROPPED)

    def _admit(self, envelope: Envelope) -> Admitted:
        try:
            with self._lock:
                return Admitted(envelope, self._streams.seen(envelope.stream, self._clock()))
        except TooManyStreams:
            self._count_unattributed(Outcome.REFUSED)
            raise

    def _count_unattributed(self, outcome: Outcome, events: int = 1) -> None:
        with self._lock:
            self.unattributed[outcome] += events


def _events_in(batch: bytes) -> int:
    """How many events a batch holds that nobody has the time to read: as often as it has an attribute that each has.

    A share of events that were lost would mean nothing if a batch of a thousand counted as one of them.
    """
    return max(1, batch.count(_OF_EVERY_EVENT))
