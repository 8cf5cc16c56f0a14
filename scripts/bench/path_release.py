"""The flights model on the built-in cluster once per way of capture: a Helm release of its own that comes and goes."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from cluster import demo, paths, up
from cluster.addons.kube import Kube
from cluster.box import cgroups
from cluster.progress import wait_until
from cluster.shell import run

_RELEASE = "bench"
_PATIENCE = 150
_ENVOY = ("envoy-gateway-system", "app.kubernetes.io/component=proxy", "envoy")
_DETECTOR = (demo.NAMESPACE, "app.kubernetes.io/component=drift-detector", "drift-detector")


@contextmanager
def installed(cluster: paths.ClusterPaths, captures: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Have the flights model served once per way of capture, beside what `make up` installed, which is left alone.

    Args:
        cluster: that is up.
        captures: what `models.<name>.capture` is, by the name of the model.

    Raises:
        TimeoutError: one does not serve within some minutes.
        CommandFailedError: Helm refused.
    """
    kube = Kube(cluster.kubeconfig)
    base = yaml.safe_load((cluster.state / "values.yaml").read_text(encoding="utf-8"))
    model = base["models"][demo.MODEL]["model"]
    values = {
        "images": base["images"],
        "operator": {"enabled": False},
        "driftDetector": {"enabled": False},
        "crds": {"install": False},
        "gateway": {"create": False, "parentRef": {"name": demo.RELEASE}},
        "autoscaling": {"enabled": False},  # all ways have one replica
        "models": {name: {"model": model, "capture": dict(capture)} for name, capture in captures.items()},
    }
    try:
        kube.helm_install(_RELEASE, up.CHART, namespace=demo.NAMESPACE, values=values)
        for name in captures:
            wait_until(partial(_is_ready, kube, name), seconds=_PATIENCE, what=f"the model {name}")
        yield
    finally:
        _uninstall(kube)


@dataclass(frozen=True)
class Containers:
    """Containers whose CPU time is counted: folders of their cgroups by name."""

    folders: Mapping[str, Path]

    @classmethod
    def on_the_path_of(cls, kube: Kube, model: str) -> "Containers":
        """Those of Envoy, of the model's pod and of the detector."""
        pod = f"leeway.dev/model={model}"
        wanted = {"Envoy": _ENVOY, "detector": _DETECTOR}
        wanted |= {"agent": (demo.NAMESPACE, pod, "agent"), "server": (demo.NAMESPACE, pod, "kserve-container")}
        found = {name: _container(kube, *where) for name, where in wanted.items()}
        return cls({name: _cgroup(identity) for name, identity in found.items() if identity is not None})

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time of each since it was started."""
        return {name: _cpu_seconds(folder) for name, folder in self.folders.items()}


def events(kube: Kube, model: str) -> dict[tuple[str, str], int]:
    """What became of a model's events in the detector, by type and outcome."""
    (pod,) = _pods(kube, *_DETECTOR[:2])
    counted: dict[tuple[str, str], int] = {}
    for labels, value in _series(kube, pod, "leeway_drift_events_total"):
        if labels["model"] == model:
            key = labels["type"], labels["outcome"]
            counted[key] = counted.get(key, 0) + int(value)
    return counted


def answered(kube: Kube, model: str) -> int:
    """Requests that a model's server has answered with 200 since it was started."""
    (pod,) = _pods(kube, demo.NAMESPACE, f"leeway.dev/model={model}")
    series = _series(kube, pod, "leeway_inference_requests_total")
    return int(sum(value for labels, value in series if labels["code"] == "200"))


def _is_ready(kube: Kube, name: str) -> bool:
    rollout = json.loads(kube.kubectl("get", "modelrollout", name, f"--namespace={demo.NAMESPACE}", "--output=json"))
    conditions = rollout.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _uninstall(kube: Kube) -> None:
    command: list[str | Path] = [
        kube.tools / "helm",
        "uninstall",
        _RELEASE,
        f"--namespace={demo.NAMESPACE}",
        "--ignore-not-found",
    ]
    run([*command, "--wait", "--timeout=2m"], env={"KUBECONFIG": str(kube.kubeconfig)})


def _pods(kube: Kube, namespace: str, selector: str) -> list[dict[str, Any]]:
    listed = kube.kubectl("get", "pods", f"--namespace={namespace}", f"--selector={selector}", "--output=json")
    pods: list[dict[str, Any]] = json.loads(listed)["items"]
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def _series(kube: Kube, pod: dict[str, Any], name: str) -> Iterator[tuple[dict[str, str], float]]:
    """Labels and value of each series of that name."""
    metrics = f"/api/v1/namespaces/{demo.NAMESPACE}/pods/{pod['metadata']['name']}:8082/proxy/metrics"
    for line in kube.kubectl("get", "--raw", metrics).splitlines():
        if line.startswith(f"{name}{{"):
            yield dict(re.findall(r'(\w+)="([^"]*)"', line)), float(line.rpartition(" ")[2])


def _container(kube: Kube, namespace: str, selector: str, name: str) -> str | None:
    """Identity of a container, None if the one pod of these labels has none of that name."""
    (pod,) = _pods(kube, namespace, selector)
    identities = [state["containerID"] for state in pod["status"]["containerStatuses"] if state["name"] == name]
    return identities[0].rpartition("/")[2] if identities else None


def _cgroup(identity: str) -> Path:
    hierarchy = cgroups.ROOT if cgroups.is_unified() else cgroups.ROOT / "cpuacct"
    return next(hierarchy.rglob(f"*{identity}*"))


def _cpu_seconds(folder: Path) -> float:
    if (folder / "cpuacct.usage").exists():  # cgroup v1
        return int((folder / "cpuacct.usage").read_text()) / 1e9
    fields = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
    return int(fields["usage_usec"]) / 1e6
