"""Raw counters become ticks: nothing is lost, nothing is counted twice, and what is not known is said."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_operators.core.counters import (
    Advanced,
    advance,
    history_of,
    threshold_of,
    threshold_problem,
)
from leeway_operators.core.evidence import CounterReading, Counters, GatewayCounters
from leeway_operators.core.model import Slot
from leeway_operators.evidence.experiment import History
from leeway_operators.evidence.ticks import CounterTick

START = 1_767_225_600.0
BOUND = 0.1
READY: Mapping[str, Slot] = {"stable-0": "a", "candidate-0": "b"}


def sample(slot: Slot, time: float, requests: float, errors: float = 0.0, slow: float = 0.0) -> Counters:
    """A pod that predicted for every request without an error."""
    predicted = requests - errors
    buckets = {0.05: (predicted - slow) / 2, BOUND: predicted - slow, math.inf: predicted}
    return Counters(slot=slot, time=START + time, requests=requests, errors=errors, buckets=buckets)


def reading(*pairs: Counters, gateways: Mapping[str, GatewayCounters] | None = None, **more: Any) -> CounterReading:
    names = {"a": "stable-0", "b": "candidate-0"}
    servers = {names[one.slot]: one for one in pairs}
    return CounterReading(**{"servers": servers, "ready": READY, "gateways": gateways or {}, **more})


def look(kept: Mapping[str, Any], read: CounterReading, **changes: Any) -> Advanced:
    """One look, with what is kept going through JSON as it does through the status."""
    newest = max((one.time for one in read.servers.values()), default=START)
    settings: dict[str, Any] = {"now": newest + 1, "since": START, "threshold": BOUND, "weight": 0.25, "candidate": "b"}
    advanced = advance(json.loads(json.dumps(kept)), read, **settings | changes)
    json.dumps(advanced.kept, allow_nan=False)
    return advanced


def told(ticks: list[CounterTick | None]) -> tuple[float, ...]:
    """Totals of all ticks: requests, errors, predicted, slow of the candidate, then of stable."""
    there = [tick for tick in ticks if tick is not None]
    pairs = [(tick.requests, tick.errors, tick.predicted, tick.slow) for tick in there]
    ours = [sum(float(row[i].candidate) for row in pairs) for i in range(4)]
    theirs = [sum(float(row[i].stable) for row in pairs) for i in range(4)]
    return (*ours, *theirs)


def test_a_tick_is_what_both_arms_counted_since_the_look_before() -> None:
    first = look({}, reading(sample("a", 1, 1000, 10), sample("b", 2, 50)))
    assert (first.tick, first.reason) == (None, None)
    second = look(first.kept, reading(sample("a", 11, 1100, 12, 5), sample("b", 12, 80, 3, 1)))
    assert second.reason is None
    assert second.tick is not None
    assert told([second.tick]) == (30, 3, 27, 1, 100, 2, 98, 5)
    assert (second.tick.seconds, second.tick.weight) == (10, 0.25)


def shared(tick: CounterTick | None) -> tuple[float, ...]:
    """Requests of candidate and stable, and over how many seconds each were counted, as the sample ratio has them."""
    assert tick is not None
    requests, seconds = tick.routed.requests, tick.routed.seconds
    return tuple(float(value) for pair in (requests, seconds) for value in (pair.candidate, pair.stable))


def test_servers_whose_scrapes_are_not_equally_far_apart_say_over_how_long_they_counted() -> None:
    kept = look({}, reading(sample("a", 1, 0), sample("b", 6, 0))).kept
    waiting = look(kept, reading(sample("a", 11, 100), sample("b", 6, 0)))
    tick = look(waiting.kept, reading(sample("a", 21, 200), sample("b", 16, 100))).tick
    assert shared(tick) == (100, 200, 10, 20)


def test_the_gateway_tells_the_shares_of_both_arms_over_the_same_seconds() -> None:
    def through(time: float, **sent: float) -> Mapping[str, GatewayCounters]:
        slots: dict[str, Slot] = {"ours": "b", "theirs": "a"}
        return {
            name: GatewayCounters(slot=slots[name], time=START + time, requests=requests, failures=0)
            for name, requests in sent.items()
        }

    kept = look({}, reading(sample("a", 1, 0), sample("b", 6, 0), gateways=through(4, ours=0, theirs=0))).kept
    servers = sample("a", 21, 200), sample("b", 16, 100)
    tick = look(kept, reading(*servers, gateways=through(14, ours=90, theirs=110))).tick
    assert shared(tick) == (90, 110, 10, 10)
    nothing_sent = look(kept, reading(*servers, gateways=through(14, theirs=110))).tick
    assert shared(nothing_sent) == (0, 110, 10, 10)
    not_asked_again = look(kept, reading(*servers, gateways=through(4, ours=0, theirs=0))).tick
    assert shared(not_asked_again) == (0, 0, 0, 0)


def test_until_every_ready_pod_was_scraped_again_there_is_no_tick_and_nothing_is_wrong() -> None:
    kept = look({}, reading(sample("a", 1, 0), sample("b", 1, 0))).kept
    half = look(kept, reading(sample("a", 11, 100), sample("b", 1, 0)))
    assert (half.tick, half.reason) == (None, None)
    whole = look(half.kept, reading(sample("a", 11, 100), sample("b", 12, 7)))
    assert told([whole.tick]) == (7, 0, 7, 0, 100, 0, 100, 0)


@given(
    growth=st.lists(st.tuples(*(st.integers(0, 50) for _ in range(6))), min_size=1, max_size=12),
    interval=st.sampled_from([1, 10, 30, 60]),
    looks=st.integers(1, 6),
)
def test_however_growth_is_split_into_scrapes_and_looks_the_totals_are_the_same(
    growth: list[tuple[int, ...]], interval: int, looks: int
) -> None:
    kept, ticks = look({}, reading(sample("a", 0, 0), sample("b", 0, 0))).kept, []
    totals = [0] * 6
    for number, more in enumerate(growth, start=1):
        totals = [total + new for total, new in zip(totals, more, strict=True)]
        fine, failed, slow = totals[0], totals[1], totals[2]
        fine_b, failed_b, slow_b = totals[3], totals[4], totals[5]
        read = reading(
            sample("a", number * interval, fine + failed + slow, failed, slow),
            sample("b", number * interval, fine_b + failed_b + slow_b, failed_b, slow_b),
            interval=float(interval),
        )
        for _ in range(looks):  # more looks than scrapes
            advanced = look(kept, read)
            assert advanced.reason is None
            kept = advanced.kept
            ticks.append(advanced.tick)
    fine, failed, slow, fine_b, failed_b, slow_b = totals
    ours = (fine_b + failed_b + slow_b, failed_b, fine_b + slow_b, slow_b)
    assert told(ticks) == (*ours, fine + failed + slow, failed, fine + slow, slow)
    assert sum(tick is not None for tick in ticks) == len(growth)


@given(order=st.permutations(["p0", "p1", "p2", "p3"]))
def test_the_order_of_pods_does_not_matter(order: list[str]) -> None:
    def made(time: float, scale: float) -> CounterReading:
        slots: dict[str, Slot] = {"p0": "a", "p1": "a", "p2": "b", "p3": "b"}
        servers = {pod: sample(slots[pod], time, scale * (int(pod[1]) + 1)) for pod in order}
        return CounterReading(servers=servers, ready={pod: slots[pod] for pod in reversed(order)})

    tick = look(look({}, made(1, 1)).kept, made(11, 10)).tick
    assert told([tick])[0] == 9 * (3 + 4)
    assert told([tick])[4] == 9 * (1 + 2)


def test_a_counter_that_fell_began_again_at_zero() -> None:
    kept = look({}, reading(sample("a", 1, 1000), sample("b", 1, 900, 9))).kept
    tick = look(kept, reading(sample("a", 11, 1100), sample("b", 11, 40, 4))).tick
    assert told([tick])[:2] == (40, 4)


def test_what_grew_across_a_change_of_weights_belongs_to_neither_side() -> None:
    kept = look({}, reading(sample("a", 1, 0), sample("b", 1, 0))).kept
    changed = START + 15
    straddling = look(kept, reading(sample("a", 21, 500), sample("b", 12, 100)), since=changed)
    assert (straddling.tick, straddling.reason) == (None, None)
    baseline = look(straddling.kept, reading(sample("a", 31, 600), sample("b", 22, 200)), since=changed)
    assert (baseline.tick, baseline.reason) == (None, None)
    tick = look(baseline.kept, reading(sample("a", 41, 700), sample("b", 32, 210)), since=changed).tick
    assert told([tick])[0] == 10
    assert told([tick])[4] == 200


def test_a_pod_that_is_gone_counts_up_to_its_last_sample_and_is_then_forgotten() -> None:
    def made(**servers: Counters) -> CounterReading:
        named = {name.replace("_", "-"): one for name, one in servers.items()}
        return CounterReading(servers=named, ready={"a-0": "a", "b-0": "b"})

    both = {"a_0": sample("a", 1, 0), "b_0": sample("b", 1, 0), "b_1": sample("b", 1, 0)}
    kept = look({}, made(**both)).kept
    last = look(kept, made(a_0=sample("a", 11, 10), b_0=sample("b", 11, 5), b_1=sample("b", 6, 3)))
    assert told([last.tick])[0] == 8
    again = look(last.kept, made(a_0=sample("a", 21, 20), b_0=sample("b", 21, 9), b_1=sample("b", 6, 3)))
    assert told([again.tick])[0] == 4
    gone = look(again.kept, made(a_0=sample("a", 31, 30), b_0=sample("b", 31, 10)))
    assert "b-1" not in gone.kept["servers"]


def test_a_new_pods_first_sample_is_its_baseline_even_where_no_tick_forms() -> None:
    grown: Mapping[str, Slot] = {**READY, "candidate-1": "b"}

    def made(at: float, requests: float, new: Counters) -> CounterReading:
        old = {"stable-0": sample("a", at, requests), "candidate-0": sample("b", at, requests)}
        return CounterReading(servers=old | {"candidate-1": new}, ready=grown)

    kept = look({}, reading(sample("a", 1, 0), sample("b", 1, 0))).kept
    waiting = look(kept, made(11, 5, sample("b", 5, 1000)))
    assert (waiting.tick, waiting.reason) == (None, None)
    tick = look(waiting.kept, made(21, 10, sample("b", 15, 1007))).tick
    assert told([tick])[0] == 17


# ------------------------------------------------------------------------------------------- no data, bad data


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (reading(sample("a", 1, 5)), "pod candidate-0 of slot b is in no metric yet"),
        (reading(sample("a", 1, math.nan), sample("b", 1, 5)), "counters of pod stable-0 are no counters"),
        (reading(sample("a", 1, 5), sample("b", 1, -1)), "counters of pod candidate-0 are no counters"),
        (reading(sample("a", 100, 5), sample("b", 1, 5)), "candidate-0 of slot b was last scraped 100 s ago"),
        (CounterReading(servers={}, ready={}), "no pod of the model is ready"),
        (
            reading(
                sample("a", 1, 5),
                sample("b", 1, 5),
                gateways={"g/10.0.0.1": GatewayCounters(slot="b", time=START, requests=math.nan, failures=0)},
            ),
            "gateway's counters of g/10.0.0.1",
        ),
    ],
)
def test_what_is_absent_stale_or_no_number_is_said_and_makes_no_tick(broken: CounterReading, expected: str) -> None:
    kept = look({}, reading(sample("a", 0, 0), sample("b", 0, 0))).kept
    advanced = look(kept, broken)
    assert advanced.tick is None
    assert advanced.kept == kept
    assert advanced.reason is not None
    assert expected in advanced.reason


def test_slow_scrapes_are_not_stale() -> None:
    read = reading(sample("a", 100, 5), sample("b", 1, 5), interval=60.0)
    assert look({}, read).reason is None


def test_what_was_counted_while_the_source_was_away_is_told_afterwards() -> None:
    kept = look({}, reading(sample("a", 1, 0), sample("b", 1, 0))).kept
    away = look(kept, reading(sample("a", 11, 10)))
    back = look(away.kept, reading(sample("a", 301, 300), sample("b", 302, 30)))
    assert told([back.tick])[0] == 30
    assert told([back.tick])[4] == 300


def test_a_slot_without_a_ready_pod_counts_against_it_but_is_not_trusted() -> None:
    kept = look({}, reading(sample("a", 1, 0), sample("b", 1, 0))).kept
    crashed = look(kept, reading(sample("a", 11, 10), sample("b", 6, 5, 5), ready={"stable-0": "a"}))
    assert told([crashed.tick])[:2] == (5, 5)
    assert crashed.reason == "no pod of slot b is ready"


@pytest.mark.parametrize("document", [{"since": "x"}, {"servers": 3}, {"since": START, "threshold": BOUND}])
def test_what_cannot_be_read_back_counts_as_nothing(document: dict[str, Any]) -> None:
    advanced = look(document, reading(sample("a", 1, 7), sample("b", 1, 7)))
    assert (advanced.tick, advanced.reason) == (None, None)
    tick = look(advanced.kept, reading(sample("a", 11, 8), sample("b", 11, 9))).tick
    assert told([tick])[0] == 2


# ------------------------------------------------------------------------------------------------- the gateway


def through(time: float, sent: float, failures: float) -> Mapping[str, GatewayCounters]:
    return {"g/10.0.0.2": GatewayCounters(slot="b", time=START + time, requests=sent, failures=failures)}


def test_requests_that_only_the_gateway_saw_fail_replace_the_servers_count() -> None:
    kept = look({}, reading(sample("a", 1, 0), sample("b", 1, 0), gateways=through(1, 0, 0))).kept
    unreached = reading(sample("a", 11, 100), sample("b", 11, 10, 2), gateways=through(11, 15, 7))
    assert told([look(kept, unreached).tick])[:2] == (15, 7)


def test_what_both_saw_is_not_added_up() -> None:
    kept = look({}, reading(sample("a", 1, 0), sample("b", 1, 0), gateways=through(1, 0, 0))).kept
    both = reading(sample("a", 11, 100), sample("b", 11, 10, 7), gateways=through(11, 9, 3))
    assert told([look(kept, both).tick])[:2] == (10, 7)


def test_requests_that_a_server_refused_do_not_hide_those_that_it_never_answered() -> None:
    """Clients err as often in both arms; the gateway calls 4xx answered, so what it saw fail comes on top of them."""
    kept = look({}, reading(sample("a", 1, 0), sample("b", 1, 0), gateways=through(1, 0, 0))).kept
    for faults, expected in ((0, 8 + 7), (3, 8 + 7), (9, 8 + 9)):
        refusing = replace(sample("b", 11, 100, 8 + faults), refused=8)
        tick = look(kept, reading(sample("a", 11, 100, 8), refusing, gateways=through(11, 107, 7))).tick
        assert told([tick])[:2] == (107, expected)


@given(steps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=30))
def test_scrapes_out_of_step_with_the_gateways_count_nothing_twice(steps: list[tuple[int, int]]) -> None:
    kept = look({}, reading(sample("a", 0, 0), sample("b", 0, 0), gateways=through(0, 0, 0))).kept
    ticks, server, gateway, before = [], (0, 0), (0, 0), (0, 0)
    for number, (fine, failed) in enumerate(steps, start=1):
        now = (server[0] + fine + failed, server[1] + failed)
        # Every other time one of both is a tick behind.
        gateway, server, before = (now, now, now) if number % 2 else (before, now, now)
        read = reading(
            sample("a", number * 10, number), sample("b", number * 10, *server), gateways=through(number * 10, *gateway)
        )
        advanced = look(kept, read)
        kept = advanced.kept
        ticks.append(advanced.tick)
    totals = told(ticks)
    assert totals[0] <= server[0] + max((fine + failed for fine, failed in steps), default=0)
    for tick in ticks:
        assert tick is not None
        assert 0 <= float(tick.errors.candidate) <= float(tick.requests.candidate)


def test_a_gateway_that_stops_telling_is_missed() -> None:
    kept = look({}, reading(sample("a", 1, 0), sample("b", 1, 0), gateways=through(1, 0, 0))).kept
    silent = look(kept, reading(sample("a", 100, 50), sample("b", 100, 5), gateways=through(1, 0, 0)))
    assert (silent.tick, silent.reason) == (None, "the gateway's counts of its endpoints have stopped")


# ----------------------------------------------------------------------------------------- threshold and history


def hour(requests: float, errors: float, buckets: Mapping[float, float]) -> Counters:
    return Counters(slot="a", time=START, requests=requests, errors=errors, buckets=buckets)


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ({0.01: 50, 0.1: 95, 1.0: 100, math.inf: 100}, 0.1),
        ({0.01: 96, 0.1: 97, 1.0: 100, math.inf: 100}, 0.01),
        ({0.01: 1, 0.1: 2, 1.0: 3, math.inf: 100}, 1.0),
        ({0.01: 19, math.inf: 19}, None),
        ({}, None),
    ],
)
def test_the_bound_is_the_smallest_that_few_of_stables_requests_were_over(
    buckets: Mapping[float, float], expected: float | None
) -> None:
    assert threshold_of(hour(100, 0, buckets)) == expected


def test_without_an_hour_before_there_is_no_bound_and_no_rate() -> None:
    assert threshold_of(None) is None
    assert history_of(None, BOUND) == History()


def test_the_rates_of_the_hour_before() -> None:
    assert history_of(hour(200, 10, {BOUND: 171, math.inf: 228}), BOUND) == History(errors=0.05, slow=0.25)
    assert history_of(hour(0, 0, {BOUND: 0, math.inf: 0}), BOUND) == History()


def test_a_threshold_that_is_no_bucket_bound_is_named_with_those_that_are() -> None:
    read = reading(sample("a", 1, 5), sample("b", 1, 5))
    assert threshold_problem(BOUND, read) is None
    problem = threshold_problem(0.12, read)
    assert (
        problem == "the latency threshold of 0.12 s is no bucket bound of pod candidate-0; its bounds are 0.05, 0.1 s"
    )


@pytest.mark.parametrize("threshold", [None, 0.12])
def test_without_a_usable_threshold_errors_are_counted_all_the_same(threshold: float | None) -> None:
    kept = look({}, reading(sample("a", 1, 0), sample("b", 1, 0)), threshold=threshold).kept
    tick = look(kept, reading(sample("a", 11, 10, 1), sample("b", 11, 5, 2)), threshold=threshold).tick
    assert told([tick]) == (5, 2, 0, 0, 10, 1, 0, 0)
