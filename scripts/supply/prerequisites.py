"""The images of what Leeway stands on, as the pinned charts of other projects name them."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster import versions
from cluster.addons import monitoring, sources
from cluster.fetch import tools
from cluster.shell import run
from supply import manifests

# What cert-manager's chart says in the place of its version until it is packaged.
_UNRELEASED = "v0.0.0"
# Who publishes what the built-in cluster has from Go modules, under the version that upstream calls it by.
_METRICS = {
    "prometheus-operator": "quay.io/prometheus-operator/prometheus-operator",
    "prometheus-config-reloader": "quay.io/prometheus-operator/prometheus-config-reloader",
    "prometheus": "quay.io/prometheus/prometheus",
    "alertmanager": "quay.io/prometheus/alertmanager",
    "kube-state-metrics": "registry.k8s.io/kube-state-metrics/kube-state-metrics",
    "prometheus-adapter": "registry.k8s.io/prometheus-adapter/prometheus-adapter",
    "metrics-server": "registry.k8s.io/metrics-server/metrics-server",
}


def groups() -> dict[str, list[str]]:
    """Return the images of each prerequisite, sorted, by its name and version.

    cert-manager, Envoy Gateway and KServe are asked for theirs: by their charts, and where those leave it to the
    program, by its source. The chart kube-prometheus-stack is no part of a Go module and cannot be asked; the images
    are those of the programs that the built-in cluster has in its place.

    Raises:
        CommandFailedError: a source could not be fetched, or helm refused a chart.
        ValueError: a chart or a source does not name an image where it did.
    """
    pinned = {name: module.version for name, module in versions.modules().items()}
    traefik = versions.wheel("traefik").partition("==")[2]
    gateway = sources.files("envoy-gateway") / "api/v1alpha1/shared_types.go"
    found = {
        f"cert-manager {pinned['cert-manager']}": of_cert_manager(
            _render(sources.files("cert-manager") / "deploy/charts/cert-manager"), pinned["cert-manager"]
        ),
        f"Envoy Gateway {pinned['envoy-gateway']}": of_envoy_gateway(
            gateway.read_text(encoding="utf-8"), pinned["envoy-gateway"]
        ),
        f"Traefik v{traefik}, only in Envoy Gateway's place": [f"traefik:v{traefik}"],
        f"KServe {pinned['kserve']}": of_kserve(_render(sources.files("kserve") / "charts/kserve-resources")),
        "Metrics": [f"{image}:v{_release(name)}" for name, image in _METRICS.items()],
    }
    return {name: sorted(qualified(image) for image in images) for name, images in found.items()}


def of_cert_manager(rendered: str, version: str) -> list[str]:
    """Return the images of cert-manager's chart, and the one that its controller starts to answer for ACME.

    Raises:
        ValueError: the chart does not name that one.
    """
    solver = re.search(r"--acme-http01-solver-image=(\S+)", rendered)
    if not solver:
        raise ValueError("chart cert-manager: expected the argument --acme-http01-solver-image")
    return [image.replace(_UNRELEASED, version) for image in (*manifests.images(rendered), solver[1])]


def of_envoy_gateway(source: str, version: str) -> list[str]:
    """Return the images of Envoy Gateway, which is also Envoy's shutdown manager, and of the Envoy that it starts.

    Args:
        source: the file of Envoy Gateway that has its defaults.
        version: of Envoy Gateway.

    Raises:
        ValueError: the file does not say which Envoy.
    """
    envoy = re.search(r'DefaultEnvoyProxyImage = "([^"]+)"', source)
    if not envoy:
        raise ValueError("Envoy Gateway's shared_types.go: expected DefaultEnvoyProxyImage")
    return [f"docker.io/envoyproxy/gateway:{version}", envoy[1]]


def of_kserve(rendered: str) -> list[str]:
    """Return the images of KServe's chart, and the agent that it puts beside a server to log its traffic.

    Its routers and explainers are left out: no InferenceService of Leeway asks for one.

    Raises:
        ValueError: the chart's configuration does not name the agent.
    """
    for document in yaml.load_all(rendered, yaml.CSafeLoader):
        if document and document["kind"] == "ConfigMap" and document["metadata"]["name"] == "inferenceservice-config":
            logger: Mapping[str, Any] = json.loads(document["data"].get("logger", "{}"))
            if "image" in logger:
                return [*manifests.images(rendered), logger["image"]]
    raise ValueError("chart kserve-resources: expected `image` in logger of the ConfigMap inferenceservice-config")


def qualified(image: str) -> str:
    """Return an image's whole name: a node takes a name without a registry for one of Docker's."""
    registry, slash, _ = image.partition("/")
    if not slash:
        return f"docker.io/library/{image}"
    return image if re.search(r"[.:]|^localhost$", registry) else f"docker.io/{image}"


def text(groups: Mapping[str, list[str]]) -> str:
    """Return a list for people and for `grep -v '^#'`: each group's images, one a line, under its name."""
    return "".join(f"{line}\n" for name, images in groups.items() for line in (f"# {name}", *images))


def _release(name: str) -> str:
    return monitoring.release("prometheus-operator" if name == "prometheus-config-reloader" else name)


def _render(chart: Path) -> str:
    # What is written must not depend on the cluster that happens to be at hand.
    return run([tools.fetch() / "helm", "template", chart.name, chart], env={"KUBECONFIG": os.devnull})
