"""prometheus-adapter: what Prometheus knows of pods, as the custom metrics API that autoscalers ask."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import yaml

from cluster import paths
from cluster.addons import monitoring
from cluster.addons.kube import Kube, Manifest
from cluster.addons.kubernetes import certified, image_reference, manifest
from cluster.progress import Step, wait_until
from cluster.shell import CommandFailedError

API = "/apis/custom.metrics.k8s.io/v1beta1"
RULES = paths.REPOSITORY / "charts/leeway/files/prometheus-adapter.yaml"
"""Values of its own chart, for those who have it from there; the rules in them are the ones that are used here."""
_NAME = "prometheus-adapter"


def install(kube: Kube, step: Step) -> None:
    """Install the adapter and return once the API server serves what it answers.

    The API server is told of it only when it runs: one that does not answer delays whoever asks what kinds there are,
    and keeps namespaces from being deleted.

    Raises:
        CommandFailedError: it was not available in time.
        TimeoutError: the API server does not reach it.
    """
    certificate = certified(_NAME, monitoring.NAMESPACE)
    kube.apply(program_manifests(certificate, rules()))
    kube.wait(f"deployment/{_NAME}", "condition=Available", namespace=monitoring.NAMESPACE, seconds=120, step=step)
    kube.apply(manifest("custom-metrics", authority=certificate["authority"]))
    wait_until(lambda: answers(kube), seconds=60, what="the custom metrics API", step=step)


def program_manifests(certificate: Mapping[str, str], rules: Sequence[Manifest]) -> str:
    """Return everything but the API's registration.

    Args:
        certificate: as `certified` gives it.
        rules: what metrics are made of, as the adapter reads it.
    """
    config = yaml.safe_dump({"rules": list(rules)}, sort_keys=False)
    return manifest(
        _NAME,
        image=image_reference(),
        prometheus=monitoring.URL,
        config=json.dumps(config),
        digest=hashlib.sha256(config.encode()).hexdigest()[:12],
        **certificate,
    )


def rules() -> list[Manifest]:
    """Return the rules of the chart."""
    values: Manifest = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    found: list[Manifest] = values["rules"]["custom"]
    return found


def answers(kube: Kube) -> bool:
    """Whether the API server gets an answer of the adapter."""
    try:
        kube.kubectl("get", "--raw", API)
    except CommandFailedError:  # 503 until it has seen that it runs
        return False
    return True
