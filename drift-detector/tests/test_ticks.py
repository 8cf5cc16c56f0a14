"""Ticks and windows: nothing is lost, nothing counts twice, and neither order nor restarts nor looking on matters."""

import json
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.counting.counts import Counts
from leeway_drift.counting.plan import ColumnPlan, Plan
from leeway_drift.detectors.interface import Judgement, Reference, Verdict, Window
from leeway_drift.reading.decode import decode
from leeway_drift.reading.events import Kind, Stream
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.judging import Rules
from leeway_drift.streaming.limits import Limits
from leeway_drift.streaming.snapshots import restore, to_document
from leeway_drift.streaming.streams import Outcome, StreamState
from leeway_drift.streaming.timeline import Timeline
from tests.watching import FLIGHTS, NOW, Clock, headers, request, response

PLAN = Plan(
    {"delay": ColumnPlan(np.array([0, 10], dtype=np.float32)), "carrier": ColumnPlan(categories=("AA",))},
    {"probabilities.1": ColumnPlan(np.array([0.5], dtype=np.float32))},
)


class Keeps:
    """A detector that is silent and keeps the windows it is given."""

    def __init__(self, name: str = "keeps") -> None:
        self.name = name
        self.reference = Reference.TRAINING
        self.windows: list[Window] = []

    def judge(self, window: Window, trailing: Sequence[Window]) -> Judgement:
        self.windows.append(window)
        return Judgement(self.name, self.reference, Verdict.WITHIN, 0.5, calibrated=True, reason=f"{len(trailing)}")


def rules(*detectors: Keeps, rows: int = 5, seconds: float = 20.0) -> Rules:
    return Rules("digest", PLAN, rows, seconds, detectors)


def watching(clock: Clock, using: Rules) -> tuple[Detector, StreamState]:
    detector = Detector(Limits(), clock, lateness=5)
    state = detector.streams.seen(FLIGHTS, clock())
    state.watch(using)
    return detector, state


def work(detector: Detector) -> None:
    while detector.step(7):
        pass


sent = st.tuples(
    st.integers(0, 20),  # which event; the same one may come again
    st.integers(0, 160).map(lambda quarters: quarters / 4),  # seconds between its time and its arrival
    st.integers(0, 32).map(lambda quarters: quarters / 4),  # seconds until it arrives, after the last one
    st.lists(st.one_of(st.none(), st.floats(-5, 15)), min_size=1, max_size=4),
    st.sampled_from(list(Kind)),
)
scripts = st.lists(sent, max_size=25)


def body(kind: Kind, values: list[float | None]) -> bytes:
    return request(values) if kind is Kind.REQUEST else response([abs(value or 0) / 20 for value in values])


def accepted(script: list[Any], lateness: float = 5, tick: float = 10) -> list[tuple[float, Kind, bytes]]:
    """What a detector has to count: the first of each event, unless its tick was closed when it came."""
    now, seen, counted = NOW, set(), []
    for number, age, pause, values, kind in script:
        now += pause
        end = ((now - age) // tick + 1) * tick
        if (number, kind) not in seen and now < end + lateness:
            counted.append((now - age, kind, body(kind, values)))
        seen.add((number, kind))
    return counted


def play(script: list[Any], detector: Detector, clock: Clock, looking: st.DataObject | None = None) -> None:
    for number, age, pause, values, kind in script:
        clock.now += pause
        attributes = headers(number, kind=kind, at=clock.now - age)
        detector.intake.offer(detector.intake.admit(attributes), body(kind, values))
        if looking is None or looking.draw(st.booleans()):
            work(detector)
    work(detector)


def as_json(counts: Counts) -> Any:
    return counts.to_json()


@given(scripts, st.data())
def test_windows_hold_what_came_in_time_once_however_often_one_looks(script: list[Any], data: st.DataObject):
    watched = []
    for looking in (None, data):
        keeps, clock = Keeps(), Clock()
        detector, state = watching(clock, rules(keeps))
        play(script, detector, clock, looking)
        clock.now += 1000
        work(detector)
        assert state.window is not None
        parts = [window.counts for window in keeps.windows]
        parts += [] if state.window.counts is None else [state.window.counts]
        watched.append((parts, [(window.start, window.end) for window in keeps.windows]))
    expected = Counts.none(PLAN)
    for _, kind, payload in accepted(script):
        inference = decode(payload, kind)
        assert inference is not None
        count = Counts.of_request if kind is Kind.REQUEST else Counts.of_response
        expected += count(PLAN, inference.rows)
    for parts, spans in watched:
        assert as_json(reduce(add, parts, Counts.none(PLAN))) == as_json(expected)
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))
        assert all((end - start).total_seconds() >= 20 for start, end in spans)
    assert watched[0][1] == watched[1][1]
    assert [as_json(counts) for counts in watched[0][0]] == [as_json(counts) for counts in watched[1][0]]
    assert all(counts.rows >= 5 for counts in watched[0][0][: len(watched[0][1])])


