"""The model servers of a fleet and a proxy of its Gateway, as they are scraped; runs in the server's environment."""

import hashlib
import random
from collections.abc import Callable

from cardinality_pods import NAMESPACE, Fleet, Pod, Scraped, expose
from prometheus_client import CollectorRegistry, Gauge

from leeway_serving.metrics import Metrics

PREDICTIONS = 100
"""Of each server between two scrapes."""
_ENVOY = ("rq_total", "rq_success", "rq_error", "rq_timeout", "cx_connect_fail")
_SECONDS = 0.01


def main() -> None:
    """Expose them."""
    servers = [_server(*version) for version in Fleet.of_arguments().versions_of_models()]
    expose([*servers, _proxy([pod for pod, _, _ in servers])])


def _server(model: str, version: str, slot: str) -> Scraped:
    registry = CollectorRegistry()
    metrics = Metrics(registry, model=model, version=version, in_flight=lambda: 1)
    digest = hashlib.sha256(f"{model} {version}".encode()).hexdigest()
    metrics.loaded(version=version, digest=f"sha256:{digest}", seconds=2.0)
    labels = {
        "leeway.dev/model": model,
        "leeway.dev/slot": slot,
        "leeway.dev/version": version,
        "leeway.dev/revision": digest[:10],
    }
    return Pod(NAMESPACE, f"{model}-{slot}-predictor-{digest[:10]}", labels), registry, _traffic(metrics)


def _traffic(metrics: Metrics) -> Callable[[], None]:
    chance = random.Random(1)  # noqa: S311 - no secret

    def serve() -> None:
        for _ in range(PREDICTIONS):
            metrics.predicted("v2", rows=1, seconds=chance.expovariate(1 / _SECONDS))

    return serve


def _proxy(servers: list[Pod]) -> Scraped:
    """Stands in for Envoy, which is another program: those of its counters that the chart has kept."""
    registry = CollectorRegistry()
    labels = ("envoy_cluster_name", "envoy_endpoint_address")
    counters = [Gauge(f"envoy_cluster_endpoint_{name}", name, labels, registry=registry) for name in _ENVOY]
    endpoints = [
        counter.labels(f"httproute/{pod.namespace}/{pod.labels['leeway.dev/model']}/rule/0", f"10.0.0.{number}:8080")
        for number, pod in enumerate(servers)
        for counter in counters
    ]

    def serve() -> None:
        for endpoint in endpoints[: len(_ENVOY) * 2]:
            endpoint.inc(PREDICTIONS)

    labels_of_pod = {
        "app.kubernetes.io/name": "envoy",
        "gateway.envoyproxy.io/owning-gateway-name": "leeway",
        "gateway.envoyproxy.io/owning-gateway-namespace": NAMESPACE,
    }
    return Pod("envoy-gateway-system", "envoy-0", labels_of_pod), registry, serve


if __name__ == "__main__":
    main()
