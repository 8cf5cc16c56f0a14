"""What the engine publishes: immutable, so that the API and Prometheus read it while the engine goes on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Window
from leeway_drift.reading.events import Kind, Stream
from leeway_drift.service.profiles import NOT_FETCHED, ProfileState
from leeway_drift.streaming.judging import Judged, Key, Past, insufficient
from leeway_drift.streaming.persistence import AT_ONCE
from leeway_drift.streaming.streams import Outcome, StreamState


@dataclass(frozen=True, slots=True)
class Sharing:
    """Where judging is done; alone, it is here.

    Attributes:
        evaluates: whether the windows and verdicts of this replica are the ones that count.
        evaluator: address of the replica whose are, None if it is this one or nobody knows.
        reason: why nothing can be judged now, None if it can.
    """

    evaluates: bool = True
    evaluator: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OpenView:
    """The window that is being filled.

    Attributes:
        start: event time of its begin, None before the first event.
        counts: of it, None without events.
        needed_rows: at least.
        needed_seconds: at least.
    """

    start: datetime | None
    counts: Counts | None
    needed_rows: int
    needed_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One stream at one moment.

    Attributes:
        stream: which.
        drill: the drill whose stream it is, None for a real one.
        profile: what is known of its profile.
        outcomes: events by kind and outcome.
        rows_seen: rows of decoded requests by slot, since the start.
        coverage: rows seen over rows served, None if not known.
        silent: whether its last event is so old that nobody knows any more whether its data is good.
        open: the open window, None without a profile.
        judged: last words of the detectors.
        history: of closed windows, oldest first.
        latest: the last closed window.
        sliding: the window of data quality.
    """

    stream: Stream
    drill: str | None
    profile: ProfileState
    outcomes: Mapping[tuple[Kind, Outcome], int]
    rows_seen: Mapping[str, int]
    coverage: float | None
    silent: bool
    open: OpenView | None
    judged: Mapping[Key, Judged]
    history: tuple[Past, ...]
    latest: Window | None
    sliding: Window | None


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Everything at one moment.

    Attributes:
        streams: real ones.
        drills: by name.
        unattributed: events that belong to no stream, by outcome.
        backlog: events accepted and not yet decoded.
        slots: coverage by namespace, model and slot.
        saved: when the last snapshot was written, None before the first.
        sharing: where judging is done.
    """

    streams: Mapping[Stream, View] = field(default_factory=dict)
    drills: Mapping[str, View] = field(default_factory=dict)
    unattributed: Mapping[Outcome, int] = field(default_factory=dict)
    backlog: int = 0
    slots: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    saved: float | None = None
    sharing: Sharing = Sharing()


def view(
    stream: Stream,
    state: StreamState,
    *,
    profile: ProfileState = NOT_FETCHED,
    coverage: float | None = None,
    drill: str | None = None,
    blind: str | None = None,
    silent: str | None = None,
) -> View:
    """Look at a stream; by the engine's thread alone. If it is blind, for this reason, all detectors say so.

    If it is silent, those say so that speak of this moment's traffic; their alarm stands until there is better news.
    """
    opened = None
    if state.window is not None and state.rules is not None:
        first = state.window.first
        opened = OpenView(
            start=None if first is None else state.timeline.event_time(first),
            counts=state.window.counts,
            needed_rows=state.window.needed_rows,
            needed_seconds=state.rules.window_seconds,
        )
    return View(
        stream=stream,
        drill=drill,
        profile=profile,
        outcomes=dict(state.outcomes),
        rows_seen=dict(state.rows_seen),
        coverage=coverage,
        silent=silent is not None,
        open=opened,
        judged={
            key: judged if reason is None else replace(judged, judgement=insufficient(key, reason))
            for key, judged in state.judging.judged.items()
            for reason in [blind or (silent if key[0] in AT_ONCE else None)]
        },
        history=tuple(state.judging.history),
        latest=state.judging.latest,
        sliding=state.judging.sliding,
    )
