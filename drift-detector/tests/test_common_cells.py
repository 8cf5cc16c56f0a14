"""Two versions' requests are counted in the same cells, so that it shows whether both get the same inputs."""

import json
from collections.abc import Mapping
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.counting.counts import Counts
from leeway_drift.counting.plan import ColumnPlan, Plan
from leeway_drift.reading.decode import decode
from leeway_drift.reading.events import Kind, Stream
from leeway_drift.service.profiles import ProfileSource
from leeway_drift.streaming.cells import CommonCounts
from leeway_drift.streaming.comparing import Comparison, VersionArm
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.judging import Rules
from leeway_drift.streaming.limits import Limits
from leeway_drift.streaming.shards import Evaluation, part_document
from leeway_drift.streaming.snapshots import restore, to_document
from tests.watching import Bundle, Clock, headers, profile, request, serving, settled

OLD, NEW = Stream("models", "flights", "1.0.0"), Stream("models", "flights", "2.0.0")
SERVED_IN = {"a": OLD, "b": NEW}


def numbers(*edges: float) -> ColumnPlan:
    return ColumnPlan(np.array(edges, dtype=np.float32), bounds=(-10, 20))


CARRIERS = ColumnPlan(categories=("AA",))
OLD_PLAN = Plan({"delay": numbers(0, 10), "carrier": CARRIERS}, {})
NEW_PLAN = Plan({"delay": numbers(5), "carrier": ColumnPlan(categories=("AA", "UA"))}, {})


def rules(plan: Plan, until: float) -> Rules:
    return Rules(f"{until}", plan, 5, 20.0, [], until=until)


OLDER, NEWER = rules(OLD_PLAN, 1.0), rules(NEW_PLAN, 2.0)
RULES = {OLD: OLDER, NEW: NEWER}


def watching(clock: Clock, known: Mapping[Stream, Rules] = RULES, *, shared: bool = False) -> Detector:
    detector = Detector(Limits(), clock, lateness=5, shared=shared)
    for stream in (OLD, NEW):
        detector.streams.seen(stream, clock()).watch(known.get(stream))
    return detector


def send(to: Detector, clock: Clock, slot: str, name: object, values: list[float | None]) -> None:
    attributes = headers(name, slot=slot, at=clock.now, **{"ce-endpoint": SERVED_IN[slot].version})
    to.intake.offer(to.intake.admit(attributes), request(values))


def close(detector: Detector, clock: Clock) -> None:
    clock.now += 20
    while detector.step(100):
        pass


def arms(of: Detector) -> list[dict[str, VersionArm]]:
    return [tick.arms for tick in of.comparisons.get(("models", "flights"), Comparison()).since(-1)]


def both(to: Detector, clock: Clock, values: list[float | None] | None = None) -> dict[str, VersionArm]:
    """A request to each slot; what the tick says."""
    for slot in "ab":
        send(to, clock, slot, clock.now, values or [1.0])
    to.step(100)
    close(to, clock)
    return arms(to)[-1]


def counted(by: Plan, sent: list[list[float | None]]) -> Any:
    decoded = [decode(request(values), Kind.REQUEST) for values in sent]
    counts = [Counts.of_request(by, inference.rows) for inference in decoded if inference is not None]
    return features(reduce(add, counts, Counts.none(by)))


def features(counts: Counts) -> Any:
    return counts.to_json()["features"]


def compared(arm: VersionArm) -> CommonCounts:
    assert arm.arm.compared is not None
    return arm.arm.compared


rows = st.lists(st.one_of(st.none(), st.floats(-20, 30, width=32)), min_size=1, max_size=3)
scripts = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ab"), rows, st.integers(0, 2)), max_size=20)
"""Tick, slot, values, and which replica it reaches."""


@given(scripts, st.data())
def test_both_versions_are_counted_in_the_older_ones_bins_however_often_one_looks(
    script: list[Any], data: st.DataObject
):
    clock = Clock()
    detector = watching(clock)
    for slot in "ab":
        send(detector, clock, slot, "first", [1.0])
    detector.step(100)
    close(detector, clock)
    for tick in range(3):
        sent = {slot: [values for at, to, values, _ in script if (at, to) == (tick, slot)] for slot in "ab"}
        for number, (at, slot, values, _) in enumerate(script):
            if at == tick:
                send(detector, clock, slot, number, values)
                if data.draw(st.booleans()):
                    detector.step(1)
                    detector.count_open()
        detector.step(100)
        close(detector, clock)
        if sent["a"]:
            own = arms(detector)[-1]["a"].arm
            assert own.compared is None
            # Alone it compares with nothing, and an hour of it would be most of the detector's memory.
            assert (own.counts is None) == (not sent["b"])
            if own.counts is not None:
                assert features(own.counts) == counted(OLD_PLAN, sent["a"])
        if sent["b"]:
            found = compared(arms(detector)[-1]["b"])
            assert found.cells.digest == OLDER.cells
            assert features(found.counts) == counted(OLD_PLAN, sent["b"])


