"""Replicas that share their counts through a real Redis; only time is not real."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from threading import Lock

import pytest
import redis

from leeway_drift.detectors.native import native_detectors
from leeway_drift.profile import Profile
from leeway_drift.service.config import WindowConfig
from leeway_drift.service.engine import Engine
from leeway_drift.service.profiles import Loaded, ProfileState
from leeway_drift.service.shared import KEPT_SECONDS, Deposed, Encoded, SharedCounts
from leeway_drift.service.sharing import NOBODY, PartOutcome, SharingThread
from leeway_drift.service.views import Sharing, View
from leeway_drift.streaming.cells import CommonCounts
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.limits import Limits
from leeway_drift.streaming.parts import Part
from leeway_drift.streaming.ticks import Tick
from tests.database_servers import server
from tests.watching import FLIGHTS, Clock, headers, profile, request, response

USER = "leeway"
LEASE = "{leeway-drift}:lease"
USUAL = [float(value) for value in range(50)]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[redis.Redis, str]]:
    """A client that may do all, and the URL of a user who can be shut out."""
    with server("redis") as url, redis.Redis.from_url(url) as client:
        client.acl_setuser(USER, enabled=True, passwords=["+pass"], keys=["*"], categories=["+@all"])
        yield client, f"redis://{USER}:pass@{url.partition('@')[2]}"


@dataclass
class Shared:
    """The server, and how to shut the replicas out of it."""

    admin: redis.Redis
    url: str

    def connect(self) -> SharedCounts:
        return SharedCounts.connect(self.url)

    def shut(self) -> None:
        self.admin.acl_setuser(USER, enabled=False)
        self.admin.client_kill_filter(user=USER)

    def open(self) -> None:
        self.admin.acl_setuser(USER, enabled=True, passwords=["+pass"], keys=["*"], categories=["+@all"])

    def let_the_lease_run_out(self) -> None:
        self.admin.delete(LEASE)


@pytest.fixture
def shared(servers: tuple[redis.Redis, str]) -> Shared:
    client, url = servers
    client.flushdb()
    found = Shared(client, url)
    found.open()
    return found


def part(tick: int, name: str = "one") -> Encoded:
    return Encoded.of(Part(FLIGHTS, Tick(tick, {}), name), "replica")


def test_what_is_handed_in_again_after_a_lost_answer_is_there_once_even_if_its_tick_is_sealed(shared: Shared):
    counts = shared.connect()
    assert counts.hand_in("replica", [part(1), part(2)], 2) == [True, True]
    lease = counts.campaign("other", "http://other")
    assert lease is not None
    assert counts.seal(lease, 2) == 2
    assert counts.hand_in("replica", [part(1, "again"), part(2), part(3)], 3) == [True, True, True]
    handed = counts.read(0, 3)[FLIGHTS]
    assert {tick: [document["profile"] for document in parts.values()] for tick, parts in handed.items()} == {
        1: ["one"],
        2: ["one"],
        3: ["one"],
    }
    assert counts.closed() == {"replica": 3}


def test_a_sealed_tick_takes_nothing_more_and_who_is_behind_is_not_waited_for(shared: Shared):
    counts = shared.connect()
    counts.hand_in("slow", [], 4)
    counts.hand_in("quick", [], 5)
    lease = counts.campaign("quick", "http://quick")
    assert lease is not None
    assert counts.seal(lease, 5) == 5
    assert counts.closed() == {"quick": 5}
    assert counts.seal(lease, 3) == 5
    assert counts.hand_in("slow", [part(5), part(6)], 6) == [False, True]
    assert counts.read(4, 6)[FLIGHTS].keys() == {6}


def test_one_evaluates_and_who_has_lost_the_lease_changes_nothing(shared: Shared):
    counts = shared.connect()
    first = counts.campaign("a", "http://a:8080")
    assert first is not None
    assert counts.campaign("b", "http://b:8080") is None
    assert counts.evaluator() == "http://a:8080"
    counts.commit(first, 7, {FLIGHTS: {"last_seen": 1.0}})
    shared.let_the_lease_run_out()
    second = counts.campaign("b", "http://b:8080")
    assert second is not None
    assert second.term > first.term
    assert not counts.renew(first)
    with pytest.raises(Deposed):
        counts.commit(first, 9, {FLIGHTS: {"last_seen": 2.0}})
    with pytest.raises(Deposed):
        counts.seal(first, 9)
    counts.resign(first)
    assert counts.renew(second)
    assert counts.saved() == (7, {FLIGHTS: {"last_seen": 1.0}})


@dataclass
class Replica:
    """A replica whose thread is the test's."""

    name: str
    engine: Engine
    sharing: SharingThread
    clock: Clock

    def send(self, number: int, delays: list[float], *, slot: str = "a") -> None:
        detector = self.engine.detector
        for kind, body in (("request", request(delays)), ("response", response([0.5] * len(delays)))):
            name = f"{self.name}{number}"
            detector.intake.offer(detector.intake.admit(headers(name, kind=kind, slot=slot, at=self.clock.now)), body)
        self.settle()

    def settle(self) -> None:
        def look() -> None:
            while self.engine.detector.step(1000):
                pass
            self.engine.hand_on()
            self.engine.publish()

        self.engine.ask(look)

    def sync(self) -> None:
        self.settle()
        self.sharing.sync()
        self.settle()

    @property
    def view(self) -> View:
        return self.engine.views.streams[FLIGHTS]

    @property
    def rows(self) -> list[int]:
        """Of all closed windows."""
        return [past.rows for past in self.view.history]

    @property
    def all_rows(self) -> int:
        """Of these and of the open one."""
        opened = self.view.open
        return sum(self.rows) + (0 if opened is None or opened.counts is None else opened.counts.rows)


