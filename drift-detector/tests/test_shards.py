"""What replicas count apart is what one detector counts; only time and the way of the parts are not real."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway_drift.detectors.native import native_detectors
from leeway_drift.profile import Profile
from leeway_drift.reading.events import Stream
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.judging import Rules
from leeway_drift.streaming.limits import Limits
from leeway_drift.streaming.moments import Moments
from leeway_drift.streaming.pairing import Pairs
from leeway_drift.streaming.parts import Part
from leeway_drift.streaming.shards import (
    FORMAT,
    PATIENCE_TICKS,
    Evaluation,
    MalformedPart,
    part_document,
    read_part,
    watermark,
)
from leeway_drift.streaming.snapshots import Document, windows_document
from leeway_drift.streaming.streams import StreamState
from leeway_drift.streaming.ticks import Tick
from leeway_drift.streaming.timeline import Timeline
from tests.watching import FLIGHTS, NOW, Clock, headers, profile, request, response

SHARDS = 8
PROFILE = Profile.parse(json.loads(profile()))
RULES = Rules("d" * 64, PROFILE.plan, PROFILE.window_rows, PROFILE.window_seconds, native_detectors(PROFILE))
LATENESS = 5.0


def detector(clock: Clock, *, shared: bool, rules: Rules | None = RULES) -> Detector:
    made = Detector(Limits(), clock, lateness=LATENESS, shared=shared)
    if rules is not None:
        made.intake.know(FLIGHTS, clock()).watch(rules)
    return made


def state(of: Detector) -> StreamState:
    found = of.streams.get(FLIGHTS)
    assert found is not None
    return found


@dataclass
class Kept:
    """What the shell keeps of the parts and of the evaluator, as JSON."""

    parts: dict[Stream, dict[int, dict[str, Any]]] = field(default_factory=dict)
    states: dict[Stream, Document] = field(default_factory=dict)
    evaluated: int = -1

    def hand_in(self, replica: str, parts: Iterable[Part]) -> None:
        for part in parts:
            document = json.loads(json.dumps(part_document(part)))
            self.parts.setdefault(part.stream, {}).setdefault(part.tick.index, {})[replica] = document

    def after(self, evaluated: int, until: int) -> dict[Stream, dict[int, Mapping[str, Any]]]:
        return {
            stream: {index: parts for index, parts in ticks.items() if evaluated < index <= until}
            for stream, ticks in self.parts.items()
        }

    def evaluate(self, evaluation: Evaluation, until: int) -> None:
        self.evaluated, changed = evaluation.apply(self.after(self.evaluated, until), until)
        for stream, document in changed.items():
            self.states[stream] = json.loads(json.dumps(document))


def ready(evaluation: Evaluation, saved: Mapping[Stream, Document] | None = None) -> Evaluation:
    evaluation.begin(saved or {})
    return evaluation


def verdicts(of: Detector) -> Document:
    return windows_document(state(of))


def arms(of: Detector) -> tuple[list[Any], list[float]]:
    """The operator's ticks: what is counted in integers, and the sums of answers."""
    comparison = of.comparisons.get((FLIGHTS.namespace, FLIGHTS.model))
    counted: list[Any] = []
    sums: list[float] = []
    for tick in [] if comparison is None else comparison.since(-1):
        for slot, known in sorted(tick.arms.items()):
            arm, outputs = known.arm, sorted(known.arm.outputs.items())
            counts = None if arm.counts is None else arm.counts.to_json()
            counted.append([tick.index, slot, known.version, known.digest, arm.requests, arm.rows, arm.quality, counts])
            counted.append([(name, output.moments.n, output.outside) for name, output in outputs])
            sums += [value for _, output in outputs for value in (output.moments.sum, output.moments.sumsq)]
    return counted, sums


