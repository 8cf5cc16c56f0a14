"""What runs may do no more than it needs: of each pod, as the kernel enforces it and as its spec asks for it.

All pods of the release's namespace and of the monitoring's are looked at, so that a new one cannot be forgotten. What a
container does not meet is named here, with the reason, and everything else meets everything.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from processes import Process, of_container
from story import NAMESPACE, Story

from cluster.addons import monitoring

Manifest = dict[str, Any]

_ROOT, _CAPABILITIES, _GAINS, _UNFILTERED = "root user", "capabilities", "may gain privileges", "no seccomp filter"
_WRITABLE, _TOKEN = "writable root", "service account's token"
# A modelcar is KServe's, which sets nothing on it but its user. It only keeps the model's image mounted.
_MODELCAR = {_CAPABILITIES, _GAINS, _WRITABLE}
# Those that ask the API server; a reloader shares the pod of its Prometheus.
_ASKING = {
    "operator/operator",
    "prometheus-adapter/prometheus-adapter",
    "prometheus-operator/prometheus-operator",
    "prometheus/prometheus",
    "prometheus/config-reloader",
    "prometheus/init-config-reloader",
    "kube-state-metrics/kube-state-metrics",
}
_KNOWN: Mapping[str, set[str]] = {
    **{who: {_TOKEN} for who in _ASKING},
    "model/modelcar": _MODELCAR,
    "model/modelcar-init": _MODELCAR,
}
_LOOKED_FOR = {
    "drift-detector/drift-detector",
    "model/kserve-container",
    "model/agent",
    "alertmanager/alertmanager",
    "alertmanager/config-reloader",
    "prometheus/prometheus",
    "operator/operator",
    "model/modelcar",
}


@dataclass(frozen=True)
class _Container:
    """One container of a pod: who it is to a reader, its spec beside the pod's, its status."""

    who: str
    spec: Manifest
    pod: Manifest
    status: Manifest

    def identity(self) -> str:
        """Its name at the runtime; empty unless it runs."""
        running = "running" in self.status.get("state", {})
        return str(self.status["containerID"]).rpartition("/")[2] if running else ""


def _pods(story: Story, namespace: str) -> list[Manifest]:
    """Return the pods that run and are to go on running."""
    found = json.loads(story.kube.kubectl("get", "pods", f"--namespace={namespace}", "--output=json"))["items"]
    return [pod for pod in found if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]]


def _who(pod: Manifest) -> str:
    labels = pod["metadata"].get("labels", {})
    if "leeway.dev/model" in labels:
        return "model"
    named = ("app.kubernetes.io/component", "app.kubernetes.io/name")
    return str(next((labels[label] for label in named if label in labels), pod["metadata"]["name"]))


def _containers(pod: Manifest) -> Iterator[_Container]:
    spec, status = pod["spec"], pod["status"]
    states = {one["name"]: one for kind in ("container", "initContainer") for one in status.get(f"{kind}Statuses", [])}
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        yield _Container(f"{_who(pod)}/{container['name']}", container, spec, states.get(container["name"], {}))


@pytest.fixture(scope="module")
def containers(story: Story) -> list[_Container]:
    """All containers of the pods that are Leeway's or watch it."""
    pods = [pod for namespace in (NAMESPACE, monitoring.NAMESPACE) for pod in _pods(story, namespace)]
    return [container for pod in pods for container in _containers(pod)]


def _enforced(process: Process) -> set[str]:
    """What a process has that it should not."""
    return {
        what
        for what, found in {
            _ROOT: process.is_root(),
            _CAPABILITIES: process.has_capabilities(),
            _GAINS: process.may_gain_privileges(),
            _UNFILTERED: not process.is_filtered(),
            _WRITABLE: process.has_writable_root(),
            _TOKEN: process.has_token(),
        }.items()
        if found
    }


def _asked(container: _Container) -> set[str]:
    """What a container's spec leaves open that it should not."""
    own = container.spec.get("securityContext") or {}
    both = (container.pod.get("securityContext") or {}) | own
    capabilities = own.get("capabilities") or {}
    mounts = [mount["mountPath"] for mount in container.spec.get("volumeMounts", [])]
    return {
        what
        for what, found in {
            _ROOT: both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0,
            _CAPABILITIES: capabilities.get("drop") != ["ALL"] or bool(capabilities.get("add")),
            _GAINS: own.get("allowPrivilegeEscalation") is not False or own.get("privileged", False) is True,
            _UNFILTERED: (both.get("seccompProfile") or {}).get("type") != "RuntimeDefault",
            _WRITABLE: own.get("readOnlyRootFilesystem") is not True,
            _TOKEN: "/var/run/secrets/kubernetes.io/serviceaccount" in mounts,
        }.items()
        if found
    }


def test_no_process_can_do_more_than_it_needs(story: Story, containers: list[_Container]) -> None:
    found: dict[str, set[str]] = {}
    for container in containers:
        if identity := container.identity():
            processes = of_container(story.cluster, identity)
            found.setdefault(container.who, set()).update(*map(_enforced, processes))

    assert found.keys() >= _LOOKED_FOR
    assert found == {who: _KNOWN.get(who, set()) for who in found}


def test_every_spec_asks_for_it(containers: list[_Container]) -> None:
    found: dict[str, set[str]] = {}
    for container in containers:
        found.setdefault(container.who, set()).update(_asked(container))

    assert found.keys() >= _LOOKED_FOR
    assert found == {who: _KNOWN.get(who, set()) for who in found}


def test_no_pod_shares_the_nodes_namespaces_or_files(containers: list[_Container]) -> None:
    shared = ("hostNetwork", "hostPID", "hostIPC")
    volumes = {container.who: container.pod.get("volumes", []) for container in containers}
    assert {container.who for container in containers if any(container.pod.get(name) for name in shared)} == set()
    assert {who for who, mounted in volumes.items() if any("hostPath" in volume for volume in mounted)} == set()
