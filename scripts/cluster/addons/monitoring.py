"""The kinds of the Prometheus Operator, so that a chart's monitors and rules can be created."""

from cluster.addons import sources
from cluster.addons.kube import Kube
from cluster.progress import Step


def install_definitions(kube: Kube, step: Step) -> None:
    """Install the definitions only; nothing acts on them yet."""
    kube.apply_definitions(sources.files("prometheus-operator") / "example/prometheus-operator-crd", step=step)
