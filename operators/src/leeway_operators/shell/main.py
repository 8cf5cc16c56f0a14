"""`leeway-operator`: wires the parts to a real cluster, a real clock and real ports."""

import argparse
import signal
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import kubernetes.client
import kubernetes.config
from prometheus_client import CollectorRegistry, start_http_server

from leeway_operators.core.evidence import Evidence, Missing
from leeway_operators.shell import logs
from leeway_operators.shell.controller import Controller
from leeway_operators.shell.health import serve_health
from leeway_operators.shell.kube import Cluster
from leeway_operators.shell.metrics import Metrics
from leeway_operators.shell.probe import HttpProbe
from leeway_operators.shell.queue import Queue
from leeway_operators.shell.reconcile import Reconciler


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="leeway-operator", description="Releases the models of ModelRollouts.")
    parser.add_argument(
        "--sink-url", help="where requests and predictions are reported to; without it nothing is captured"
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
    # reconciliation hangs on one question while other models wait.
    configuration.retries = 1
    return kubernetes.client.ApiClient(configuration)


def main(argv: Sequence[str] | None = None) -> None:
    """Run until SIGTERM or SIGINT."""
    options = arguments().parse_args(argv)
    logs.configure()
    cluster = Cluster(connect())
    registry = CollectorRegistry()
    metrics, queue = Metrics(registry), Queue(time.monotonic)
    unknown = Evidence(
        counters=Missing(reason="the operator knows no metrics store"),
        detector=Missing(reason="the operator knows no drift detector"),
    )
    reconciler = Reconciler(
        cluster,
        HttpProbe(),
        lambda: datetime.now(UTC),
        options.sink_url,
        socket.gethostname(),
        sources=lambda *_: unknown,
    )
    controller = Controller(
        cluster,
        options.namespace,
        reconcile=reconciler.reconcile,
        queue=queue,
        metrics=metrics,
        monotonic=time.monotonic,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: controller.stop())
    start_http_server(options.metrics_port, registry=registry)
    serve_health(options.health_port, {"/healthz": lambda: controller.alive, "/readyz": lambda: controller.ready})
    controller.start_watching()
    controller.work()
