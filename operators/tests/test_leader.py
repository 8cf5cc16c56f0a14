"""Of several operators one acts, and nobody acts who may have been replaced."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_operators.shell import api
from leeway_operators.shell.leader import LEASE_SECONDS, RENEW_SECONDS, Guarded, Leader, NotLeadingError
from tests.world import NAME, NAMESPACE, World

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Store:
    """An API server with one Lease, and a clock."""

    now: float = 0.0
    up: bool = True
    lease: dict[str, Any] | None = None
    version: int = 0
    before_write: Callable[[], None] | None = None
    writes: list[str] = field(default_factory=list)
    deployments: dict[str, str] = field(default_factory=dict)  # name: uid

    def get(self, resource: api.Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
        self._reach()
        if resource == api.DEPLOYMENTS:
            assert namespace == "leeway"
            return {"metadata": {"name": name, "uid": self.deployments[name]}} if name in self.deployments else None
        assert (resource, namespace, name) == (api.LEASES, "leeway", "operator")
        return json.loads(json.dumps(self.lease)) if self.lease is not None else None

    def create(self, resource: api.Resource, body: Mapping[str, Any]) -> None:
        self._reach()
        assert resource == api.LEASES
        if self.lease is None:
            self.write(body)

    def replace(self, resource: api.Resource, body: Mapping[str, Any]) -> bool:
        self._reach()
        assert resource == api.LEASES
        if self.before_write is not None:
            hook, self.before_write = self.before_write, None
            hook()
        assert self.lease is not None
        if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            return False
        self.write(body)
        return True

    def _reach(self) -> None:
        if not self.up:
            raise ConnectionError("no route to host")

    def write(self, body: Mapping[str, Any]) -> None:
        """Somebody writes the Lease."""
        self.version += 1
        self.writes.append(body["spec"]["holderIdentity"])
        self.lease = json.loads(json.dumps({**body, "metadata": {**body["metadata"], "resourceVersion": self.version}}))


class Campaign:
    """One candidate, tried step by step."""

    def __init__(self, store: Store, identity: str, deployment: str = "") -> None:
        self.leader = Leader(
            store,
            "leeway",
            "operator",
            identity,
            clock=lambda: START + timedelta(seconds=store.now),
            monotonic=lambda: store.now,
            deployment=deployment,
        )

    def turn(self) -> bool:
        """One attempt."""
        self.leader.campaign(lambda _: True, lambda: None)
        return self.leader.leads


def test_the_first_one_leads_and_the_second_stands_by() -> None:
    store = Store()
    first, second = Campaign(store, "one"), Campaign(store, "two")
    assert first.turn()
    assert not second.turn()
    assert store.lease is not None
    assert store.lease["spec"] == {
        "holderIdentity": "one",
        "leaseDurationSeconds": LEASE_SECONDS,
        "acquireTime": "2026-01-01T00:00:00.000000Z",
        "renewTime": "2026-01-01T00:00:00.000000Z",
        "leaseTransitions": 0,
    }


def test_who_does_not_renew_stops_leading_before_another_one_takes_over() -> None:
    store = Store()
    first, second = Campaign(store, "one"), Campaign(store, "two")
    first.turn()
    second.turn()
    store.now = RENEW_SECONDS
    assert not first.leader.leads
    assert not second.turn()
    store.now = LEASE_SECONDS
    assert second.turn()
    assert not first.turn()
    assert store.lease is not None
    assert store.lease["spec"]["leaseTransitions"] == 1


def test_who_renews_goes_on_leading() -> None:
    store = Store()
    first, second = Campaign(store, "one"), Campaign(store, "two")
    for moment in range(0, 100, 4):
        store.now = moment
        assert first.turn()
        assert not second.turn()


def test_an_api_server_that_is_away_for_a_moment_costs_nothing_and_for_long_the_leadership() -> None:
    store = Store()
    only = Campaign(store, "one")
    assert only.turn()
    store.up = False
    store.now = RENEW_SECONDS - 1
    assert only.turn()
    store.now = RENEW_SECONDS
    assert not only.turn()


def test_a_campaign_ends_when_leadership_is_lost_and_not_before() -> None:
    store = Store()
    started: list[float] = []

    def wait(seconds: float) -> bool:
        store.now += seconds
        store.up = store.now < 20
        assert store.now < 20 + RENEW_SECONDS + 2 * seconds
        return False

    Campaign(store, "one").leader.campaign(wait, lambda: started.append(store.now))
    assert started == [0.0]
    assert store.now >= 20 + RENEW_SECONDS - 4


def test_a_campaign_outlives_an_api_server_that_is_away_at_the_start() -> None:
    store = Store(up=False)
    started: list[float] = []

    def wait(seconds: float) -> bool:
        store.now += seconds
        store.up = store.now > 30
        return bool(started)

    Campaign(store, "one").leader.campaign(wait, lambda: started.append(store.now))
    assert started == [32.0]


def test_of_two_that_write_at_once_one_leads() -> None:
    store = Store()
    first, second = Campaign(store, "one"), Campaign(store, "two")
    first.turn()
    first.leader.release()
    store.before_write = lambda: store.write({"metadata": {}, "spec": {"holderIdentity": "three"}})
    assert not second.turn()


def test_a_lease_that_is_given_back_is_taken_at_once() -> None:
    store = Store()
    first, second = Campaign(store, "one"), Campaign(store, "two")
    first.turn()
    second.turn()
    first.leader.release()
    assert not first.leader.leads
    assert second.turn()
    first.leader.release()  # nobody gives back what is another's
    assert second.turn()


def owners(store: Store) -> list[str] | None:
    """Unique ids of what the Lease goes with; None: it stays."""
    assert store.lease is not None
    references = store.lease["metadata"].get("ownerReferences")
    return None if references is None else [reference["uid"] for reference in references]


def test_the_lease_goes_with_the_deployment_of_who_holds_it() -> None:
    store = Store(deployments={"old": "uid-old", "new": "uid-new"})
    first, second = Campaign(store, "one", "old"), Campaign(store, "two", "new")
    assert first.turn()
    assert first.turn()
    assert owners(store) == ["uid-old"]

    first.leader.release()
    assert second.turn()
    assert owners(store) == ["uid-new"]


def test_a_lease_is_not_owned_by_what_is_not_there() -> None:
    store = Store(deployments={"old": "uid-old"})
    first, second = Campaign(store, "one", "old"), Campaign(store, "two", "gone")
    assert first.turn()
    first.leader.release()
    assert second.turn()  # else it would be deleted under its holder
    assert owners(store) is None


def test_a_lease_that_is_deleted_is_made_again() -> None:
    store = Store(deployments={"old": "uid-old"})
    only = Campaign(store, "one", "old")
    assert only.turn()
    store.lease = None
    assert only.turn()
    assert owners(store) == ["uid-old"]


@given(turns=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12), st.booleans()), max_size=60))
def test_never_do_two_lead(turns: list[tuple[int, int, bool]]) -> None:
    store = Store()
    candidates = [Campaign(store, str(number)) for number in range(3)]
    for who, seconds, up in turns:
        store.now += seconds
        store.up = up
        candidates[who].turn()
        assert sum(candidate.leader.leads for candidate in candidates) <= 1


def test_nothing_is_written_by_who_does_not_lead() -> None:
    store, world = Store(), World()
    leader = Campaign(store, "one")
    guarded = Guarded(world, leader.leader)
    service = {"metadata": {"name": "x", "namespace": NAMESPACE}, "spec": {}}
    attempts: list[Callable[[], None]] = [
        lambda: guarded.apply(api.SERVICES, service),
        lambda: guarded.create(api.EVENTS, service),
        lambda: guarded.annotate(api.SERVICES, NAMESPACE, "x", {}),
        lambda: guarded.merge(api.SERVICES, NAMESPACE, "x", {}),
        lambda: guarded.delete(api.RUNTIMES, NAMESPACE, "x"),
    ]
    for attempt in attempts:
        with pytest.raises(NotLeadingError):
            attempt()
    assert world.writes == []
    assert guarded.get(api.ROUTES, NAMESPACE, NAME) is None
    leader.turn()
    guarded.apply(api.SERVICES, service)
    assert world.writes == [("apply", "services")]
