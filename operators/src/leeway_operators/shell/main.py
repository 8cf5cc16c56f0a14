"""`leeway-operator`: wires the parts to a real cluster, a real clock and real ports."""

import argparse
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import kubernetes.client
import kubernetes.config
from prometheus_client import CollectorRegistry, start_http_server

from leeway_operators.shell import logs
from leeway_operators.shell.controller import WORKERS, Controller
from leeway_operators.shell.detector import Detector
from leeway_operators.shell.health import serve_health
from leeway_operators.shell.kube import Cluster
from leeway_operators.shell.leader import Guarded, Leader
from leeway_operators.shell.metrics import Metrics
from leeway_operators.shell.probe import HttpProbe
from leeway_operators.shell.prometheus import Prometheus
from leeway_operators.shell.queue import Queue
from leeway_operators.shell.reconcile import Reconciler
from leeway_operators.shell.source import Source
from leeway_operators.shell.sources import Sources
from leeway_operators.shell.tracing import Looks, TracingSettings, tracing_from, untraced

log = logging.getLogger(__name__)

_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LEASE = "leeway-operator"
# At the end, for looks that are under way; a Lease that is not renewed meanwhile lasts as long.
_LAST_LOOK = timedelta(seconds=5)
# Then, for the spans of them that are still to be sent.
_TRACING_DRAIN_SECONDS = 2.0


class UsageError(ValueError):
    """The command line is not what was expected; the message says what, and is for the log."""


class _Parser(argparse.ArgumentParser):
    """One whose refusal is a log line like any other, and no page of text."""

    def error(self, message: str) -> NoReturn:
        """Raises `UsageError`."""
        raise UsageError(message)


def arguments() -> argparse.ArgumentParser:
    """The command line. An empty text is the same as none, so that a chart may always name every flag."""
    parser = _Parser(
        prog="leeway-operator",
        description="Releases the models of ModelRollouts.",
        epilog="LEEWAY_LOG_LEVEL is debug, info, warning or error. LEEWAY_TRACING_ENDPOINT says where traces go, and "
        "LEEWAY_TRACING_SAMPLE_RATIO of which share of the looks that found nothing to do.",
    )
    parser.add_argument(
        "--sink-url", help="where requests and predictions are reported to; without it nothing is captured"
    )
    parser.add_argument(
        "--prometheus-url", help="where the counters of servers and gateway are; without it rollouts hold"
    )
    parser.add_argument("--detector-url", help="the drift detector; without it its gates have no evidence")
    parser.add_argument(
        "--freeze", metavar="REASON", help="nothing moves forward anywhere; rollbacks and undos still do"
    )
    parser.add_argument(
        "--leader-elect", action="store_true", help="act only while holding a Lease, for several replicas"
    )
    parser.add_argument(
        "--deployment", default="", help="of this pod: the Lease goes with it, if both are in one namespace"
    )
    parser.add_argument("--namespace", help="the only namespace to look at (default: all)")
    parser.add_argument("--metrics-port", type=int, default=8082)
    parser.add_argument("--health-port", type=int, default=8081)
    return parser


def connect() -> kubernetes.client.ApiClient:
    """The cluster this pod runs on, or that of the kubeconfig."""
    configuration = kubernetes.client.Configuration()
    try:
        kubernetes.config.load_incluster_config(configuration)
    except kubernetes.config.ConfigException:
        kubernetes.config.load_kube_config(client_configuration=configuration)
    # Once, for a connection that the server has closed meanwhile; everything else the queue tries again, so that no
    # reconciliation hangs on one question.
    configuration.retries = 1
    # One connection for each worker and each watch, and for the Lease.
    configuration.connection_pool_maxsize = 2 * WORKERS
    return kubernetes.client.ApiClient(configuration)


def sources(prometheus_url: str | None, detector_url: str | None) -> Sources:
    """Both sources; one without an address has nothing to say.

    Raises:
        ValueError: an address is no http(s) URL.
    """
    return Sources(
        Prometheus(Source("Prometheus", prometheus_url) if prometheus_url else None),
        Detector(Source("the drift detector", detector_url) if detector_url else None),
        at_once=WORKERS,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run, and end the process."""
    code = run(argv)
    # Nobody waits for the watchers, which wait for the API server. One that wakes up while the interpreter is taken
    # down would abort the process; so it is not taken down, and nothing is left to be written.
    os._exit(code)


def run(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT, or until another operator leads.

    Returns:
        0 after a stop, 1 when leadership was lost, 2 for a wrong command line or environment.
    """
    logs.configure()
    try:
        logs.configure(logs.level_from(os.environ))
        options = arguments().parse_args(argv)
        evidence = sources(options.prometheus_url, options.detector_url)
        looks, close_tracing = _tracing(tracing_from(os.environ))
    except ValueError as error:
        log.critical("cannot start", extra={"error": str(error)})
        return 2
    log.info("starting", extra={"fields": {"leader_elect": options.leader_elect, "frozen": options.freeze or None}})
    cluster, identity = Cluster(connect()), socket.gethostname()
    leader = _leader(cluster, options.namespace, identity, options.deployment) if options.leader_elect else None
    registry = CollectorRegistry()
    metrics, queue = Metrics(registry), Queue(time.monotonic)
    reconciler = Reconciler(
        cluster if leader is None else Guarded(cluster, leader),
        HttpProbe(),
        _now,
        options.sink_url,
        identity,
        sources=evidence,
        frozen=options.freeze or None,
        namespace=options.namespace or None,
    )
    controller = Controller(
        cluster,
        options.namespace or None,
        reconcile=reconciler.reconcile,
        queue=queue,
        metrics=metrics,
        monotonic=time.monotonic,
        looks=looks,
    )
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    start_http_server(options.metrics_port, registry=registry)
    # A replica that stands by is ready: it is there to take over.
    checks = {
        "/healthz": lambda: controller.alive,
        "/readyz": lambda: controller.ready or (leader is not None and not leader.leads),
    }
    serve_health(options.health_port, checks)
    if leader is None:
        controller.start()
        ended.wait()
        controller.stop(_LAST_LOOK)
        close_tracing()
        log.info("stopped")
        return 0
    leader.campaign(ended.wait, controller.start)
    controller.stop(_LAST_LOOK)
    leader.release()
    close_tracing()
    if not ended.is_set():
        log.error("leadership is lost; a fresh process stands by")
        return 1
    log.info("stopped")
    return 0


def _tracing(settings: TracingSettings | None) -> tuple[Looks, Callable[[], None]]:
    """What begins looks, and what sends the last of them."""
    if settings is None:
        return untraced, lambda: None
    from leeway_operators.shell.otlp import Export, LookTracer  # noqa: PLC0415 - half a second that few want to spend

    export = Export(settings.endpoint)
    return LookTracer(export.provider, settings.sample_ratio), lambda: export.close(_TRACING_DRAIN_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)


def _leader(cluster: Cluster, namespace: str | None, identity: str, deployment: str) -> Leader:
    # In the watched namespace, if there is but one: there it has its rights, and no other operator watches that one.
    own = _OWN_NAMESPACE.read_text().strip() if _OWN_NAMESPACE.exists() else "default"
    where = namespace or own
    return Leader(
        cluster,
        where,
        _LEASE,
        identity,
        clock=_now,
        monotonic=time.monotonic,
        # Of another namespace it is no owner: the Lease would be deleted at once.
        deployment=deployment if where == own else "",
    )
