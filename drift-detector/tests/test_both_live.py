"""Labels of two versions compare over the minutes in which both answered, however late they come."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.reading.events import Stream
from leeway_drift.service.compare import TOLD_LOSSES
from leeway_drift.streaming.cells import Quality
from leeway_drift.streaming.comparing import TOLD_MINUTES, Comparison
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.limits import Limits
from leeway_drift.streaming.live import KEPT_SPANS, BothLive
from leeway_drift.streaming.moments import Moments
from leeway_drift.streaming.snapshots import restore, to_document
from leeway_drift.streaming.ticks import Arm, Tick
from tests.watching import FLIGHTS, NOW, Clock, headers, request, response, serving, settled

OLD, NEW = Stream("models", "flights", "1.0.0"), Stream("models", "flights", "2.0.0")
SERVED_IN = {"a": OLD, "b": NEW}


@given(st.lists(st.integers(0, 30), unique=True), st.integers(0, 31))
def test_exactly_the_ticks_in_which_both_answered_are_covered(ticks: list[int], asked: int):
    live = BothLive()
    for tick in sorted(ticks):
        live.add(tick, ("1", "2"))
    read = BothLive.from_json(json.loads(json.dumps(live.to_json())))
    for known in (live, read):
        assert known.covers("a", "1", asked) == known.covers("b", "2", asked) == (asked in ticks)
        assert not known.covers("b", "1", asked)
        assert not known.covers("", "1", asked)


@given(st.lists(st.integers(0, 30), unique=True), st.integers(0, 31), st.integers(0, 31))
def test_what_a_clock_that_was_set_back_has_not_reached_is_forgotten(ticks: list[int], until: int, asked: int):
    live = BothLive()
    for tick in sorted(ticks):
        live.add(tick, ("1", "2"))
    live.forget_after(until)
    assert live.covers("a", "1", asked) == (asked in ticks and asked <= until)


def test_the_oldest_spans_give_way_and_another_pair_begins_anew():
    live = BothLive()
    for number in range(KEPT_SPANS + 1):
        live.add(2 * number, ("1", "2"))
    assert not live.covers("a", "1", 0)
    assert live.covers("a", "1", 2)
    live.add(2 * KEPT_SPANS + 1, ("3", "2"))
    assert not live.covers("b", "2", 2)
    assert live.covers("b", "2", 2 * KEPT_SPANS + 1)


def answered(by: Detector, clock: Clock, slots: str, name: object) -> None:
    """A request to each of these slots; ``b`` runs the new version."""
    for slot in slots:
        attributes = headers(name, slot=slot, at=clock.now, **{"ce-endpoint": SERVED_IN[slot].version})
        by.intake.offer(by.intake.admit(attributes), request([1.0]))
    by.step(100)


def told(of: Detector) -> Counter[tuple[str, int]]:
    """Sums of all losses shown, by slot and by the minute since ``NOW`` in which the predictions were made."""
    sums: Counter[tuple[str, int]] = Counter()
    comparison = of.comparisons.get(("models", "flights"), Comparison())
    for tick in comparison.since(-1):
        for slot, known in tick.arms.items():
            assert list(known.losses) == sorted(known.losses)
            sums.update({(slot, minute - int(NOW) // 60): losses.sum for minute, losses in known.losses.items()})
    return sums


minutes = st.lists(st.sampled_from(["", "a", "b", "ab"]), min_size=1, max_size=12)
labels = st.lists(st.tuples(st.integers(0, 11), st.sampled_from("ab"), st.integers(0, 15)), max_size=20)


@given(minutes, labels, st.integers(0, 20))
def test_a_label_counts_if_and_only_if_both_slots_answered_when_its_prediction_was_made(
    script: list[str], labelled: list[tuple[int, str, int]], restarted: int
):
    clock = Clock(NOW)
    watching = Detector(Limits(), clock, lateness=5)
    sums: Counter[tuple[str, int]] = Counter()
    for tick in range(20):
        if tick == restarted:  # the ticks are gone by then, and what they told has been told
            clock.now += 5
            watching.step(1)
            clock.now -= 5
            sums.update(told(watching))
            document = json.loads(json.dumps(to_document(watching)))
            watching = Detector(Limits(), clock, lateness=5)
            restore(watching, document, lambda *_: None)
        answered(watching, clock, script[tick] if tick < len(script) else "", tick)
        for served, slot, delay in labelled:
            if served + delay == tick:
                watching.add_loss(SERVED_IN[slot], slot, 0.25, NOW + served * 10 + 1)
        clock.now += 10
        watching.step(1)
    clock.now += 20
    watching.step(1)
    sums.update(told(watching))
    expected: Counter[tuple[str, int]] = Counter()
    for served, slot, delay in labelled:
        if served + delay < 20 and served < len(script) and script[served] == "ab":
            expected[slot, served // 6] += 0.25
    assert sums == expected


def closed(index: int, losses: dict[int, Moments]) -> Tick:
    """A tick of labels alone."""
    return Tick(index, {"a": Arm(0, 0, {}, Quality(), losses, None, False, None, None)})


def side_by_side(ticks: int) -> Comparison:
    comparison = Comparison()
    for index in range(ticks):
        comparison.live.add(index, ("1", "2"))
    return comparison


def test_of_too_many_minutes_the_oldest_are_dropped_and_counted():
    minutes = TOLD_MINUTES + 3
    comparison = side_by_side(6 * minutes)
    losses = {6 * minute + tick: Moments(1, 0.5, 0.25) for minute in range(minutes) for tick in (0, 5)}
    comparison.add(closed(6 * minutes, losses), "1", None, None)
    comparison.show(6 * minutes)
    [tick] = comparison.since(-1)
    arm = tick.arms["a"]
    assert list(arm.losses) == list(range(3, minutes))
    assert (arm.dropped, {losses.n for losses in arm.losses.values()}) == (6, {2})


def test_an_answer_that_would_be_long_ends_early_and_the_next_goes_on(tmp_path: Path):
    clock, ticks, ask = Clock(), TOLD_LOSSES // TOLD_MINUTES + 3, {"candidate": "b"}
    with serving(tmp_path, clock) as (service, client):
        client.post("/", headers=headers(1), content=request([1.0]))
        settled(service)
        clock.now += 20
        settled(service)
        cursor = client.get("/v1/compare/models/flights", params=ask).json()["cursor"]
        comparison = service.engine.detector.comparisons["models", "flights"]
        first = comparison.closed + 1
        comparison.live = BothLive(("1.0.0", "2.0.0"), [(0, first)])
        for index in range(first, first + ticks):
            day = {first - 1 - 6 * minute: Moments(1, 0.5, 0.25) for minute in range(TOLD_MINUTES)}
            comparison.add(closed(index, day), "1.0.0", None, None)
        comparison.show(first + ticks)
        seen = []
        for _ in range(3):
            answer = client.get("/v1/compare/models/flights", params={**ask, "cursor": cursor}).json()
            seen.append(len(answer["ticks"]))
            cursor = answer["cursor"]
    assert seen == [TOLD_LOSSES // TOLD_MINUTES, 3, 0]


def test_ticks_of_labels_alone_come_for_both_arms_after_one_has_gone_quiet(tmp_path: Path):
    clock = Clock()
    ask = {"candidate": "b"}
    with serving(tmp_path, clock) as (service, client):
        for slot in "ab":
            attributes = {"slot": slot, "at": clock.now, "ce-endpoint": SERVED_IN[slot].version}
            client.post("/", headers=headers(1, **attributes), content=request([1.0]))
            client.post("/", headers=headers(1, kind="response", **attributes), content=response([0.5]))
        settled(service)
        served = datetime.fromtimestamp(clock.now, UTC)
        clock.now += 3600
        settled(service)
        cursor = client.get("/v1/compare/models/flights", params=ask).json()["cursor"]
        service.engine.add_loss(OLD, "a", 0.5, served)
        service.engine.add_loss(NEW, "b", 0.125, served)
        service.engine.add_loss(NEW, "b", 1.0, datetime.fromtimestamp(clock.now, UTC))
        settled(service)
        clock.now += 20
        settled(service)
        [tick] = client.get("/v1/compare/models/flights", params={**ask, "cursor": cursor}).json()["ticks"]
    arms = {
        role: (arm["version"], arm["requests"], [(losses["n"], losses["sum"]) for losses in arm["losses"]])
        for role, arm in tick["arms"].items()
    }
    assert arms == {"stable": ("1.0.0", 0, [(1, 0.5)]), "candidate": ("2.0.0", 0, [(1, 0.125)])}


def test_a_snapshot_whose_spans_are_none_is_no_snapshot():
    detector = Detector(Limits(), Clock(), lateness=5)
    document = {**to_document(detector), "live": [["models", "flights", "?"]]}
    with pytest.raises(ValueError, match="ValueError"):
        restore(Detector(Limits(), Clock(), lateness=5), document, lambda *_: None)
    assert FLIGHTS not in dict(detector.streams.items())
