"""The thin parts: queue, controller, health, and what is read of the gateway."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from leeway_operators.core.documents import rollout_of
from leeway_operators.core.model import Weights
from leeway_operators.core.objects import Bearers, http_route
from leeway_operators.core.strategy import Match
from leeway_operators.shell import api
from leeway_operators.shell.controller import WATCHED, Controller, key_of
from leeway_operators.shell.health import serve_health
from leeway_operators.shell.main import arguments
from leeway_operators.shell.metrics import Metrics
from leeway_operators.shell.observe import observe
from leeway_operators.shell.queue import Queue
from leeway_operators.shell.reconcile import Entered, Reconciled
from tests.world import NAME, NAMESPACE, World, spec

KEY = (NAMESPACE, NAME)
WHERE = {"namespace": NAMESPACE, "model": NAME}
ENVOY, TRAEFIK = "gateway.envoyproxy.io/gatewayclass-controller", "traefik.io/gateway-controller"
NOW = timedelta(0)


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# --------------------------------------------------------------------------------------------------- queue


def test_a_key_waits_once_and_until_its_time() -> None:
    clock = Clock()
    queue = Queue(clock)
    queue.add(KEY, timedelta(seconds=9))
    queue.add(KEY, timedelta(seconds=5))
    queue.add(KEY, timedelta(seconds=7))
    assert queue.pop(NOW) is None
    clock.now = 5
    assert queue.pop(NOW) == KEY
    clock.now = 20
    assert queue.pop(NOW) is None


def test_a_failing_key_comes_back_later_each_time_and_at_most_after_a_minute() -> None:
    queue = Queue(Clock())
    delays = [queue.failed(KEY).total_seconds() for _ in range(9)]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    queue.succeeded(KEY)
    assert queue.failed(KEY).total_seconds() == 1


def test_a_key_is_one_workers_until_it_is_done() -> None:
    clock, another = Clock(), (NAMESPACE, "another")
    queue = Queue(clock)
    queue.add(KEY)
    assert queue.pop(NOW) == KEY
    queue.add(KEY)
    clock.now = 1
    queue.add(another)
    assert queue.pop(NOW) == another
    assert queue.pop(NOW) is None
    queue.done(KEY)
    assert queue.pop(NOW) == KEY


def test_a_closed_queue_gives_nothing() -> None:
    queue = Queue(Clock())
    queue.add(KEY)
    queue.close()
    assert queue.pop(timedelta(hours=1)) is None


# ---------------------------------------------------------------------------------------------- controller


class Nothing:
    """A cluster without any object."""

    def watch(self, *_: object) -> Iterator[dict[str, Any] | None]:
        """Lists nothing, and is then lost."""
        yield None
        raise ConnectionError("the watch is lost")


def controller(world: World, clock: Clock, metrics: Metrics) -> tuple[Controller, Queue]:
    queue = Queue(clock)

    def reconcile(namespace: str, name: str, entered: Entered) -> Reconciled | None:
        if world.body["metadata"].get("broken"):
            raise ConnectionError("the API server is away")
        return world.operator().reconcile(namespace, name, entered)

    made = Controller(world, None, reconcile=reconcile, queue=queue, metrics=metrics, monotonic=clock)  # type: ignore[arg-type]
    return made, queue


def test_an_error_is_counted_and_tried_again() -> None:
    world, clock, registry = World(), Clock(), CollectorRegistry()
    world.release(spec())
    worker, queue = controller(world, clock, Metrics(registry))
    worker.work_on(KEY)
    world.body["metadata"]["broken"] = True
    worker.work_on(KEY)
    assert registry.get_sample_value("leeway_rollout_reconcile_errors_total", WHERE) == 1
    del world.body["metadata"]["broken"]
    clock.now = 1
    assert queue.pop(NOW) == KEY


def test_a_look_that_somebody_overtook_is_no_error_and_is_repeated_at_once() -> None:
    def overtaken(*_: object) -> None:
        raise api.StaleError(NAME)

    queue, registry = Queue(Clock()), CollectorRegistry()
    worker = Controller(Nothing(), None, reconcile=overtaken, queue=queue, metrics=Metrics(registry), monotonic=Clock())
    worker.work_on(KEY)
    assert queue.pop(NOW) == KEY
    assert registry.get_sample_value("leeway_rollout_reconcile_errors_total", WHERE) is None


def test_a_worker_that_hangs_is_not_alive() -> None:
    clock, told = Clock(), []

    def reconcile(*_: object) -> None:
        told.append(made.alive)
        clock.now += 301
        told.append(made.alive)
        made.stop(NOW)

    queue, metrics = Queue(clock), Metrics(CollectorRegistry())
    made = Controller(Nothing(), None, reconcile=reconcile, queue=queue, metrics=metrics, monotonic=clock)
    clock.now = 301
    assert made.alive  # it stands by: nothing is under way
    queue.add(KEY)
    made.work(0)
    assert told == [True, False]


def test_models_are_looked_at_side_by_side_and_each_by_one_worker() -> None:
    keys = [(NAMESPACE, f"model-{number}") for number in range(3)]
    together, looked = threading.Barrier(3, timeout=10), threading.Semaphore(0)
    busy: set[str] = set()
    twice: list[str] = []

    def reconcile(_: str, name: str, __: Entered) -> Reconciled | None:
        twice.extend({name} & busy)
        busy.add(name)
        together.wait()  # passes only while three models are looked at
        busy.remove(name)
        looked.release()
        return None

    queue = Queue(time.monotonic)
    metrics = Metrics(CollectorRegistry())
    many = Controller(Nothing(), None, reconcile=reconcile, queue=queue, metrics=metrics, monotonic=time.monotonic)
    many.start()
    for _ in range(2):
        for key in keys:
            queue.add(key)
        assert all(looked.acquire(timeout=10) for _ in keys)
    many.stop(timedelta(seconds=10))
    assert not twice


def test_it_is_ready_once_everything_was_listed() -> None:
    worker, _ = controller(World(), Clock(), Metrics(CollectorRegistry()))
    assert not worker.ready


@pytest.mark.parametrize("resource", [resource for resource, _ in WATCHED])
def test_every_watched_object_leads_to_its_rollout(resource: api.Resource) -> None:
    name = NAME if resource == api.ROLLOUTS else "something"
    item = {"metadata": {"namespace": NAMESPACE, "name": name, "labels": {"leeway.dev/model": NAME}}}
    assert key_of(resource, item) == KEY


def test_an_object_that_is_nobodys_leads_nowhere() -> None:
    assert key_of(api.ROUTES, {"metadata": {"namespace": NAMESPACE, "name": "x"}}) is None
    assert key_of(api.ROLLOUTS, {"kind": "Status", "metadata": {}}) is None


# ------------------------------------------------------------------------------------------------- observe


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        (None, None),
        ([], None),
        (["HTTPRoute", "HTTPRouteRequestMirror"], True),
        ([{"name": "HTTPRoute"}, {"name": "HTTPRouteRequestMirror"}], True),
        ([{"name": "HTTPRoute"}], False),
    ],
)
def test_whether_the_gateway_mirrors_is_what_its_class_says(
    features: list[Any] | None, *, expected: bool | None
) -> None:
    world = World()
    world.put(api.GATEWAYS, {"metadata": {"name": "leeway"}, "spec": {"gatewayClassName": "envoy"}})
    status = {"supportedFeatures": features} if features is not None else {}
    world.put(api.GATEWAY_CLASSES, {"metadata": {"name": "envoy"}, "status": status})
    assert mirrors(world, world) is expected


def test_a_gateway_that_is_absent_or_may_not_be_read_says_nothing() -> None:
    class Closed(World):
        def get(self, resource: api.Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
            if resource == api.GATEWAY_CLASSES:
                raise api.ForbiddenError("gatewayclasses envoy: Forbidden")
            return super().get(resource, namespace, name)

    closed = Closed()
    assert mirrors(closed, closed) is None
    closed.put(api.GATEWAYS, {"metadata": {"name": "leeway"}, "spec": {"gatewayClassName": "envoy"}})
    assert mirrors(closed, closed) is None


@pytest.mark.parametrize(
    ("controller", "expected"),
    [(TRAEFIK, False), (ENVOY, None)],
)
def test_of_a_class_that_says_nothing_the_controller_is_known_that_would_fail_every_request(
    controller: str, *, expected: bool | None
) -> None:
    world = World()
    route = {"kind": "HTTPRoute", "metadata": {"name": NAME, "generation": 1}, "spec": {}}
    ours = {"parentRef": {"name": "leeway", "namespace": "leeway"}, "controllerName": controller}
    another = {"parentRef": {"name": "edge", "namespace": "leeway"}, "controllerName": TRAEFIK}
    world.put(api.ROUTES, route | {"status": {"parents": [another, ours]}})
    assert mirrors(world, world) is expected


@pytest.mark.parametrize(
    ("said", "accepted"),
    [
        ({ENVOY: ("True", "Accepted"), TRAEFIK: ("False", "NoMatchingParent")}, True),
        ({ENVOY: ("False", "NotAllowedByListeners"), TRAEFIK: ("False", "NoMatchingParent")}, False),
        ({TRAEFIK: ("False", "NoMatchingParent")}, False),
        ({}, None),
    ],
    ids=["served by another", "refused by another", "nobody else", "nobody"],
)
def test_a_controller_that_speaks_of_gateways_that_are_not_its_own_is_not_heard(
    said: dict[str, tuple[str, str]], *, accepted: bool | None
) -> None:
    world = World()
    parents = [
        {
            "parentRef": {"name": "leeway", "namespace": "leeway"},
            "controllerName": controller,
            "conditions": [{"type": "Accepted", "status": status, "reason": reason, "observedGeneration": 1}],
        }
        for controller, (status, reason) in said.items()
    ]
    route = {"kind": "HTTPRoute", "metadata": {"name": NAME, "generation": 1}, "spec": {}}
    world.put(api.ROUTES, route | {"status": {"parents": parents}})
    world.release(spec() | {"strategy": {"steps": [{"weight": 0, "shadow": True}]}})
    seen = observe(world, world, rollout_of(world.body), None)
    assert seen.route is not None
    assert (seen.route.accepted, seen.route.followed) == (accepted, accepted is True)
    assert seen.mirrors is (False if set(said) == {TRAEFIK} else None)


@pytest.mark.parametrize("opened", [True, False])
def test_what_a_header_chooses_is_no_share_of_the_traffic(*, opened: bool) -> None:
    world = World()
    world.release(spec())
    wished = rollout_of(world.body)
    bearers = Bearers(match=Match(header="x-group", value="b"), slot="b", opened=opened)
    route = http_route(wished, Weights(a=80, b=20), ["a", "b"], bearers=bearers)
    world.put(api.ROUTES, route | {"metadata": route["metadata"] | {"generation": 1}})
    seen = observe(world, world, wished, None)
    assert seen.route is not None
    assert seen.route.weights == Weights(a=80, b=20)


def mirrors(world: World, cluster: api.Api) -> bool | None:
    world.release(spec() | {"strategy": {"steps": [{"weight": 0, "shadow": True}]}})
    return observe(cluster, world, rollout_of(world.body), None).mirrors


# ------------------------------------------------------------------------------------------ the command line


def test_the_flags_that_the_chart_names_are_known() -> None:
    options = arguments().parse_args(
        [
            "--sink-url=http://drift/",
            "--detector-url=http://drift/",
            "--prometheus-url=http://prometheus:9090",
            "--freeze=holiday until Monday",
            "--leader-elect",
            "--deployment=leeway-operator",
        ]
    )
    assert (options.freeze, options.leader_elect, options.namespace) == ("holiday until Monday", True, None)


# -------------------------------------------------------------------------------------------------- health


def test_health_answers_what_the_checks_say() -> None:
    listening = serve_health(0, {"/healthz": lambda: True, "/readyz": lambda: False})
    with httpx.Client(base_url=f"http://127.0.0.1:{listening.server_address[1]}", trust_env=False) as client:
        assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/")] == [200, 503, 404]
    listening.shutdown()
    listening.server_close()
