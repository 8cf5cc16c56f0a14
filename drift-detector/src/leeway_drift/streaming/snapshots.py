"""The detector's state as a JSON-safe document and back, so that a restart continues where the last one was written.

Samples of rows, halves that wait for each other, and ticks for the operator are not in it: rows are nobody's to keep,
and the operator sees by the new epoch that there is a gap. When both slots of a model answered is in it: labels of
these minutes come days later. The keys of counted events are in it together with the
counts: an event sent again after a restart counts if and only if the counts are without it.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from leeway_drift.counting.counts import Counts, MalformedCounts
from leeway_drift.counting.plan import Plan
from leeway_drift.detectors.interface import ColumnScore, Judgement, Reference, Verdict, Window
from leeway_drift.reading.events import Stream
from leeway_drift.streaming.cells import Quality
from leeway_drift.streaming.dedup import RecentKeys
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.judging import Judged, Judging, Key, Past, Rules
from leeway_drift.streaming.live import BothLive
from leeway_drift.streaming.moments import Moments
from leeway_drift.streaming.persistence import Persistence
from leeway_drift.streaming.streams import StreamState
from leeway_drift.streaming.ticks import Arm, OpenArm, Output
from leeway_drift.streaming.timeline import Timeline
from leeway_drift.streaming.windows import OpenWindow, SlidingWindow

_KEY_BYTES = 16

MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, MalformedCounts)
"""What reading a document of another shape raises."""

Document = dict[str, Any]
FindRules = Callable[[Stream, str], Rules | None]
"""The rules of a stream whose profile has this digest, None if that profile is not kept."""


class MalformedSnapshot(ValueError):  # noqa: N818 - it says what it is
    """The document is no snapshot that this version has written."""


def to_document(detector: Detector) -> Document:
    """The state of a detector; drills are not kept."""
    detector.count_open()
    return {
        "lateness": detector.lateness,
        "seen": b64encode(b"".join(detector.seen)).decode(),
        "unattributed": {outcome.value: count for outcome, count in detector.intake.unattributed.items()},
        "streams": [_stream(stream, state) for stream, state in detector.streams.items()],
        "live": [[*model, comparison.live.to_json()] for model, comparison in detector.comparisons.items()],
    }


def restore(detector: Detector, document: Any, rules: FindRules) -> None:
    """Put a document's state into a detector that has seen nothing yet.

    Raises:
        MalformedSnapshot: it is none; the detector is unchanged.
    """
    try:
        seen = b64decode(document["seen"])
        keys = [seen[at : at + _KEY_BYTES] for at in range(0, len(seen), _KEY_BYTES)]
        unattributed = {
            outcome: int(document["unattributed"].get(outcome, 0)) for outcome in detector.intake.unattributed
        }
        streams = [_read_stream(entry, Timeline(detector.lateness), rules) for entry in document["streams"]]
        live = {(namespace, model): BothLive.from_json(entry) for namespace, model, entry in document["live"]}
    except MALFORMED as error:
        raise MalformedSnapshot(f"{type(error).__name__} where another version was read") from error
    detector.seen = RecentKeys(detector.limits.remembered_events, keys)
    detector.intake.unattributed.update(unattributed)
    for stream, state in streams:
        detector.streams.restore(stream, state)
        model = stream.namespace, stream.model
        detector.comparison(stream).live = live.get(model, BothLive())


def _stream(stream: Stream, state: StreamState) -> Document:
    return {
        "namespace": stream.namespace,
        "model": stream.model,
        "version": stream.version,
        "last_seen": state.last_seen,
        "closed": state.closed,
        "outcomes": {f"{kind}/{outcome}": count for (kind, outcome), count in state.outcomes.items()},
        **windows_document(state),
        "open": [
            [tick, {slot: arm_document(arm) for slot, arm in arms.items()}] for tick, arms in state.open_ticks.items()
        ],
    }


def windows_document(state: StreamState) -> Document:
    """Windows of a stream and what was said of them."""
    return {
        "profile": None if state.rules is None else state.rules.digest,
        "window": None if state.window is None else _open_window(state.window),
        "sliding": [[first, last, counts.to_json()] for first, last, counts in state.sliding.parts],
        "judging": _judging(state.judging),
    }


def restore_windows(state: StreamState, document: Document, rules: Rules) -> None:
    """Put back what ``windows_document`` wrote under the same rules.

    Raises:
        MalformedSnapshot: it is something else; the state is unchanged.
    """
    try:
        _restore_windows(state, document, rules)
    except MALFORMED as error:
        raise MalformedSnapshot(f"{type(error).__name__} where another version was read") from error


def _read_stream(document: Document, timeline: Timeline, find: FindRules) -> tuple[Stream, StreamState]:
    stream = Stream(document["namespace"], document["model"], document["version"])
    state = StreamState(timeline=timeline, last_seen=document["last_seen"], closed=document["closed"])
    for kind, outcome in state.outcomes:
        state.outcomes[kind, outcome] = int(document["outcomes"].get(f"{kind}/{outcome}", 0))
    digest = document["profile"]
    rules = None if digest is None else find(stream, digest)
    plan = None if rules is None else rules.plan
    for tick, arms in document["open"]:
        state.open_ticks[int(tick)] = {slot: read_arm(arm, plan) for slot, arm in arms.items()}
    if rules is not None:
        _restore_windows(state, document, rules)
    return stream, state


def _restore_windows(state: StreamState, document: Document, rules: Rules) -> None:
    sliding = SlidingWindow()
    sliding.parts.extend(
        (first, last, Counts.from_json(rules.plan, counts)) for first, last, counts in document["sliding"]
    )
    judging = _read_judging(document["judging"], rules.plan)
    window = OpenWindow(rules.window_rows, state.timeline.ticks_for(rules.window_seconds))
    if document["window"] is not None:
        window.first, window.last, counts = document["window"]
        window.counts = None if counts is None else Counts.from_json(rules.plan, counts)
    state.rules = None
    state.sliding, state.judging, state.window = sliding, judging, window
    state.watch(rules)


def _open_window(window: OpenWindow) -> list[Any]:
    return [window.first, window.last, None if window.counts is None else window.counts.to_json()]


def arm_document(arm: Arm | OpenArm) -> Document:
    """What a slot saw; an open arm has to be counted."""
    return {
        "requests": arm.requests,
        "rows": arm.rows,
        "losses": [[served, *_moments(moments)] for served, moments in arm.losses.items()],
        "outputs": {name: [*_moments(output.moments), output.outside] for name, output in arm.outputs.items()},
        "quality": [arm.quality.n, arm.quality.bad],
        "counts": None if arm.counts is None else arm.counts.to_json(),
        "uncounted": arm.uncounted,
    }


def read_arm(document: Document, plan: Plan | None) -> OpenArm:
    """Read what ``arm_document`` wrote; without the plan it was counted by, its rows are uncounted."""
    counts = document["counts"]
    counted = counts is not None and plan is not None
    return OpenArm(
        requests=document["requests"],
        rows=document["rows"],
        losses={served: Moments(n, total, squares) for served, n, total, squares in document["losses"]},
        outputs={
            name: Output(Moments(n, total, squares), outside)
            for name, (n, total, squares, outside) in document["outputs"].items()
        },
        quality=Quality(*document["quality"]),
        counts=Counts.from_json(plan, counts) if counted and plan is not None else None,
        uncounted=document["uncounted"] or (counts is not None and not counted),
    )


def _moments(moments: Moments) -> list[float]:
    return [moments.n, moments.sum, moments.sumsq]


def _judging(judging: Judging) -> Document:
    return {
        "judged": [_judged(judged) for judged in judging.judged.values()],
        "recent": [[*key, list(known.recent)] for key, known in judging.persistence.items()],
        "trailing": [_window(window) for window in judging.trailing],
        "history": [_past(past) for past in judging.history],
        "latest": None if judging.latest is None else _window(judging.latest),
        "sliding": None if judging.sliding is None else _window(judging.sliding),
        "withheld": judging.withheld,
    }


def _read_judging(document: Document, plan: Plan) -> Judging:
    judging = Judging(withheld=document["withheld"])
    for entry in document["judged"]:
        judged = _read_judged(entry)
        judging.judged[judged.judgement.detector, judged.judgement.reference] = judged
    for detector, reference, recent in document["recent"]:
        known = judging.persistence.setdefault((detector, Reference(reference)), Persistence())
        known.recent.extend(Verdict(verdict) for verdict in recent)
    judging.trailing.extend(_read_window(window, plan) for window in document["trailing"])
    judging.history.extend(_read_past(past) for past in document["history"])
    judging.latest = None if document["latest"] is None else _read_window(document["latest"], plan)
    judging.sliding = None if document["sliding"] is None else _read_window(document["sliding"], plan)
    return judging


def _window(window: Window) -> list[Any]:
    return [window.start.isoformat(), window.end.isoformat(), window.counts.to_json()]


def _read_window(document: list[Any], plan: Plan) -> Window:
    start, end, counts = document
    return Window(datetime.fromisoformat(start), datetime.fromisoformat(end), Counts.from_json(plan, counts))


def _judged(judged: Judged) -> Document:
    judgement = judged.judgement
    return {
        "detector": judgement.detector,
        "reference": judgement.reference,
        "verdict": judgement.verdict,
        "score_ratio": judgement.score_ratio,
        "calibrated": judgement.calibrated,
        "reason": judgement.reason,
        "columns": [[column.name, dict(column.statistics), column.score_ratio] for column in judgement.columns],
        "window": None if judged.window is None else _span(judged.window),
        "recent": list(judged.recent),
        "detected": judged.detected,
    }


def _read_judged(document: Document) -> Judged:
    columns = tuple(
        ColumnScore(name, {key: value for key, value in statistics.items() if value is not None}, ratio)
        for name, statistics, ratio in document["columns"]
    )
    judgement = Judgement(
        document["detector"],
        Reference(document["reference"]),
        Verdict(document["verdict"]),
        document["score_ratio"],
        document["calibrated"],
        document["reason"],
        columns,
    )
    window = None if document["window"] is None else _read_span(document["window"])
    return Judged(judgement, window, tuple(Verdict(verdict) for verdict in document["recent"]), document["detected"])


def _past(past: Past) -> Document:
    return {
        "span": _span((past.start, past.end, past.rows)),
        "detected": [list(key) for key in past.detected],
        "ratios": [[*key, ratio] for key, ratio in past.ratios.items()],
    }


def _read_past(document: Document) -> Past:
    start, end, rows = _read_span(document["span"])
    detected = tuple(_key(detector, reference) for detector, reference in document["detected"])
    ratios: Mapping[Key, float] = {
        _key(detector, reference): ratio for detector, reference, ratio in document["ratios"] if ratio is not None
    }
    return Past(start, end, rows, detected, ratios)


def _key(detector: str, reference: str) -> Key:
    return detector, Reference(reference)


def _span(span: tuple[datetime, datetime, int]) -> list[Any]:
    start, end, rows = span
    return [start.isoformat(), end.isoformat(), rows]


def _read_span(document: list[Any]) -> tuple[datetime, datetime, int]:
    start, end, rows = document
    return datetime.fromisoformat(start), datetime.fromisoformat(end), int(rows)
