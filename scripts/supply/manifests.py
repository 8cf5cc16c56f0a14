"""The chart as plain manifests, and the images that they name."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from cluster import paths
from cluster.fetch import tools
from cluster.shell import run

CHART = paths.REPOSITORY / "charts/leeway"
# What the chart asks of a cluster, and what it makes use of where it is there.
APIS = (
    "serving.kserve.io/v1beta1/InferenceService",
    "serving.kserve.io/v1alpha1/ServingRuntime",
    "gateway.networking.k8s.io/v1/HTTPRoute",
    "cert-manager.io/v1/Certificate",
    "gateway.envoyproxy.io/v1alpha1/EnvoyProxy",
    "monitoring.coreos.com/v1/PodMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
    "monitoring.coreos.com/v1alpha1/AlertmanagerConfig",
    "leeway.dev/v1alpha1/ModelRollout",
)

# An image's name → its key under `images` in the chart's values; training has none, it runs nowhere on the cluster.
_KEYS = {
    "onnx-server": "onnxServer",
    "operators": "operators",
    "drift-detector": "driftDetector",
    "drift-detector-native": "driftDetectorNative",
}


def image_values(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return `images` of the chart's values for the tags of images by name; what the chart does not run is left out."""
    return {_KEYS[name]: {"tag": tag} for name, tag in tags.items() if name in _KEYS}


def render(values: Sequence[Path], namespace: str) -> str:
    """Return the namespace, the kind and all that the chart renders, as YAML documents.

    It is written for a cluster with KServe, Envoy Gateway, cert-manager and the Prometheus Operator. The pods of
    `helm test` are left out.

    Raises:
        CommandFailedError: helm refused; the message is its own.
    """
    files = [part for file in values for part in ("--values", file)]
    apis = [part for api in APIS for part in ("--api-versions", api)]
    text = run(
        [
            tools.fetch() / "helm", "template", "leeway", CHART, "--namespace", namespace, "--include-crds",
            "--skip-tests", *apis, *files,
        ],
        env={"KUBECONFIG": os.devnull},  # what is written must not depend on the cluster that happens to be at hand
    )  # fmt: skip
    return f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n{text}"


def write(manifests: str, folder: Path) -> None:
    """Write `1-kinds.yaml`, which has to be applied and established first, and `2-leeway.yaml` to `folder`.

    kubectl looks up every kind of a file before it applies the first object of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    documents = manifests.split("\n---\n")
    first = [document for document in documents if _kind(document) in {"CustomResourceDefinition", "Namespace"}]
    rest = [document for document in documents if document not in first]
    (folder / "1-kinds.yaml").write_text("\n---\n".join(first) + "\n", encoding="utf-8")
    (folder / "2-leeway.yaml").write_text("\n---\n".join(rest) + "\n", encoding="utf-8")


def _kind(document: str) -> str | None:
    content = yaml.load(document, yaml.CSafeLoader)
    return content.get("kind") if isinstance(content, dict) else None


def images(manifests: str) -> list[str]:
    """Return every image that pods of these manifests need, sorted: of containers, and of models (oci://…)."""
    found: set[str] = set()
    for document in yaml.load_all(manifests, yaml.CSafeLoader):
        found.update(_images(document))
    return sorted(found)


def _images(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["image"]} if isinstance(node.get("image"), str) else set()
        uri = node.get("storageUri")
        if isinstance(uri, str) and uri.startswith("oci://"):
            own.add(uri.removeprefix("oci://"))
        return own.union(*(_images(child) for child in node.values()))
    if isinstance(node, list):
        return set().union(*(_images(child) for child in node))
    return set()
