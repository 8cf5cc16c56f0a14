"""The Prometheus Operator and one Prometheus, which scrapes whatever any namespace asks it to."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import versions
from cluster.addons import sources
from cluster.addons.images import AddonImage, program
from cluster.addons.kube import Kube
from cluster.addons.kubernetes import manifest
from cluster.fetch import golang
from cluster.progress import Step, wait_until
from cluster.shell import CommandFailedError

NAMESPACE = "monitoring"
URL = f"http://prometheus.{NAMESPACE}.svc:9090"
_API = f"/api/v1/namespaces/{NAMESPACE}/services/prometheus:9090/proxy/api/v1"
_RELOADER = "/bin/prometheus-config-reloader"  # where the operator looks for it
# Every other way of finding targets brings a cloud's client library.
_TAGS = ("remove_all_sd", "enable_kubernetes_sd")
# Upstream's rights, as they are; the rest of its examples is for a cluster with a registry.
_ROLES = ("prometheus-operator/prometheus-operator-cluster-role", "prometheus/prometheus-cluster-role")


def images() -> list[AddonImage]:
    """The images of the operator, of the reloader that it puts beside a Prometheus, and of Prometheus."""
    operator = _build("prometheus-operator", "operator", "prometheus-config-reloader")
    return [
        program(_reference("prometheus-operator"), operator / "operator", ["operator"]),
        AddonImage(_reference("prometheus-config-reloader"), {_RELOADER: operator / Path(_RELOADER).name}, [_RELOADER]),
        program(_reference("prometheus"), _prometheus() / "prometheus", ["prometheus"]),
    ]


def promtool() -> Path:
    """Return the program that checks rules and asks a Prometheus from a shell."""
    return _prometheus() / "promtool"


def install_definitions(kube: Kube, step: Step) -> None:
    """Install the kinds, so that a chart's monitors and rules can be created."""
    kube.apply_definitions(sources.files("prometheus-operator") / "example/prometheus-operator-crd", step=step)


def install(kube: Kube, step: Step) -> None:
    """Install the operator and the Prometheus, and return once that answers.

    Raises:
        CommandFailedError: the operator did not make a Prometheus of it in time.
        TimeoutError: its Service does not lead to it.
    """
    rights = sources.files("prometheus-operator") / "example/rbac"
    for role in _ROLES:
        kube.apply(rights / f"{role}.yaml")
    kube.apply(manifests())
    kube.wait("prometheus/cluster", "condition=Available", namespace=NAMESPACE, seconds=180, step=step)
    wait_until(lambda: targets(kube) is not None, seconds=60, what=f"an answer of {URL}", step=step)


def manifests() -> str:
    """Return what is installed, but for the operator's and the Prometheus' rights."""
    return manifest(
        "monitoring",
        operator=_reference("prometheus-operator"),
        reloader=_reference("prometheus-config-reloader"),
        prometheus=_reference("prometheus"),
        version=release("prometheus"),
    )


@dataclass(frozen=True)
class Target:
    """A pod that Prometheus scrapes: the monitor that asked for it, its address, and why it fails (empty if not)."""

    monitor: str
    instance: str
    error: str


def targets(kube: Kube) -> list[Target] | None:
    """Return what Prometheus scrapes, by monitor; None while it does not answer."""
    try:
        answer = kube.kubectl("get", "--raw", f"{_API}/targets?state=active")
    except CommandFailedError:
        return None
    return targets_of(json.loads(answer))


def targets_of(answer: Mapping[str, Any]) -> list[Target]:
    """Read the answer of Prometheus' /api/v1/targets; a target that was not scraped yet is not up."""
    found = [
        Target(
            monitor=target["scrapePool"],
            instance=target["labels"]["instance"],
            error="" if target["health"] == "up" else target["lastError"] or "not scraped yet",
        )
        for target in answer["data"]["activeTargets"]
    ]
    return sorted(found, key=lambda target: (target.monitor, target.instance))


def release(name: str) -> str:
    """Return the version that upstream calls the module `name` by: Prometheus 3.15.0 is v0.315.0 as a module."""
    version = versions.modules()[name].version.removeprefix("v")
    if name != "prometheus":
        return version
    _, number, patch = version.split(".")
    return f"{int(number) // 100}.{int(number) % 100}.{patch}"


def scraped(found: Collection[Target] | None, monitors: Collection[str], namespace: str) -> bool:
    """Whether each of these PodMonitors of `namespace` has a target that is up; a pod that fails is not awaited."""
    up = {target.monitor for target in found or () if not target.error}
    return all(any(pool.startswith(f"podMonitor/{namespace}/{name}/") for pool in up) for name in monitors)


def table(found: Collection[Target] | None) -> str:
    """Return what is scraped for people, a line per target."""
    if found is None:
        return f"Prometheus ({URL}) does not answer"
    rows = [
        ("SCRAPED BY", "AT", "STATE"),
        *((target.monitor, target.instance, target.error or "up") for target in found),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{row[0]:<{widths[0]}}   {row[1]:<{widths[1]}}   {row[2]}" for row in rows)


def _prometheus() -> Path:
    return _build("prometheus", "prometheus", "promtool")


def _build(name: str, *programs: str) -> Path:
    packages = [f"{versions.modules()[name].path}/cmd/{program}" for program in programs]
    variables = {"github.com/prometheus/common/version.Version": release(name)}
    return golang.build("prometheus", packages, tags=_TAGS, variables=variables)


def _reference(image: str) -> str:
    module = "prometheus" if image == "prometheus" else "prometheus-operator"
    return f"docker.io/leeway/{image}:v{release(module)}"
