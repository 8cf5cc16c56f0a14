"""From an event to judgements, by one thread; ``intake`` alone is shared with the network.

Nothing here waits, sleeps or does I/O.
"""

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from leeway_drift.detectors.interface import Window
from leeway_drift.labels.records import Prediction
from leeway_drift.reading.decode import Inference, Loads, decode
from leeway_drift.reading.errors import Undecodable
from leeway_drift.reading.events import Envelope, Kind, Stream
from leeway_drift.streaming.common import Answered, share_cells
from leeway_drift.streaming.comparing import Comparison
from leeway_drift.streaming.dedup import RecentKeys
from leeway_drift.streaming.drills import Drill, Drills
from leeway_drift.streaming.intake import Arrived, Intake
from leeway_drift.streaming.joining import Half, Joined, Joining
from leeway_drift.streaming.judging import Timed, untimed
from leeway_drift.streaming.limits import Limits
from leeway_drift.streaming.live import SLOTS
from leeway_drift.streaming.parts import Part
from leeway_drift.streaming.sample import Random
from leeway_drift.streaming.streams import Outcome, Streams, StreamState, TooManyStreams
from leeway_drift.streaming.timeline import Timeline
from leeway_drift.streaming.tracing import Traced, untraced


@dataclass(frozen=True, slots=True)
class Closed:
    """A window that was closed and judged, for those who judge it elsewhere."""

    stream: Stream
    state: StreamState
    window: Window


