"""The Prometheus Operator, a Prometheus for whatever any namespace asks of it, an Alertmanager, kube-state-metrics."""

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
_MANIFESTS = ("monitoring", "alertmanager", "kube-state-metrics", "monitors")
# Every other way of finding targets brings a cloud's client library.
_TAGS = ("remove_all_sd", "enable_kubernetes_sd")
# Upstream's rights, as they are; the rest of its examples is for a cluster with a registry.
_ROLES = ("prometheus-operator/prometheus-operator-cluster-role", "prometheus/prometheus-cluster-role")


def images() -> list[AddonImage]:
    """The images of the operator and the reloader that it adds to pods, and of everything that it does not make."""
    operator = _build("prometheus-operator", "cmd/operator", "cmd/prometheus-config-reloader")
    states = _build("kube-state-metrics", "")
    return [
        program(_reference("prometheus-operator"), operator / "operator", ["operator"]),
        AddonImage(_reference("prometheus-config-reloader"), {_RELOADER: operator / Path(_RELOADER).name}, [_RELOADER]),
        program(_reference("prometheus"), _prometheus() / "prometheus", ["prometheus"]),
        program(_reference("alertmanager"), _alertmanager() / "alertmanager", ["alertmanager"]),
        program(_reference("kube-state-metrics"), states / "kube-state-metrics", ["kube-state-metrics"]),
    ]


def promtool() -> Path:
    """Return the program that checks rules and asks a Prometheus from a shell."""
    return _prometheus() / "promtool"


def amtool() -> Path:
    """Return the program that checks routes and templates, and asks and silences an Alertmanager from a shell."""
    return _alertmanager() / "amtool"


def install_definitions(kube: Kube, step: Step) -> None:
    """Install the kinds, so that a chart's monitors and rules can be created."""
    kube.apply_definitions(sources.files("prometheus-operator") / "example/prometheus-operator-crd", step=step)


def install(kube: Kube, step: Step) -> None:
    """Install all of it, and return once Prometheus answers and knows the Alertmanager.

    Raises:
        CommandFailedError: the operator did not make a Prometheus or an Alertmanager in time.
        TimeoutError: a Service does not lead to it.
    """
    rights = sources.files("prometheus-operator") / "example/rbac"
    for role in _ROLES:
        kube.apply(rights / f"{role}.yaml")
    kube.apply(manifests())
    for what in ("prometheus/cluster", "alertmanager/cluster", "deployment/kube-state-metrics"):
        kube.wait(what, "condition=Available", namespace=NAMESPACE, seconds=180, step=step)
    wait_until(lambda: targets(kube) is not None, seconds=60, what=f"an answer of {URL}", step=step)
    wait_until(lambda: alerts_go_somewhere(kube), seconds=120, what="Prometheus to find the Alertmanager", step=step)


def manifests() -> str:
    """Return what is installed, but for the operator's and the Prometheus' rights."""
    values = {
        "operator": _reference("prometheus-operator"),
        "reloader": _reference("prometheus-config-reloader"),
        "prometheus": _reference("prometheus"),
        "prometheus_version": release("prometheus"),
        "alertmanager": _reference("alertmanager"),
        "alertmanager_version": release("alertmanager"),
        "states": _reference("kube-state-metrics"),
    }
    return "\n---\n".join(manifest(name, **values) for name in _MANIFESTS)


@dataclass(frozen=True)
class Target:
    """What Prometheus scrapes: the monitor that asked for it, its address, and why it fails (empty if not)."""

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


def alerts_go_somewhere(kube: Kube) -> bool:
    """Whether Prometheus passes its alerts to an Alertmanager."""
    try:
        answer = json.loads(kube.kubectl("get", "--raw", f"{_API}/alertmanagers"))
    except CommandFailedError:  # it is being started again
        return False
    return bool(answer["data"]["activeAlertmanagers"])


def release(name: str) -> str:
    """Return the version that upstream calls the module `name` by: Prometheus 3.15.0 is v0.315.0 as a module."""
    version = versions.modules()[name].version.removeprefix("v")
    if name != "prometheus":
        return version
    _, number, patch = version.split(".")
    return f"{int(number) // 100}.{int(number) % 100}.{patch}"


def monitors(kube: Kube, namespace: str, *options: str) -> list[str]:
    """Return the monitors of `namespace` as Prometheus calls them: "podMonitor/<namespace>/<name>"."""
    kinds = {"PodMonitor": "podMonitor", "ServiceMonitor": "serviceMonitor"}
    found = json.loads(
        kube.kubectl("get", "podmonitors,servicemonitors", f"--namespace={namespace}", "--output=json", *options)
    )
    return [f"{kinds[item['kind']]}/{namespace}/{item['metadata']['name']}" for item in found["items"]]


def unscraped(found: Collection[Target] | None, monitors: Collection[str]) -> list[str]:
    """Return those of `monitors` that have no target which is up; a target that fails beside one is not awaited."""
    up = {target.monitor.rpartition("/")[0] for target in found or () if not target.error}
    return [monitor for monitor in monitors if monitor not in up]


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
    return _build("prometheus", "cmd/prometheus", "cmd/promtool")


def _alertmanager() -> Path:
    # Its web interface needs Elm and Node; without, the module does not build.
    return _build("alertmanager", "cmd/alertmanager", "cmd/amtool", changed=True)


def _build(name: str, *programs: str, changed: bool = False) -> Path:
    module = versions.modules()[name]
    if module.group is None:
        raise ValueError(f"versions.toml: {module.path} has no group to be built in")
    packages = [f"{module.path}/{program}".rstrip("/") for program in programs]
    variables = {"github.com/prometheus/common/version.Version": release(name)}
    return golang.build(
        module.group, packages, tags=_TAGS, variables=variables, changed=module.path if changed else None
    )


def _reference(image: str) -> str:
    module = "prometheus-operator" if image == "prometheus-config-reloader" else image
    return f"docker.io/leeway/{image}:v{release(module)}"
