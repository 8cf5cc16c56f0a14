"""A Prometheus configuration out of what the chart asks of the Prometheus Operator, for pods that are simulated.

Where the operator would find pods by Kubernetes' API they are listed here, with the labels that it would have given
them; each is then asked at a port of this machine instead of its own address. The rest is as the operator writes it
(its `generatePodMonitorConfig`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bench.cardinality_fleet import Pod

Manifest = Mapping[str, Any]
_RENAMED = {"sourceLabels": "source_labels", "targetLabel": "target_label"}


def configuration(manifests: Iterable[Manifest], pods: Iterable[Pod], *, evaluated_every: str) -> dict[str, Any]:
    """The configuration by which Prometheus scrapes the pods that PodMonitors select.

    Args:
        manifests: of a release of the chart.
        pods: each has to be selected by exactly one PodMonitor.
        evaluated_every: time from one evaluation of a group of rules to the next, where it says nothing.

    Raises:
        ValueError: a pod is scraped by none of them, or by several.
    """
    monitors = [manifest for manifest in manifests if manifest["kind"] == "PodMonitor"]
    chosen: dict[str, list[Pod]] = {}
    for pod in pods:
        names = [
            monitor["metadata"]["name"] for monitor in monitors if selects(monitor["spec"]["selector"], pod.labels)
        ]
        if len(names) != 1:
            raise ValueError(f"pod {pod.name}: expected one PodMonitor that selects it, found {names}")
        chosen.setdefault(names[0], []).append(pod)
    return {
        "global": {"evaluation_interval": evaluated_every},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            _job(monitor, chosen[monitor["metadata"]["name"]])
            for monitor in monitors
            if monitor["metadata"]["name"] in chosen
        ],
    }


def rules(manifests: Iterable[Manifest]) -> dict[str, Any]:
    """All groups of the PrometheusRules, as one rule file."""
    found = [manifest["spec"]["groups"] for manifest in manifests if manifest["kind"] == "PrometheusRule"]
    return {"groups": [group for groups in found for group in groups]}


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether a label selector with `matchLabels` and expressions `In` takes an object with these labels.

    Raises:
        ValueError: an expression has another operator.
    """
    expressions = selector.get("matchExpressions", [])
    for expression in expressions:
        if expression["operator"] != "In":
            raise ValueError(f"expected the operator In, found {expression}")
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(expression["key"]) in expression["values"] for expression in expressions
    )


def _job(monitor: Manifest, pods: Iterable[Pod]) -> dict[str, Any]:
    namespace, name, spec = monitor["metadata"]["namespace"], monitor["metadata"]["name"], monitor["spec"]
    (endpoint,) = spec["podMetricsEndpoints"]
    relabelings = [
        *({"source_labels": [f"__meta_kubernetes_{of}"], "target_label": label} for label, of in _OF_PODS.items()),
        *(
            {
                "source_labels": [f"__meta_kubernetes_pod_label_{_safe(label)}"],
                "target_label": _safe(label),
                "regex": "(.+)",
            }
            for label in spec.get("podTargetLabels", [])
        ),
        {"target_label": "job", "replacement": f"{namespace}/{name}"},
        {"target_label": "endpoint", "replacement": endpoint["port"]},
        *map(_relabeling, endpoint.get("relabelings", [])),
        # From here on not as on a cluster: the pod keeps its address as a name, and is asked at another.
        {"source_labels": ["__address__"], "target_label": "instance"},
        {"source_labels": ["__tmp_address"], "target_label": "__address__"},
        {"source_labels": ["pod"], "target_label": "__metrics_path__", "replacement": "/$1"},
    ]
    return {
        "job_name": f"podMonitor/{namespace}/{name}/0",
        "honor_labels": endpoint.get("honorLabels", False),
        "params": endpoint.get("params", {}),
        "scrape_interval": endpoint["interval"],
        "scrape_timeout": endpoint["interval"],
        "relabel_configs": relabelings,
        "metric_relabel_configs": [_relabeling(given) for given in endpoint.get("metricRelabelings", [])],
        "static_configs": [_target(pod, number) for number, pod in enumerate(pods)],
    }


_OF_PODS = {"namespace": "namespace", "container": "pod_container_name", "pod": "pod_name"}


def _target(pod: Pod, number: int) -> dict[str, Any]:
    labels = {f"__meta_kubernetes_pod_label_{_safe(name)}": value for name, value in pod.labels.items()}
    return {
        "targets": [f"10.0.{number // 256}.{number % 256}:8080"],
        "labels": {
            **labels,
            "__meta_kubernetes_namespace": pod.namespace,
            "__meta_kubernetes_pod_name": pod.name,
            "__meta_kubernetes_pod_container_name": "kserve-container",
            "__tmp_address": f"127.0.0.1:{pod.port}",
        },
    }


def _relabeling(given: Manifest) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in given.items()}


def _safe(label: str) -> str:
    return re.sub(r"\W", "_", label)