@contextmanager
def replica(name: str, shared: Shared, clock: Clock, **options: int) -> Iterator[Replica]:
    detector = Detector(Limits(), clock, lateness=5, lock=Lock(), shared=True)
    engine = Engine(detector, epoch=name, detectors=native_detectors, windows=WindowConfig())
    thread = SharingThread(shared.connect(), engine, replica=name, address=f"http://{name}:8080", **options)
    engine.shared = thread
    engine.start()
    try:
        running = Replica(name, engine, thread, clock)
        running.send(0, [1.0])  # and with that it asks for the profile
        loaded = Loaded("d" * 64, "sha256:d", Profile.parse(json.loads(profile())), {}, None)
        engine.set_profile(FLIGHTS, ProfileState("loaded", None, loaded))
        running.settle()
        yield running
    finally:
        engine.stop()


@pytest.fixture
def pair(shared: Shared) -> Iterator[tuple[Replica, Replica, Clock]]:
    """Two replicas, the first of which evaluates."""
    clock = Clock()
    with ExitStack() as stack:
        first = stack.enter_context(replica("first", shared, clock))
        second = stack.enter_context(replica("second", shared, clock))
        for one in (first, second):
            one.sync()
        yield first, second, clock


def ticks(pair: tuple[Replica, Replica, Clock], number: int, count: int, delays: list[float] = USUAL) -> None:
    """Both replicas see as many rows in each of these ticks, and hand in what is closed."""
    first, second, clock = pair
    for tick in range(count):
        first.send(number + tick, delays)
        second.send(number + tick, delays)
        clock.now += 10
        second.sync()
        first.sync()


def judge(*replicas: Replica) -> None:
    """Time for the ticks to close and be handed in, by all before anybody judges."""
    replicas[0].clock.now += 5
    for _ in range(2):
        for one in replicas:
            one.sync()
    replicas[0].clock.now += 5


def test_windows_hold_what_both_have_seen_and_one_replica_says_so(pair: tuple[Replica, Replica, Clock]):
    first, second, _ = pair
    ticks(pair, 1, 4)
    judge(first, second)
    assert first.engine.views.sharing == Sharing(evaluates=True)
    assert second.engine.views.sharing == Sharing(evaluates=False, evaluator="http://first:8080")
    assert first.rows == [202, 200]  # the two of the first event, and half of the rest from each
    assert second.rows == []
    assert first.view.rows_seen == {"a": 402}
    assert second.view.rows_seen == {"a": 201}
    assert first.sharing.outcomes[PartOutcome.HANDED_IN] == 4


def test_versions_that_no_replica_sees_both_of_are_counted_in_the_same_cells(pair: tuple[Replica, Replica, Clock]):
    first, second, clock = pair
    newer = replace(FLIGHTS, version="2.0.0")
    clock.now += 700  # since then no replica has seen both

    def tick() -> None:
        for one, slot, stream in ((first, "a", FLIGHTS), (second, "b", newer)):
            attributes = headers(clock.now, slot=slot, at=clock.now, **{"ce-endpoint": stream.version})
            intake = one.engine.detector.intake
            intake.offer(intake.admit(attributes), request([1.0, 120.0]))
            one.sync()
        clock.now += 10
        judge(first, second)

    tick()
    assert (FLIGHTS, "flights-a") not in second.engine.wanted_profiles()  # it has that
    assert (newer, "flights-b") in first.engine.wanted_profiles()
    for one in (first, second):
        loaded = Loaded("e" * 64, "sha256:e", Profile.parse(json.loads(profile(50.0))), {}, None)
        one.engine.set_profile(newer, ProfileState("loaded", None, loaded))
    tick()
    tick()
    arms = first.engine.detector.comparisons[FLIGHTS.namespace, FLIGHTS.model].since(-1)[-1].arms
    counted = {slot: known.arm.compared or known.arm.counts for slot, known in arms.items()}
    assert [type(counts) for counts in counted.values()].count(CommonCounts) == 1
    bins = [
        (counts.counts if isinstance(counts, CommonCounts) else counts).features["delay"].bins.tolist()
        for counts in counted.values()
        if counts is not None
    ]
    assert bins[0] == bins[1]
    assert sum(bins[0]) == 2


