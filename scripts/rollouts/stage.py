"""One cluster as rollouts see it: objects to start from, statuses, and the chart's values."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from cluster import demo, paths, up
from cluster.addons.kube import Kube
from cluster.https import Endpoint
from cluster.shell import run
from rollouts import manifests
from rollouts.manifests import Manifest, Site

_KIND = "modelrollout"


class Stage:
    """A cluster that `make up` has left."""

    def __init__(self, cluster: paths.ClusterPaths) -> None:
        """Reads the values that `make up` installed, and where the gateway is.

        Raises:
            CommandFailedError: the cluster is not up.
        """
        self.cluster, self.kube = cluster, Kube(cluster.kubeconfig)
        self.endpoint = up.endpoint(cluster)
        self.values: dict[str, Any] = yaml.safe_load((cluster.state / "values.yaml").read_text(encoding="utf-8"))

    def endpoint_of(self, site: Site) -> Endpoint:
        """Where a model of its own answers."""
        return dataclasses.replace(self.endpoint, hostname=site.hostname)

    def install(self, values: Mapping[str, Any]) -> None:
        """`helm upgrade` of what `make up` installed, with these values."""
        self.kube.helm_install(demo.RELEASE, up.CHART, namespace=demo.NAMESPACE, values=values)

    def get(self, kind: str, name: str, namespace: str = demo.NAMESPACE) -> Manifest:
        """Return an object.

        Raises:
            CommandFailedError: it is not there.
        """
        found: Manifest = json.loads(self.kube.kubectl("get", kind, name, f"--namespace={namespace}", "--output=json"))
        return found

    def status(self, site: Site) -> dict[str, Any]:
        """Return the status of a ModelRollout; empty before its first."""
        status: dict[str, Any] = self.get(_KIND, site.name, site.namespace).get("status", {})
        return status

    def statuses(self) -> dict[Site, dict[str, Any]]:
        """Return the status of every ModelRollout, asked at once."""
        listed = json.loads(self.kube.kubectl("get", _KIND, "--all-namespaces", "--output=json"))["items"]
        return {Site(one["metadata"]["name"], one["metadata"]["namespace"]): one.get("status", {}) for one in listed}

    def base(self) -> tuple[Manifest, Manifest]:
        """Return the flights' ModelRollout and the ServingRuntime that the chart made for it."""
        rollout = self.get(_KIND, demo.MODEL)
        return rollout, self.get("servingruntime", rollout["spec"]["runtime"])

    def server_monitor(self) -> Manifest:
        """Return the chart's PodMonitor of model servers.

        Raises:
            LookupError: there is none.
        """
        listed = json.loads(self.kube.kubectl("get", "podmonitor", f"--namespace={demo.NAMESPACE}", "--output=json"))
        return manifests.monitor_of_servers(listed["items"])

    def remove(self, made: Sequence[Manifest]) -> None:
        """Remove objects, those that are there; what they own goes with them."""
        for one in made:
            name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
            self.kube.kubectl("delete", one["kind"], name, f"--namespace={namespace}", "--ignore-not-found")

    def answers(self, site: Site, sample: Mapping[str, Any]) -> bool:
        """Whether a model answers a V2 request through the gateway now."""
        try:
            status, _, _ = self.endpoint_of(site).post(site.path, sample["v2"])
        except OSError:
            return False
        return status == 200  # noqa: PLR2004 - HTTP's own OK

    def leeway(self, *arguments: str) -> str:
        """Run `kubectl leeway` and return what it printed.

        Raises:
            CommandFailedError: it failed; the message has its words.
        """
        return run([self.cluster.bin / "kubectl-leeway", *arguments], env={"KUBECONFIG": str(self.cluster.kubeconfig)})