@given(scripts)
def test_replicas_count_in_common_what_one_detector_does(script: list[Any]):
    clock = Clock()
    alone, replicas = watching(clock), [watching(clock, shared=True) for _ in range(3)]
    for detector in (alone, *replicas):
        for slot in "ab":
            send(detector, clock, slot, f"first{id(detector)}", [1.0])
        detector.step(100)
    parts: dict[Stream, dict[int, dict[str, Any]]] = {OLD: {}, NEW: {}}
    for tick in range(4):
        for number, (at, slot, values, reached) in enumerate(script):
            if at == tick:
                send(alone, clock, slot, number, values)
                send(replicas[reached], clock, slot, number, values)
        clock.now += 10
        for detector in (alone, *replicas):
            detector.step(100)
        for name, replica in enumerate(replicas):
            for part in replica.take_parts():
                document = json.loads(json.dumps(part_document(part)))
                parts[part.stream].setdefault(part.tick.index, {})[f"{name}"] = document
    evaluation = Evaluation(replicas[0], "0")
    evaluation.begin({})
    evaluation.apply(parts, replicas[0].closed)

    def told(detector: Detector) -> list[Any]:
        """But of the first tick, in which each replica had requests of its own."""
        return [
            {slot: features(compared(arm).counts) for slot, arm in tick.items() if slot == "b" and arm.arm.rows}
            for tick in arms(detector)[1:]
        ]

    assert told(replicas[0]) == told(alone)
    assert evaluation.unreadable == 0


def test_the_version_beside_is_the_one_that_answers_in_the_other_slot_now():
    clock = Clock()
    detector = watching(clock)
    assert compared(both(detector, clock)["b"]).cells.digest == OLDER.cells
    third = Stream("models", "flights", "3.0.0")
    detector.streams.seen(third, clock()).watch(rules(Plan({"delay": numbers(7)}, {}), 3.0))
    for stream, slot in ((NEW, "b"), (third, "a")):
        attributes = headers("third", slot=slot, at=clock.now, **{"ce-endpoint": stream.version})
        detector.intake.offer(detector.intake.admit(attributes), request([1.0]))
    detector.step(100)
    close(detector, clock)
    last = arms(detector)[-1]
    assert (last["a"].version, compared(last["a"]).cells.digest) == ("3.0.0", NEWER.cells)
    assert last["b"].arm.common is None


@pytest.mark.parametrize(
    "known",
    [{NEW: NEWER}, {OLD: OLDER}, {OLD: OLDER, NEW: rules(OLD_PLAN, 2.0)}],
    ids=["the older has no profile", "the newer has none", "both have the same bins"],
)
def test_nothing_is_counted_twice_in_vain(known: Mapping[Stream, Rules]):
    clock = Clock()
    last = both(watching(clock, known), clock)
    assert [last[slot].arm.common for slot in "ab"] == [None, None]


def test_a_version_that_is_left_alone_is_counted_once_again():
    clock = Clock()
    detector = watching(clock)
    both(detector, clock)
    clock.now += Limits().stream_silent_seconds
    for _ in range(2):
        send(detector, clock, "b", clock.now, [1.0])
        detector.step(100)
        close(detector, clock)
    assert arms(detector)[-1]["b"].arm.common is None


def test_which_is_older_is_read_from_the_profiles_whoever_answers_first():
    clock = Clock()
    last = both(watching(clock, {OLD: NEWER, NEW: OLDER}), clock)
    assert compared(last["a"]).cells.digest == OLDER.cells
    assert last["b"].arm.common is None
    timeless = {OLD: rules(OLD_PLAN, float("inf")), NEW: rules(NEW_PLAN, float("inf"))}
    mirrored = {OLD: timeless[NEW], NEW: timeless[OLD]}
    said = [both(watching(clock, known), clock) for known in (timeless, mirrored)]
    common = [{arm.arm.common.cells.digest for arm in arms.values() if arm.arm.common is not None} for arms in said]
    assert common[0] == common[1] == {min(OLDER.cells, NEWER.cells)}


def test_rows_of_which_some_were_not_counted_in_common_are_compared_with_nothing():
    clock = Clock()
    detector = watching(clock, {NEW: NEWER})
    for slot in "ab":
        send(detector, clock, slot, 1, [1.0])
    detector.step(100)
    detector.count_open()
    watched = detector.streams.get(OLD)
    assert watched is not None
    watched.watch(OLDER)  # its profile is fetched in the middle of a tick
    detector.step(1)
    send(detector, clock, "b", 2, [1.0])
    detector.step(100)
    close(detector, clock)
    newer = arms(detector)[-1]["b"].arm
    assert (newer.rows, newer.compared) == (2, None)
    assert compared(both(detector, clock)["b"]).quality.n == 1