delays = st.lists(st.one_of(st.none(), st.integers(-50, 200).map(float)), min_size=1, max_size=60)
events = st.lists(
    st.tuples(
        st.integers(0, SHARDS - 1),
        st.sampled_from(["a", "b"]),
        delays,
        st.floats(0, 20),  # how old it is: some are late
        st.sampled_from([0.0, 0.0, 1.0, 7.0, 10.0]),  # until the next
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40)
@given(events, st.lists(st.integers(0, SHARDS - 1), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_eight_shards_say_bit_for_bit_what_one_detector_says_whoever_evaluates(
    script: list[Any], evaluators: list[int], random: Any
):
    clock, kept = Clock(), Kept()
    alone = detector(clock, shared=False)
    shards = [detector(clock, shared=True) for _ in range(SHARDS)]
    taking_over = {len(script) * turn // len(evaluators): who for turn, who in enumerate(evaluators)}
    evaluation, evaluator = None, shards[0]

    def turn() -> None:
        for watching in (alone, *shards):
            while watching.step(100):
                pass
        order = list(enumerate(shards))
        random.shuffle(order)
        for name, shard in order:
            kept.hand_in(f"replica{name}", shard.take_parts())
        assert evaluation is not None
        kept.evaluate(evaluation, alone.closed)

    for number, (shard, slot, values, age, pause) in enumerate(script):
        if number in taking_over:
            evaluator = shards[taking_over[number]]
            evaluation = ready(Evaluation(evaluator, f"replica{taking_over[number]}"), kept.states)
        for kind, body in (("request", request(values)), ("response", response([(v or 0) / 200 for v in values]))):
            for watching in (alone, shards[shard]):
                attributes = headers(number, kind=kind, slot=slot, at=clock.now - age)
                watching.intake.offer(watching.intake.admit(attributes), body)
        clock.now += pause
        turn()
    clock.now += 60
    turn()
    assert verdicts(evaluator) == verdicts(alone)
    if len(evaluators) == 1:  # ticks for the operator begin anew with each evaluator
        (counted, sums), (counted_alone, sums_alone) = arms(evaluator), arms(alone)
        assert counted == counted_alone
        assert sums == pytest.approx(sums_alone)  # doubles are rounded after each addition


def sent(to: Detector, number: int, values: list[Any], *, slot: str = "a") -> None:
    to.intake.offer(to.intake.admit(headers(number, slot=slot, at=to.clock())), request(values))
    answer = headers(number, kind="response", slot=slot, at=to.clock())
    to.intake.offer(to.intake.admit(answer), response([0.5] * len(values)))


def closed(of: Detector, clock: Clock) -> list[Part]:
    of.step(100)
    clock.now += 20
    of.step(100)
    return of.take_parts()


def test_what_pairs_one_replica_completes_are_the_models_and_counted_once():
    clock, kept = Clock(), Kept()
    shards = [detector(clock, shared=True) for _ in range(2)]
    for slot in ("a", "b"):
        sent(shards[0], 1, [1.0, 2.0], slot=slot)
    sent(shards[1], 2, [3.0])
    for shard in shards:
        shard.step(100)
    clock.now += 20
    for number, shard in enumerate(shards):
        shard.step(100)
        kept.hand_in(str(number), shard.take_parts())
    kept.evaluate(ready(Evaluation(shards[1], "1")), shards[1].closed)
    [tick] = shards[1].comparisons[FLIGHTS.namespace, FLIGHTS.model].since(-1)
    assert (tick.pairs.difference.n, tick.pairs.labelled) == (2, 2)
    assert tick.arms["a"].arm.rows == 3


def test_whoever_takes_over_knows_when_both_slots_answered_though_no_replica_saw_both():
    clock, kept = Clock(), Kept()
    shards = [detector(clock, shared=True) for _ in range(2)]

    def close() -> None:
        clock.now += 20
        for number, shard in enumerate(shards):
            shard.step(100)
            kept.hand_in(str(number), shard.take_parts())

    for shard, slot in zip(shards, "ab", strict=True):
        sent(shard, 1, [1.0], slot=slot)
        shard.step(100)
    close()
    kept.evaluate(ready(Evaluation(shards[0], "0")), shards[0].closed)
    for shard, slot in zip(shards, "ab", strict=True):
        shard.add_loss(FLIGHTS, slot, 0.5, NOW)  # both slots had requests then
        shard.add_loss(FLIGHTS, slot, 1.0, NOW + 15)  # and none then
    close()
    kept.evaluate(ready(Evaluation(shards[1], "1"), kept.states), shards[1].closed)
    [tick] = shards[1].comparisons[FLIGHTS.namespace, FLIGHTS.model].since(-1)
    losses = {slot: [moments.sum for moments in known.losses.values()] for slot, known in tick.arms.items()}
    assert losses == {"a": [0.5], "b": [0.5]}


def test_a_version_waits_for_the_profile_by_which_others_have_counted_and_then_judges_all():
    clock, kept = Clock(), Kept()
    counting, without = detector(clock, shared=True), detector(clock, shared=True, rules=None)
    evaluation = ready(Evaluation(without, "without"))
    for number in range(2):
        sent(counting, number, [float(value) for value in range(100)])
        kept.hand_in("counting", closed(counting, clock))
        without.step(1)
        kept.evaluate(evaluation, without.closed)
    first = min(kept.parts[FLIGHTS])
    assert kept.evaluated == first - 1
    state(without).watch(RULES)
    clock.now += 10
    without.step(1)
    kept.evaluate(evaluation, without.closed)
    assert kept.evaluated == without.closed
    assert [past.rows for past in state(without).judging.history] == [100, 100]


def test_a_version_whose_profile_never_comes_does_not_wait_for_ever_and_judges_nothing():
    clock, kept = Clock(), Kept()
    counting, without = detector(clock, shared=True), detector(clock, shared=True, rules=None)
    sent(counting, 1, [1.0])
    kept.hand_in("counting", closed(counting, clock))
    clock.now += PATIENCE_TICKS * 10
    without.step(1)
    kept.evaluate(ready(Evaluation(without, "without")), without.closed)
    assert kept.evaluated == without.closed
    [tick] = without.comparisons[FLIGHTS.namespace, FLIGHTS.model].since(-1)
    assert tick.arms["a"].arm.rows == 1
    assert tick.arms["a"].arm.uncounted


@pytest.mark.parametrize(
    "document", [None, [], {}, {"format": 1}, {"format": FORMAT, "profile": None, "arms": {"a": {}}}]
)
def test_what_is_no_part_is_refused_and_counted_and_the_others_are_judged(document: Any):
    clock, kept = Clock(), Kept()
    shard = detector(clock, shared=True)
    sent(shard, 1, [1.0, 2.0])
    kept.hand_in("good", closed(shard, clock))
    [index] = kept.parts[FLIGHTS]
    kept.parts[FLIGHTS][index]["broken"] = document
    with pytest.raises(MalformedPart):
        read_part(FLIGHTS, index, document, state(shard))
    evaluation = ready(Evaluation(shard, "good"))
    kept.evaluate(evaluation, shard.closed)
    assert evaluation.unreadable == 1
    [tick] = shard.comparisons[FLIGHTS.namespace, FLIGHTS.model].since(-1)
    assert tick.arms["a"].arm.rows == 2


def test_rows_counted_by_another_profile_are_in_no_window():
    clock = Clock()
    shard = detector(clock, shared=True)
    sent(shard, 1, [1.0])
    [part] = closed(shard, clock)
    other = {**part_document(part), "profile": "e" * 64}
    assert read_part(FLIGHTS, part.tick.index, other, state(shard)).tick.counts is None


def test_a_part_is_the_same_after_its_way():
    pairs = Pairs(Moments(2, 0.1 + 0.2, 1e-17), flips=1, labelled=2, outside=3, mismatched=4)
    part = Part(FLIGHTS, Tick(7, {}), None, pairs)
    back = read_part(FLIGHTS, 7, json.loads(json.dumps(part_document(part))), state(detector(Clock(), shared=True)))
    assert (back.pairs, back.tick.index, back.digest) == (pairs, 7, None)


TIMELINE = Timeline(LATENESS)
CLOSED = TIMELINE.closed_at(NOW)


@pytest.mark.parametrize(
    ("reports", "since", "sealed"),
    [
        ({"a": CLOSED, "b": CLOSED}, NOW, CLOSED),
        ({"a": CLOSED, "b": CLOSED - 1}, NOW, CLOSED - 1),  # b may still hand in
        ({"a": CLOSED, "b": CLOSED - 9}, NOW - 15, CLOSED - 1),  # b is too late
        ({"a": CLOSED, "b": CLOSED - 9}, NOW - 14, CLOSED - 9),  # after an outage it is given time
        ({}, NOW, None),
        ({}, NOW - 15, CLOSED - 1),
    ],
)
def test_a_tick_is_sealed_when_all_have_handed_in_or_the_time_is_over(
    reports: dict[str, int], since: float, sealed: int | None
):
    assert watermark(reports, TIMELINE, NOW, since) == sealed
