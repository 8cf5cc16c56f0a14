"""Shards: replicas that share the events, and the one of them that judges what all have counted.

Every replica hands in the ticks it has closed. The evaluator seals a tick once all have closed it, or once the time for
that is over: what is handed in afterwards is refused, and counted as lost. It takes sealed ticks in order through the
windows and detectors that a single detector uses, and saves windows and verdicts together with how far it has come.
Whoever takes over continues there; the sealed ticks after that are read again, so that none counts twice or never.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from leeway_drift.reading.events import Stream
from leeway_drift.streaming.cells import Cells
from leeway_drift.streaming.common import cells_beside
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.live import BothLive
from leeway_drift.streaming.moments import Moments
from leeway_drift.streaming.pairing import Pairs
from leeway_drift.streaming.parts import Part, merge
from leeway_drift.streaming.snapshots import (
    MALFORMED,
    Document,
    MalformedSnapshot,
    arm_document,
    read_arm,
    restore_windows,
    windows_document,
)
from leeway_drift.streaming.streams import StreamState, TooManyStreams
from leeway_drift.streaming.ticks import Tick
from leeway_drift.streaming.timeline import Timeline

GRACE_SECONDS = 15.0
"""For which a closed tick waits for a replica that has not handed in, beyond the lateness."""
PATIENCE_TICKS = 30
"""For which a version waits for its profile when others have counted by one; five minutes."""
FORMAT = 2
"""Of a part's document. In an update both formats are about, and neither replica reads the other's parts."""

Replica = str
Handed = Mapping[int, Mapping[Replica, Any]]
"""Documents of the parts of one version, by tick and replica."""


class MalformedPart(ValueError):  # noqa: N818 - it says what it is
    """The document is no part that this version has written."""


def part_document(part: Part) -> Document:
    """A part as JSON-safe Python objects; its samples of rows stay here, since rows are nobody's to keep."""
    difference = part.pairs.difference
    return {
        "format": FORMAT,
        "profile": part.digest,
        "arms": {slot: arm_document(arm) for slot, arm in part.tick.arms.items()},
        "common": {slot: arm.common.to_json() for slot, arm in part.tick.arms.items() if arm.common is not None},
        "pairs": [difference.n, difference.sum, difference.sumsq, *_counted(part.pairs)],
    }


def read_part(
    stream: Stream, index: int, document: Any, state: StreamState, cells: Mapping[str, Cells] = MappingProxyType({})
) -> Part:
    """Read what ``part_document`` wrote; rows counted by another profile than the state's are uncounted.

    Args:
        stream: the version.
        index: of the tick.
        document: what was written.
        state: of the version.
        cells: of the versions beside it, by digest; what is counted in others is left out.

    Raises:
        MalformedPart: it is something else.
    """
    try:
        if document["format"] != FORMAT:
            raise MalformedPart(f"format {document['format']!r:.40}, expected {FORMAT}")
        digest = document["profile"]
        plan = None if state.rules is None or state.rules.digest != digest else state.rules.plan
        opened = {slot: read_arm(arm, plan) for slot, arm in document["arms"].items()}
        for slot, common in document.get("common", {}).items():
            if plan is not None and common["cells"] in cells:
                opened[slot].common = cells[common["cells"]].read(common)
        arms = {slot: arm.close(None, None) for slot, arm in opened.items()}
        n, total, squares, *counted = document["pairs"]
        pairs = Pairs(Moments(n, total, squares), *counted)
    except MALFORMED as error:
        raise MalformedPart(f"{type(error).__name__}: {error!s:.200}") from error
    return Part(stream, Tick(index, arms), digest, pairs)


def _counted(pairs: Pairs) -> tuple[int, ...]:
    return pairs.flips, pairs.labelled, pairs.outside, pairs.mismatched


def watermark(closed: Mapping[Replica, int], timeline: Timeline, now: float, since: float) -> int | None:
    """The last tick that can be sealed, None if nobody can tell yet.

    Args:
        closed: last tick of which each replica has handed in all.
        timeline: of the ticks.
        now: the evaluator's clock, in seconds since the epoch.
        since: when this evaluator could reach the shared counts first. After an outage all replicas have much to hand
            in, and are given time.
    """
    limits = [min(closed.values())] if closed else []
    if now - since >= GRACE_SECONDS:
        limits.append(timeline.closed_at(now - GRACE_SECONDS))
    return max(limits, default=None)