@given(scripts, st.integers(0, 25))
def test_a_restart_at_any_moment_counts_what_was_saved_once_and_nothing_twice(script: list[Any], moment: int):
    whole, clock = Keeps(), Clock()
    detector, _ = watching(clock, rules(whole))
    play(script, detector, clock)
    clock.now += 1000
    work(detector)

    parts, clock = Keeps(), Clock()
    detector, _ = watching(clock, rules(parts))
    play(script[:moment], detector, clock)
    document = orjson.loads(orjson.dumps(to_document(detector)))
    before = list(parts.windows)
    second = Detector(Limits(), clock, lateness=5)
    restore(second, document, lambda _, digest: rules(parts) if digest == "digest" else None)
    resent = [(number, age, 0.0, values, kind) for number, age, _, values, kind in script[:moment]]
    play(resent, second, Clock(clock.now))  # whoever sends again after a restart is not counted again
    parts.windows[:] = before + parts.windows[len(before) :]
    play(script[moment:], second, clock)
    clock.now += 1000
    work(second)
    assert [(window.start, window.end) for window in parts.windows] == [
        (window.start, window.end) for window in whole.windows
    ]
    assert [as_json(window.counts) for window in parts.windows] == [as_json(window.counts) for window in whole.windows]


def test_a_window_needs_its_rows_and_its_seconds():
    keeps, clock = Keeps(), Clock()
    detector, state = watching(clock, rules(keeps, rows=3, seconds=30))
    detector.intake.offer(detector.intake.admit(headers(1)), request([1.0, 2.0, 3.0]))
    work(detector)
    clock.now = NOW + 34.9
    work(detector)
    assert keeps.windows == []
    clock.now = NOW + 35
    work(detector)
    assert [(window.end.timestamp() - NOW, window.counts.rows) for window in keeps.windows] == [(30, 3)]
    assert state.window is not None
    assert state.window.counts is None


def test_rows_that_came_before_the_profile_are_in_no_window_but_in_the_comparison():
    keeps, clock = Keeps(), Clock()
    detector = Detector(Limits(), clock, lateness=5)
    detector.intake.offer(detector.intake.admit(headers(1)), request([1.0]))
    work(detector)
    clock.now += 15
    work(detector)
    state = detector.streams.get(FLIGHTS)
    assert state is not None
    state.watch(rules(keeps, rows=1))
    detector.intake.offer(detector.intake.admit(headers(2, at=clock.now)), request([1.0, 2.0]))
    clock.now += 100
    work(detector)
    assert [window.counts.rows for window in keeps.windows] == [2]
    [first, second] = detector.comparisons["models", "flights"].since(-1)
    assert [tick.arms["a"].arm.rows for tick in (first, second)] == [1, 2]


