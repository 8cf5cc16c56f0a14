"""A Prometheus of a few series, and objects of a cluster as the API server lists them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leeway_operators.verify.core.promql import Matcher, read

Labels = Mapping[str, str]
Manifest = dict[str, Any]


def series(name: str, **labels: str) -> Labels:
    return {"__name__": name, **labels}


@dataclass
class FakePrometheus:
    """Counts selectors over its series as Prometheus does."""

    held: Sequence[Labels] = ()
    declared: Mapping[str, Sequence[str]] = field(default_factory=dict)
    active: Sequence[Mapping[str, Any]] = ()
    loaded: Sequence[Mapping[str, Any]] = ()
    tells: Sequence[str] = ("http://10.0.0.9:9093",)
    runs: str | None = ""
    dropped: frozenset[tuple[str, str]] = frozenset()

    def count(self, selector: str) -> int:
        (asked,) = read(selector).reads
        return sum(
            re.fullmatch(asked.metric, one["__name__"]) is not None and all(_fits(one, m) for m in asked.matchers)
            for one in self.held
        )

    def declarers(self, family: str) -> Sequence[str]:
        return self.declared.get(family, ())

    def drops(self, job: str, metric: str) -> bool:
        return (job, metric) in self.dropped

    def targets(self) -> Sequence[Mapping[str, Any]]:
        return self.active

    def groups(self) -> Sequence[Mapping[str, Any]]:
        return self.loaded

    def alertmanagers(self) -> Sequence[str]:
        return self.tells

    def configuration(self, alertmanager: str) -> str | None:
        return self.runs if alertmanager in self.tells else None


def _fits(one: Labels, matcher: Matcher) -> bool:
    value = one.get(matcher.label, "")
    if matcher.operator in ("=", "!="):
        return (value == matcher.value) is (matcher.operator == "=")
    return (re.fullmatch(matcher.value, value) is not None) is (matcher.operator == "=~")


def manifest(kind: str, name: str, spec: Manifest | None = None, **more: Any) -> Manifest:
    labels = {"app.kubernetes.io/part-of": "leeway", "release": "prometheus"}
    metadata = {"namespace": "models", "name": name, "labels": labels}
    return {"kind": kind, "metadata": metadata, "spec": spec or {}, **more}


def rules(*rules: Manifest, name: str = "leeway") -> Manifest:
    return manifest("PrometheusRule", name, {"groups": [{"name": "g", "rules": list(rules)}]})


def alert(name: str, expression: str, **annotations: str) -> Manifest:
    return {"alert": name, "expr": expression, "annotations": annotations}


def prometheus(
    selector: Manifest | None, namespaces: Manifest | None = None, *, kind: str = "Prometheus", of: str = "pod"
) -> Manifest:
    """A Prometheus that chooses PodMonitors (`of` pod) or PrometheusRules (`of` rule) by labels."""
    prefix = {"pod": "podMonitor", "rule": "rule", "alertmanagerConfig": "alertmanagerConfig"}[of]
    spec = {} if selector is None else {f"{prefix}Selector": selector}
    if namespaces is not None:
        spec[f"{prefix}NamespaceSelector"] = namespaces
    return {"kind": kind, "metadata": {"namespace": "monitoring", "name": "main"}, "spec": spec}


def target(pool: str, health: str = "up", error: str = "", **labels: str) -> Manifest:
    return {
        "scrapePool": pool,
        "health": health,
        "lastError": error,
        "labels": labels,
        "scrapeUrl": "http://10.0.0.1/metrics",
    }