def test_a_restart_costs_the_ticks_that_were_open():
    clock = Clock()
    detector = watching(clock)
    both(detector, clock)
    for slot in "ab":
        send(detector, clock, slot, "open", [1.0])
    detector.step(100)
    document = json.loads(json.dumps(to_document(detector)))
    restarted = Detector(Limits(), clock, lateness=5)
    restore(restarted, document, lambda stream, _: RULES[stream])
    close(restarted, clock)
    assert (arms(restarted)[-1]["b"].arm.rows, arms(restarted)[-1]["b"].arm.compared) == (1, None)
    assert compared(both(restarted, clock)["b"]).quality.n == 1


def test_a_clock_that_was_set_back_leaves_no_version_that_answers_in_the_future():
    clock = Clock()
    detector = watching(clock)
    both(detector, clock)
    clock.now -= 7200
    detector.step(1)
    third = Stream("models", "flights", "3.0.0")
    detector.streams.seen(third, clock()).watch(rules(Plan({"delay": numbers(7)}, {}), 0.5))
    clock.now += 20
    attributes = headers("third", slot="a", at=clock.now, **{"ce-endpoint": third.version})
    detector.intake.offer(detector.intake.admit(attributes), request([1.0]))
    assert compared(both_after(detector, clock)["b"]).cells.digest == rules(Plan({"delay": numbers(7)}, {}), 0.5).cells


def both_after(detector: Detector, clock: Clock) -> dict[str, VersionArm]:
    send(detector, clock, "b", "after", [1.0])
    detector.step(100)
    close(detector, clock)
    return arms(detector)[-1]


def test_features_compare_that_both_have_by_the_same_kind():
    clock = Clock()
    older = rules(Plan({"delay": numbers(0), "carrier": CARRIERS, "gate": numbers(1)}, {}), 1.0)
    newer = rules(Plan({"delay": numbers(5), "carrier": numbers(3), "wind": numbers(2)}, {}), 2.0)
    found = compared(both(watching(clock, {OLD: older, NEW: newer}), clock)["b"])
    assert list(found.counts.features) == ["delay"]
    assert not found.cells.whole
    assert compared(both(watching(clock), clock)["b"]).cells.whole


@pytest.mark.parametrize(
    "other",
    [
        Plan({"delay": numbers(0, 11), "carrier": CARRIERS}, {}),
        Plan({"delay": ColumnPlan(np.array([0, 10], dtype=np.float32)), "carrier": CARRIERS}, {}),
        Plan({"delay": numbers(0, 10), "carrier": ColumnPlan(categories=("UA",))}, {}),
        Plan({"delay": numbers(0, 10)}, {}),
        Plan({"delay": CARRIERS, "carrier": CARRIERS}, {}),
    ],
    ids=["edge", "bounds", "category", "feature", "kind"],
)
def test_cells_are_the_same_only_if_rows_are_counted_and_judged_alike(other: Plan):
    assert other.cells != OLD_PLAN.cells
    reordered = Plan(dict(reversed(OLD_PLAN.features.items())), {"label": numbers(1)})
    assert reordered.cells == OLD_PLAN.cells


def test_what_the_operator_reads_of_a_retrained_version(tmp_path: Path):
    clock = Clock()
    bundles = {
        version: ProfileSource(Bundle({"drift-profile.json": body}, version), tmp_path / "p", with_reference=False)
        for version, body in (("1.0.0", profile()), ("2.0.0", profile(50.0)))
    }
    with serving(tmp_path, clock) as (service, client):
        for number in range(2):
            for slot, stream in SERVED_IN.items():
                attributes = {"slot": slot, "at": clock.now, "ce-endpoint": stream.version}
                client.post("/", headers=headers(number, **attributes), content=request([120.0, 30.0, None]))
            settled(service)
            if number == 0:
                for slot, stream in SERVED_IN.items():
                    service.engine.set_profile(stream, bundles[stream.version].load(stream, f"flights-{slot}"))
            settled(service)
            clock.now += 20
            settled(service)
        answer = client.get("/v1/compare/models/flights", params={"candidate": "b"}).json()
    candidate, stable = (answer["ticks"][-1]["arms"][role] for role in ("candidate", "stable"))
    assert candidate["profile"] != stable["profile"]
    assert candidate["cells"] == stable["cells"] is not None
    assert candidate["features"] == stable["features"]
    assert candidate["quality"] == stable["quality"] == {"n": 3, "bad": 2}
    assert sum(candidate["features"]["delay"]["bins"]) == 2
