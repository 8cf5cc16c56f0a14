"""A model of a drill's own: a team's release of the chart, in a namespace of its own, beside the platform's."""

import threading
from collections.abc import Mapping
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
        steps: tuple[Mapping[str, Any], ...] = (),
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
                self.site.name, up.CHART, namespace=self.site.namespace, values=self.values(fault)
            )

    def values(self, fault: str) -> Manifest:
        """Return the chart's values, with the fault of its server; empty is a sound one."""
        strategy: Manifest = {"rollbackWindow": "1m"}
        if self._steps:
            strategy |= {"steps": list(self._steps), "minRequests": 20, "analysis": {"interval": "5s"}}
        images = dict(self._stage.values["images"])
        model: Manifest = {**self._image.values(), "resources": dict(_RESOURCES)}
        if fault:
            repository, _, tag = self._faulty.removeprefix("docker.io/").rpartition(":")
            images["onnxServer"] = {"repository": repository, "tag": tag}
            model["env"] = {FAULT: fault}
        return {
            "operator": {"enabled": False},
            "crds": {"install": False},
            "driftDetector": {"enabled": False},
            "gateway": {"create": False, "parentRef": {"name": demo.RELEASE, "namespace": demo.NAMESPACE}},
            "networkPolicy": {"platformNamespace": demo.NAMESPACE},
            "images": images,
            "models": {
                self.site.name: {
                    "model": model,
                    "hostnames": [self.site.hostname],
                    "capture": {"mode": "direct"},
                    "autoscaling": {"maxReplicas": 1},
                    "strategy": strategy,
                }
            },
            **self._mailbox.values(),
        }

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


def remove_all(kube: Kube) -> None:
    """Remove what drills that were cut off have left.

    Raises:
        CommandFailedError: something stays.
    """
    kube.kubectl("delete", "namespaces", f"--selector={_LABEL}=drill", "--ignore-not-found", "--timeout=180s")
