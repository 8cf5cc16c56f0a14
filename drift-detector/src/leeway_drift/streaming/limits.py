"""Bounds of the detector's memory."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of everything a sender could make grow.

    Attributes:
        body_bytes: of one event.
        batch_bytes: of one batch of events.
        queue_events: events or batches waiting to be decoded.
        queue_bytes: of their bodies.
        remembered_events: against which duplicates are found.
        streams: (namespace, model, version) watched at once.
        stream_silent_seconds: silence after which nobody knows any more whether the data is good.
        stream_idle_seconds: silence after which a stream may give way to a new one.
        stream_forgotten_seconds: silence after which a stream is forgotten; a daily batch keeps its windows.
        waiting_halves: of inferences, that wait for the other half.
        waiting_bytes: of their bodies.
        waiting_seconds: for which one waits.
        drills: at once.
        drill_idle_seconds: silence after which a drill is forgotten.
    """

    body_bytes: int = 2 * 2**20
    batch_bytes: int = 8 * 2**20
    queue_events: int = 10_000
    queue_bytes: int = 32 * 2**20
    remembered_events: int = 50_000
    streams: int = 64
    stream_silent_seconds: float = 600
    stream_idle_seconds: float = 600
    stream_forgotten_seconds: float = 26 * 3600
    waiting_halves: int = 10_000
    waiting_bytes: int = 8 * 2**20
    waiting_seconds: float = 30
    drills: int = 4
    drill_idle_seconds: float = 1800