class Detector:
    """Takes events, keeps ticks and windows, has them judged, counts what became of every event.

    Args:
        limits: bounds of its memory.
        clock: seconds since the epoch.
        lateness: seconds for which a tick waits after its end.
        lock: guards what the network uses, too.
        loads: a fast JSON parser (``reading.decode``).
        random: draws for the samples of rows; None if no samples are kept.
        timed: runs a detector's judgement.
        traced: told of each event.
        shared: whether closed ticks are parts of what replicas count together (``streaming.shards``), not judged here.

    Attributes:
        limits: as given.
        streams: what is watched.
        intake: where events come in.
        drills: what is watched apart.
        comparisons: by namespace and model.
        closed: the last tick that is closed in all streams.
        rewound: how often it has followed a clock that was set back.
        timed: as given.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float],
        *,
        lateness: float,
        lock: AbstractContextManager[object] | None = None,
        loads: Loads = json.loads,
        random: Random | None = None,
        timed: Timed = untimed,
        traced: Traced = untraced,
        shared: bool = False,
    ) -> None:
        self.limits = limits
        self.lateness = lateness
        self.streams = Streams(
            limit=limits.streams,
            idle_seconds=limits.stream_idle_seconds,
            forgotten_seconds=limits.stream_forgotten_seconds,
            new=self._new_stream,
        )
        self.drills = Drills(limits.drills, limits.drill_idle_seconds)
        self.comparisons: dict[tuple[str, str], Comparison] = {}
        lock = lock if lock is not None else nullcontext()
        self.intake = Intake(limits, clock, self.streams, lock, loads, lateness=lateness)
        self.seen: RecentKeys[bytes] = RecentKeys(limits.remembered_events)
        self.clock = clock
        self._loads = loads
        self._random = random
        self.timed = timed
        self._traced = traced
        self.closed = self.timeline.closed_at(clock())
        self.rewound = 0
        self._shared = shared
        self._parts: list[Part] = []
        self._joining = Joining(limits.waiting_halves, limits.waiting_bytes, limits.waiting_seconds)
        self._predictions: list[Prediction] = []
        self._windows: list[Closed] = []

    def step(self, limit: int) -> bool:
        """Process queued events until there were ``limit`` and close what is due; True if there may be more.

        The last batch is taken as a whole, but no more of them: meanwhile nobody gets an answer, and what is published
        grows old. Time advances to what has been processed and never beyond: an event that came in time is counted,
        however long it had to wait here.
        """
        now, arrival = self.clock(), 0.0
        self._rewind(now)
        processed = 0
        while processed < limit:
            queued = self.intake.take()
            if queued is None:
                self.advance(now)
                return False
            arrival = min(queued.arrival, now)
            events = 0
            for event in self.intake.events(queued, arrival):
                self._process(event)
                events += 1
            processed += max(events, 1)  # a batch without an event is work, too
        self.advance(arrival)
        return True

    def advance(self, now: float) -> None:
        """Close what is due at this reading of the clock, in all streams."""
        share_cells(self.streams.items(), now - self.limits.stream_silent_seconds)
        for stream, state in self.streams.items():
            self._close(stream, state, now)
        for drill in self.drills.values():
            self._close(drill.stream, drill.state, now, drill)
        self.closed = max(self.closed, self.timeline.closed_at(now))
        if not self._shared:
            for comparison in self.comparisons.values():
                comparison.close(self.closed)
        self._settle(self._joining.expire(now))
        self.intake.forget_silent(now)
        self.drills.forget_silent(now)
        watched = {(stream.namespace, stream.model) for stream, _ in self.streams.items()}
        for gone in self.comparisons.keys() - watched:
            del self.comparisons[gone]

    def add_loss(self, stream: Stream, slot: str, loss: float, served: float) -> None:
        """Take the loss of a prediction that was made at ``served`` and whose label has become known now."""
        state, now = self.streams.get(stream), self.clock()
        if state is not None:
            state.add_loss(slot, loss, served=min(served, now + self.lateness), now=now)

    @property
    def answered(self) -> Answered:
        """When each version had its latest request in each slot."""
        return {(stream, slot): at for stream, state in self.streams.items() for slot, at in state.answered.items()}

    def hear(self, answered: Answered) -> None:
        """Learn of requests to other replicas which versions are beside those whose rows are counted here."""
        watched = {(stream.namespace, stream.model) for stream, _ in self.streams.items()}
        for (stream, slot), at in answered.items():
            if (stream.namespace, stream.model) not in watched:
                continue
            try:
                state = self.intake.know(stream, at)
            except TooManyStreams:
                continue  # without it there is no comparison, and that is no good news
            state.saw(slot, 0)
            state.answered[slot] = max(state.answered.get(slot, at), at)

    def take_predictions(self) -> list[Prediction]:
        """Those joined since the last call."""
        taken, self._predictions = self._predictions, []
        return taken

    def take_parts(self) -> list[Part]:
        """Closed since the last call, if they are shared."""
        taken, self._parts = self._parts, []
        return taken

    def take_windows(self) -> list[Closed]:
        """Those closed since the last call."""
        taken, self._windows = self._windows, []
        return taken

    def count_open(self) -> None:
        """Count all that is collected, so that the counts are the whole state."""
        for state in self.streams.values():
            state.count_open(self._random)

    @property
    def timeline(self) -> Timeline:
        """Of all streams but drills."""
        return Timeline(self.lateness)

    def _new_stream(self, now: float) -> StreamState:
        return StreamState(timeline=self.timeline, last_seen=now, closed=self.timeline.closed_at(now))

    def _rewind(self, now: float) -> None:
        """Follow a clock that was set back; the operator has to begin anew, since ticks will come again."""
        states = [*self.streams.values(), *(drill.state for drill in self.drills.values())]
        rewound = [state.rewind(now) for state in states]
        if not self.timeline.is_ahead(self.closed, now) and not any(rewound):
            return
        self.closed = self.timeline.closed_at(now)
        self.rewound += 1
        for comparison in self.comparisons.values():
            comparison.begin_anew(self.closed)
            comparison.live.forget_after(self.closed)

    def _process(self, event: Arrived) -> None:
        outcome: Outcome | None
        ended = self._traced(event)
        if not self.seen.add(event.envelope.key):
            outcome = Outcome.DUPLICATE
        else:
            try:
                outcome = self._decode(event)
            except Undecodable:
                outcome = Outcome.UNDECODABLE
        if outcome is not None:
            self.intake.count(event.envelope, event.state, outcome)
        if ended is not None:
            ended(outcome)

    def _decode(self, event: Arrived) -> Outcome | None:
        """What became of an event; None for one that waits for the other half."""
        drill = self.drills.of_request(event.envelope.request_id)
        if isinstance(drill, str) or event.envelope.answered is False:
            return Outcome.IGNORED
        inference = decode(event.body, event.envelope.kind, self._loads)
        if inference is None:
            return Outcome.IGNORED
        if drill is not None:
            return self._take_drill(drill, event, inference)
        return self._take(event, inference)

    def _take(self, event: Arrived, inference: Inference) -> Outcome | None:
        envelope, state = event.envelope, event.state
        self._close(envelope.stream, state, event.arrival)
        awaits_answer = self._awaits_answer(envelope)
        tick = None
        if not awaits_answer:
            tick = state.add(envelope, inference.rows, event.nbytes, self._random)
        response_id = inference.id if envelope.kind is Kind.RESPONSE else None
        half = Half(envelope, inference.rows, response_id, event.nbytes, event.arrival)
        self._settle(self._joining.add(half))
        if awaits_answer:
            return None
        return Outcome.LATE if tick is None else Outcome.ACCEPTED

    def _awaits_answer(self, envelope: Envelope) -> bool:
        """Whether nobody knows yet if the model took a request; one that it refused is nothing that the model saw.

        Replicas cannot wait: the answer may have come to another one.
        """
        return envelope.answered is None and not self._shared

    def _settle(self, inferences: Iterable[Joined]) -> None:
        for joined in inferences:
            if (prediction := joined.prediction()) is not None:
                self._predictions.append(prediction)
            self._pair(joined)
            request = joined.request
            if request is None or not self._awaits_answer(request.envelope):
                continue
            state = self.streams.get(request.envelope.stream)
            if state is None:
                continue  # it was forgotten meanwhile
            outcome = Outcome.UNANSWERED
            if joined.response is not None:
                tick = state.add(request.envelope, request.rows, request.nbytes, self._random)
                outcome = Outcome.LATE if tick is None else Outcome.ACCEPTED
            self.intake.count(request.envelope, state, outcome)

    def _pair(self, joined: Joined) -> None:
        """Hold an inference against the other slot's answer to the same request, in the tick in which both are here."""
        request, response = joined.request, joined.response
        if request is None or response is None:
            return
        envelope = response.envelope
        state = self.streams.get(envelope.stream)
        if state is None or envelope.request_id is None or envelope.slot not in SLOTS:
            return
        comparison = self.comparison(envelope.stream)
        pairs = comparison.pairing.add(envelope.request_id, envelope.slot, request.rows, response.rows)
        if pairs is not None:
            answered = state.timeline.tick_at(envelope.time.timestamp())
            comparison.add_pairs(max(answered, state.closed + 1, comparison.closed + 1), pairs)

    def _take_drill(self, drill: Drill, event: Arrived, inference: Inference) -> Outcome:
        drill.state.last_seen = event.arrival
        if event.envelope.kind is Kind.REQUEST:
            event.state.saw(event.envelope.slot, inference.rows.count)
        self._close(drill.stream, drill.state, event.arrival, drill)
        tick = drill.state.add(event.envelope, inference.rows, event.nbytes, self._random)
        return Outcome.LATE if tick is None else Outcome.ACCEPTED

    def _close(self, stream: Stream, state: StreamState, now: float, drill: Drill | None = None) -> None:
        until = state.timeline.closed_at(now)
        if until <= state.closed:
            return
        ticks = state.close(until, self._random)
        digest, cells = (None, None) if state.rules is None else (state.rules.digest, state.rules.cells)
        if drill is None and self._shared:
            pairs = self.comparison(stream).take_pairs
            self._parts += [Part(stream, tick, digest, pairs(tick.index)) for tick in ticks]
            return
        self._windows += [Closed(stream, state, window) for window in state.judge(ticks, until, self.timed)]
        if drill is None:
            for tick in ticks:
                self.comparison(stream).add(tick, stream.version, digest, cells)

    def comparison(self, stream: Stream) -> Comparison:
        """Of a stream's model."""
        return self.comparisons.setdefault((stream.namespace, stream.model), Comparison())
