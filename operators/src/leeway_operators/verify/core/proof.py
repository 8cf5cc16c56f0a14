"""The whole proof, from what the cluster holds and what Prometheus answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from leeway_operators.verify.core import loaded, metrics, parts, relabel, selection
from leeway_operators.verify.core.finding import Finding
from leeway_operators.verify.core.grafana import DashboardError, of_dashboards
from leeway_operators.verify.core.uses import Manifest, Use, of_gates, of_rules

MONITORS = ("PodMonitor", "ServiceMonitor")


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What the cluster holds.

    Attributes:
        objects: of the release, by kind; a kind that is left out is not there.
        selecting: every Prometheus and Alertmanager of the cluster, by kind.
        namespaces: labels of each namespace.
        refused: kinds that may not be read, and what the API server says to that.
    """

    objects: Mapping[str, Sequence[Manifest]]
    selecting: Mapping[str, Sequence[Manifest]] = field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def of(self, *kinds: str) -> list[Manifest]:
        """All of some kinds."""
        return [found for kind in kinds for found in self.objects.get(kind, ())]


class Prometheus(Protocol):
    """What is asked of the Prometheus that scrapes the release."""

    def count(self, selector: str) -> int:
        """How many series it has of a selector now."""

    def declarers(self, family: str) -> Sequence[str]:
        """Jobs whose targets say in their metadata that they have a family of metrics."""

    def targets(self) -> Sequence[Mapping[str, Any]]:
        """`activeTargets` of /api/v1/targets."""

    def groups(self) -> Sequence[Mapping[str, Any]]:
        """`groups` of /api/v1/rules."""

    def alertmanagers(self) -> Sequence[str]:
        """Base addresses of the Alertmanagers that it tells."""

    def configuration(self, alertmanager: str) -> str | None:
        """What an Alertmanager runs with, or None if it cannot be reached."""


@dataclass(frozen=True)
class _Live:
    prometheus: Prometheus
    monitors: Sequence[Manifest]

    def count(self, selector: str) -> int:
        return self.prometheus.count(selector)

    def declarers(self, family: str) -> Sequence[str]:
        return self.prometheus.declarers(family)

    def drops(self, job: str, metric: str) -> bool:
        return relabel.drops(self.monitors, job, metric)


def prove(
    inventory: Inventory, prometheus: Prometheus, contract: Mapping[str, frozenset[str]] | None = None
) -> list[Finding]:
    """Everything that is in use, and whether it is there.

    Args:
        inventory: of the release.
        prometheus: that scrapes it.
        contract: labels of each metric that Leeway's own programs have.
    """
    findings = [_refused(kind, why) for kind, why in inventory.refused.items()]
    uses, faults = _uses(inventory)
    findings += faults
    off = list(parts.left_out(inventory.of("ConfigMap"), inventory.of("Deployment")))
    findings += metrics.check(uses, _Live(prometheus, inventory.of(*MONITORS)), off, contract or {})
    chosen = list(
        selection.check(
            inventory.of(*MONITORS, "PrometheusRule", "AlertmanagerConfig"), inventory.selecting, inventory.namespaces
        )
    )
    unseen = {finding.what for finding in chosen if finding.verdict == "missing"}

    def seen(*kinds: str) -> list[Manifest]:
        return [found for found in inventory.of(*kinds) if f"{found['kind']} {selection.place(found)}" not in unseen]

    findings += chosen
    findings += loaded.targets(seen(*MONITORS), prometheus.targets())
    findings += loaded.rules(seen("PrometheusRule"), prometheus.groups())
    findings += _alerting(inventory, prometheus, seen("AlertmanagerConfig"))
    findings += loaded.autoscalers(inventory.of("HorizontalPodAutoscaler"))
    return findings


def _refused(kind: str, why: str) -> Finding:
    what = f"{kind} objects"
    return Finding(kind="source", what=what, verdict="missing", why=why, next=f"kubectl auth can-i list {kind.lower()}")


def _uses(inventory: Inventory) -> tuple[list[Use], list[Finding]]:
    uses = [*of_rules(inventory.of("PrometheusRule")), *of_gates(inventory.of("ModelRollout"))]
    faults = []
    for config_map in inventory.of("ConfigMap"):
        try:
            uses += of_dashboards([config_map])
        except DashboardError as error:
            faults.append(Finding(kind="expression", what=str(error), verdict="missing"))
    return uses, faults


def _alerting(inventory: Inventory, prometheus: Prometheus, configs: Sequence[Manifest]) -> Iterator[Finding]:
    alerts = any(
        "alert" in rule
        for found in inventory.of("PrometheusRule")
        for group in found.get("spec", {}).get("groups", [])
        for rule in group.get("rules", [])
    )
    if not alerts and not configs:
        return
    known = prometheus.alertmanagers()
    yield loaded.alertmanagers(known)
    running = next((text for one in known if (text := prometheus.configuration(one)) is not None), None)
    yield from loaded.receivers(configs, running, inventory.of("Event"))
