"""A model of a drill's own: a team's release of the chart, in a namespace of its own, beside the platform's."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from cluster import demo, up
from cluster.addons.kube import Kube
from drill.alerts.mailbox import Mailbox
from rollouts.manifests import FAULT, Manifest, Site
from rollouts.stage import Stage

# What ten models have to fit into beside everything else, on a node of two cores.
_RESOURCES: Mapping[str, Any] = {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}}
_LABEL = "leeway.dev/made-for"
# One at a time: each is a process that renders the whole chart.
_HELM = threading.Lock()


class Release:
    """A model and its release, both of one name.

    Args:
        stage: the cluster.
        name: of model, release and namespace.
        image: the model's.
        faulty: reference of the server image that reads FAULT.
        mailbox: that its alerts are told to.
        steps: of a rollout; none: a new version gets all traffic at once.
    """

    def __init__(
        self,
        stage: Stage,
        name: str,
        *,
        image: demo.ModelImage,
        faulty: str,
        mailbox: Mailbox,
        steps: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.site = Site(name, name)
        self._stage, self._image, self._faulty, self._mailbox, self._steps = stage, image, faulty, mailbox, steps

    def install(self, fault: str = "") -> None:
        """Install it, or release a version: of a sound server, or of one with a fault.

        Raises:
            CommandFailedError: the cluster refused it.
        """
        metadata = {"name": self.site.namespace, "labels": {_LABEL: "drill"}}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        # The Prometheus Operator leaves out receivers whose Secret is not there.
        self._stage.kube.apply([namespace, self._mailbox.secret(self.site.namespace)])
        with _HELM:
            self._stage.kube.helm_install(
                self.site.name, up.CHART, namespace=self.site.namespace, values=self._values(fault)
            )

    def _values(self, fault: str) -> Manifest:
        serving = values(self.site, self._image.values(), images=self._stage.values["images"], steps=self._steps)
        return {**(with_fault(serving, fault, self._faulty) if fault else serving), **self._mailbox.values()}

    def answers(self, sample: Mapping[str, Any]) -> bool:
        """Whether the model answers a request through the gateway now."""
        return self._stage.answers(self.site, sample)

    def remove(self) -> None:
        """Leave nothing of it.

        Raises:
            CommandFailedError: something stays.
        """
        kube, namespace = self._stage.kube, self.site.namespace
        # First, or the operator would make anew what the namespace loses.
        kube.kubectl("delete", "modelrollout", self.site.name, f"--namespace={namespace}", "--ignore-not-found")
        kube.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s")


def values(
    site: Site, model: Mapping[str, str], *, images: Mapping[str, Any], steps: Sequence[Mapping[str, Any]] = ()
) -> Manifest:
    """Return the chart's values for a team's release of one model; pure.

    Args:
        site: of the model.
        model: `storageUri`, `version` and `digest`.
        images: the platform's.
        steps: of a rollout; none: a new version gets all traffic at once.
    """
    strategy: Manifest = {"rollbackWindow": "1m"}
    if steps:
        strategy |= {"steps": list(steps), "minRequests": 20, "analysis": {"interval": "5s"}}
    return {
        "operator": {"enabled": False},
        "crds": {"install": False},
        "driftDetector": {"enabled": False},
        "gateway": {"create": False, "parentRef": {"name": demo.RELEASE, "namespace": demo.NAMESPACE}},
        "networkPolicy": {"platformNamespace": demo.NAMESPACE},
        "images": dict(images),
        "models": {
            site.name: {
                "model": {**model, "resources": dict(_RESOURCES)},
                "hostnames": [site.hostname],
                "capture": {"mode": "direct"},
                "autoscaling": {"maxReplicas": 1},
                "strategy": strategy,
            }
        },
    }


def with_fault(serving: Manifest, fault: str, image: str) -> Manifest:
    """Return the same values with a server that has a fault; pure.

    Args:
        serving: values of one model.
        fault: as FAULT of tests/faults has it.
        image: reference of the server that reads it.
    """
    repository, _, tag = image.removeprefix("docker.io/").rpartition(":")
    ((name, model),) = serving["models"].items()
    return {
        **serving,
        "images": {**serving["images"], "onnxServer": {"repository": repository, "tag": tag}},
        "models": {name: {**model, "model": {**model["model"], "env": {FAULT: fault}}}},
    }


def remove_all(kube: Kube) -> None:
    """Remove what drills that were cut off have left.

    Raises:
        CommandFailedError: something stays.
    """
    kube.kubectl("delete", "namespaces", f"--selector={_LABEL}=drill", "--ignore-not-found", "--timeout=180s")