class Evaluation:
    """Judges what all replicas have counted; at any time one of them does.

    Args:
        detector: of this replica, with ``shared``; its streams hold the windows.
        replica: the name of this one.

    Attributes:
        unreadable: parts that were none.
    """

    def __init__(self, detector: Detector, replica: Replica) -> None:
        self._detector = detector
        self._replica = replica
        self._saved: dict[Stream, Document] = {}
        self._waiting: dict[Stream, dict[int, Mapping[Replica, Any]]] = {}
        self._done: dict[Stream, int] = {}
        self._began: int | None = None
        self.unreadable = 0

    def begin(self, saved: Mapping[Stream, Document]) -> None:
        """Take over, from what the evaluator before has saved."""
        for state in self._detector.streams.values():
            state.begin_anew()
        for comparison in self._detector.comparisons.values():
            comparison.begin_anew()
        for stream, document in saved.items():
            self._restore_live(stream, document)
        self._saved = dict(saved)
        self._waiting, self._done, self._began = {}, {}, None

    def apply(self, handed: Mapping[Stream, Handed], until: int) -> tuple[int, dict[Stream, Document]]:
        """Take the sealed ticks after the last call's and up to ``until``.

        Returns:
            The tick up to which all is done, and the states that have changed. They are to be saved together.
        """
        self._began = until if self._began is None else self._began
        now = self._detector.clock()
        for stream, ticks in handed.items():
            self._waiting.setdefault(stream, {}).update(ticks)
        changed = {}
        for stream in {*self._waiting, *self._saved, *(stream for stream, _ in self._detector.streams.items())}:
            try:
                seen = now if stream in handed else float(self._saved.get(stream, {}).get("last_seen", 0))
                state = self._detector.intake.know(stream, seen)
            except TooManyStreams:
                self._waiting.pop(stream, None)
                self._saved.pop(stream, None)
                continue
            if self._has_to_wait(stream, state, until):
                self._done[stream] = min(min(self._waiting.get(stream, {}), default=until + 1) - 1, until)
            elif self._take(stream, state, until):
                changed[stream] = {"last_seen": state.last_seen, **windows_document(state)}
        self._show()
        for stream, document in changed.items():
            document["live"] = self._detector.comparison(stream).live.to_json()
        return min(self._done.values(), default=until), changed

    def _restore_live(self, stream: Stream, document: Document) -> None:
        """Every version of a model has saved when both slots answered; the one that changed last knows best."""
        comparison = self._detector.comparison(stream)
        try:
            live = BothLive.from_json(document.get("live"))
        except MALFORMED:
            self.unreadable += 1
            return
        if live.last >= comparison.live.last:
            comparison.live = live

    def _has_to_wait(self, stream: Stream, state: StreamState, until: int) -> bool:
        """Whether others have counted by a profile that is not here yet, and there is time to wait for it."""
        waiting, saved = self._waiting.get(stream, {}), self._saved.get(stream)
        since = min(waiting, default=until)
        documents = [document for parts in waiting.values() for document in parts.values()]
        if saved is not None:
            documents.append(saved)
            since = min(since, until if self._began is None else self._began)
        by_profile = any(isinstance(document, dict) and document.get("profile") for document in documents)
        return state.rules is None and by_profile and until - since < PATIENCE_TICKS

    def _take(self, stream: Stream, state: StreamState, until: int) -> bool:
        saved = self._saved.pop(stream, None)
        if saved is not None and state.rules is not None and state.rules.digest == saved.get("profile"):
            try:
                restore_windows(state, saved, state.rules)
            except MalformedSnapshot:
                self.unreadable += 1
        merged = []
        for index, documents in sorted(self._waiting.pop(stream, {}).items()):
            parts = self._read(stream, index, documents, state)
            if parts:
                merged.append(merge(parts))
        windows = state.judge((part.tick for part in merged), until, self._detector.timed)
        for part in merged:
            cells = None if state.rules is None else state.rules.cells
            self._detector.comparison(stream).add(part.tick, stream.version, part.digest, cells, part.pairs)
        self._done[stream] = until
        return bool(merged or windows)

    def _read(self, stream: Stream, index: int, documents: Mapping[Replica, Any], state: StreamState) -> list[Part]:
        parts, cells = [], cells_beside(stream, self._detector.streams.items())
        for replica, document in sorted(documents.items()):
            try:
                part = read_part(stream, index, document, state, cells)
            except MalformedPart:
                self.unreadable += 1
                continue
            parts.append(part)
            if replica != self._replica:  # it has noted its own rows when they came
                for slot, arm in part.tick.arms.items():
                    state.saw(slot, arm.rows)
        return parts

    def _show(self) -> None:
        watched = {stream for stream, _ in self._detector.streams.items()}
        self._done = {stream: done for stream, done in self._done.items() if stream in watched}
        for (namespace, model), comparison in self._detector.comparisons.items():
            done = [
                done for stream, done in self._done.items() if (stream.namespace, stream.model) == (namespace, model)
            ]
            comparison.show(min(done, default=-1))