def test_time_runs_faster_in_a_drill():
    timeline = Timeline(lateness=5, tick_seconds=0.25, origin=NOW, event_origin=0.0, speed=8640)
    assert timeline.event_time(1).timestamp() == 2160
    assert timeline.ticks_for(86_400) == 40
    assert timeline.closed_at(NOW + 5.25) == 0


def test_a_state_of_another_profile_begins_anew():
    keeps, clock = Keeps(), Clock()
    detector, state = watching(clock, rules(keeps, rows=1))
    detector.intake.offer(detector.intake.admit(headers(1)), request([1.0]))
    clock.now += 100
    work(detector)
    assert state.judging.history
    state.watch(Rules("another", PLAN, 1, 20.0, [keeps]))
    assert not state.judging.history
    assert state.window is not None
    assert state.window.first is None


def test_a_profile_that_is_replaced_within_a_tick_leaves_that_tick_uncounted():
    keeps, clock = Keeps(), Clock()
    detector, state = watching(clock, rules(keeps, rows=1))
    other = Plan({"delay": ColumnPlan(np.array([3], dtype=np.float32))}, {})
    for number in range(2):
        detector.intake.offer(detector.intake.admit(headers(number)), request([1.0]))
        detector.step(1)
        detector.count_open()
        state.watch(Rules("another", other, 1, 20.0, [keeps]))
    clock.now += 20
    work(detector)
    [tick] = detector.comparisons[FLIGHTS.namespace, FLIGHTS.model].since(-1)
    assert (tick.arms["a"].arm.rows, tick.arms["a"].arm.uncounted) == (2, True)
    assert state.window is not None
    assert state.window.counts is None


def test_a_batch_is_read_event_by_event():
    detector, _ = watching(Clock(), rules(Keeps()))
    attributes = {name.removeprefix("ce-"): value for name, value in headers(1).items()}
    good = {**attributes, "data": json.loads(request([1.0]))}
    again = {**attributes, "data": {}}
    failed = {**attributes, "type": "org.kubeflow.serving.inference.response", "status": "500", "data": {"error": "x"}}
    detector.intake.offer_batch(json.dumps([good, again, failed, {"specversion": "1.0"}, 7]).encode())
    detector.intake.offer_batch(b"no json")
    work(detector)
    state = detector.streams.get(Stream(*("models", "flights", "1.0.0")))
    assert state is not None
    assert {key: count for key, count in state.outcomes.items() if count} == {
        (Kind.REQUEST, Outcome.ACCEPTED): 1,
        (Kind.REQUEST, Outcome.DUPLICATE): 1,
        (Kind.RESPONSE, Outcome.IGNORED): 1,
    }
    assert detector.intake.unattributed[Outcome.MALFORMED] == 3


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.integers(1, 3))
def test_of_batches_that_had_to_go_every_event_is_counted(sizes: list[int], queued: int):
    detector = Detector(Limits(queue_events=queued), Clock(), lateness=5)
    attributes = {name.removeprefix("ce-"): value for name, value in headers(1).items()}
    for size in sizes:
        detector.intake.offer_batch(json.dumps([{**attributes, "data": {}}] * size).encode())

    assert detector.intake.unattributed[Outcome.DROPPED] == sum(sizes[:-queued])
    work(detector)
    state = detector.streams.get(FLIGHTS)
    assert state is not None
    assert sum(state.outcomes.values()) == sum(sizes[-queued:])


def test_many_batches_are_worked_off_a_few_events_at_a_time():
    detector, _ = watching(Clock(), rules(Keeps()))
    for batch in range(3):
        attributes = [headers(100 * batch + number) for number in range(100)]
        events = [{name.removeprefix("ce-"): value for name, value in event.items()} for event in attributes]
        detector.intake.offer_batch(json.dumps([{**event, "data": {}} for event in events]).encode())

    left = []
    while detector.step(10):
        left.append(len(detector.intake))  # between two steps whoever asks gets an answer
    assert left == [2, 1, 0]