def test_a_slot_that_has_fallen_silent_is_beside_nobody(shared: Shared):
    counts = shared.connect()
    counts.hear({(FLIGHTS, "a"): 100.0, (FLIGHTS, "b"): 700.5}, 0.0)
    assert counts.hear({(FLIGHTS, "b"): 600.0}, 0.0) == {(FLIGHTS, "a"): 100.0, (FLIGHTS, "b"): 700.5}
    assert counts.hear({}, 100.0) == {(FLIGHTS, "b"): 700.5}
    assert counts.hear({}, 0.0) == {(FLIGHTS, "b"): 700.5}


def test_another_takes_over_with_the_windows_of_the_first_and_counts_nothing_twice(
    pair: tuple[Replica, Replica, Clock], shared: Shared
):
    first, second, _ = pair
    ticks(pair, 1, 3)
    judge(first, second)
    before = dict(first.view.judged)
    epoch = first.engine.epoch
    ticks(pair, 10, 3)
    shared.let_the_lease_run_out()
    judge(second)
    judge(second, first)
    assert second.engine.views.sharing == Sharing(evaluates=True)
    assert first.engine.views.sharing == Sharing(evaluates=False, evaluator="http://second:8080")
    assert second.engine.epoch != epoch
    assert second.rows[0] == 202
    assert second.all_rows == 602
    assert second.view.judged.keys() >= before.keys()


def test_while_the_counts_are_out_of_reach_nothing_is_judged_and_afterwards_nothing_is_missing(
    pair: tuple[Replica, Replica, Clock], shared: Shared
):
    first, second, clock = pair
    ticks(pair, 1, 2)
    judge(first, second)
    shared.shut()
    ticks(pair, 10, 16)
    for one in (first, second):
        assert {judged.judgement.verdict for judged in one.view.judged.values()} == {"insufficient"}
        assert all("cannot be reached" in judged.judgement.reason for judged in one.view.judged.values())
        assert not one.sharing.reachable
    assert first.engine.views.sharing.evaluates  # its windows are the last there are, and its alarms stay
    shared.open()
    clock.now += 5
    first.sync()
    assert first.all_rows == 202  # the second has not handed in yet: it is waited for
    second.sync()
    first.sync()
    assert first.engine.views.sharing == Sharing(evaluates=True)
    assert first.all_rows == 202 + 16 * 100
    assert [one.sharing.outcomes[PartOutcome.LATE] for one in (first, second)] == [0, 0]


@pytest.mark.parametrize(
    ("options", "away"),
    [({"outbox_bytes": 1}, 0), ({}, KEPT_SECONDS)],
    ids=["more than fits", "older than what is kept"],
)
def test_what_cannot_wait_until_the_counts_are_in_reach_is_lost_and_counted(
    shared: Shared, options: dict[str, int], away: float
):
    clock = Clock()
    with replica("only", shared, clock, **options) as only:
        shared.shut()
        clock.now += 20
        only.sync()
        clock.now += away
        only.sync()
        assert only.sharing.outcomes == {PartOutcome.HANDED_IN: 0, PartOutcome.LATE: 0, PartOutcome.DROPPED: 1}


def test_who_hands_in_too_late_counts_that_and_the_others_do_not_wait_for_ever(pair: tuple[Replica, Replica, Clock]):
    first, second, clock = pair
    for one in (first, second):
        one.send(1, USUAL)
    for _ in range(4):
        clock.now += 10
        first.sync()
    second.sync()
    assert first.all_rows == 51
    assert second.sharing.outcomes == {PartOutcome.HANDED_IN: 0, PartOutcome.LATE: 1, PartOutcome.DROPPED: 0}


def test_who_ends_hands_in_the_open_tick_and_lets_another_evaluate_at_once(shared: Shared):
    clock = Clock()
    with replica("stays", shared, clock) as stays:
        with replica("ends", shared, clock) as ends:
            ends.sync()
            stays.sync()
            ends.send(1, USUAL)
        ends.sharing.start()
        ends.sharing.stop()
        for number in range(2):
            stays.send(number + 1, USUAL)
            clock.now += 10
        judge(stays)
        assert stays.engine.views.sharing.evaluates
        assert stays.rows == [152]


def test_before_anybody_evaluates_that_is_the_reason(shared: Shared):
    with replica("only", shared, Clock()) as only:
        assert {judged.judgement.reason for judged in only.view.judged.values()} == {NOBODY}
