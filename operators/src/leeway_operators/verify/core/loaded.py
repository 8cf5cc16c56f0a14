"""What Prometheus and Alertmanager made of the objects that they select: targets, rules, receivers."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from leeway_operators.verify.core.finding import Finding, Verdict
from leeway_operators.verify.core.selection import place
from leeway_operators.verify.core.uses import Manifest

_POOLS = {"PodMonitor": "podMonitor", "ServiceMonitor": "serviceMonitor"}
# Without replicas, without a Deployment.
_IDLE = frozenset({"ScalingDisabled", "FailedGetScale"})


def targets(monitors: Iterable[Manifest], active: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Whether each PodMonitor and ServiceMonitor has targets, and each of them answers.

    Args:
        monitors: those that a Prometheus selects.
        active: `activeTargets` of /api/v1/targets.
    """
    for monitor in monitors:
        pool = f"{_POOLS[monitor['kind']]}/{place(monitor)}/"
        own = [target for target in active if target["scrapePool"].startswith(pool)]
        what = f"targets of {monitor['kind']} {place(monitor)}"
        if not own:
            labels = ",".join(f"{key}={value}" for key, value in _wanted(monitor).items())
            look = f"kubectl get pods -A -l '{labels}'" if labels else f"kubectl describe {monitor['kind'].lower()}"
            why = "it selects nothing that runs"
            yield Finding(kind="target", what=what, verdict="missing", why=why, next=look)
            continue
        up = sum(target["health"] == "up" for target in own)
        if up == len(own):
            yield Finding(kind="target", what=what, verdict="found", why=f"{up} up")
        for target in own:
            if target["health"] != "up":
                yield _silent(target)


def _wanted(monitor: Manifest) -> Mapping[str, str]:
    return monitor.get("spec", {}).get("selector", {}).get("matchLabels") or {}


def _silent(target: Mapping[str, Any]) -> Finding:
    labels = target["labels"]
    namespace, pod = labels.get("namespace", ""), labels.get("pod", "")
    return Finding(
        kind="target",
        what=f"target {labels.get('job', '')} {pod or labels.get('instance', '')}",
        verdict="missing",
        why=target.get("lastError") or f"its health is {target['health']}: it was not scraped yet",
        next=f"kubectl -n {namespace} describe pod {pod}" if pod else f"curl {target.get('scrapeUrl', '')}",
    )


def rules(objects: Iterable[Manifest], groups: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Whether each group of each PrometheusRule is loaded, and each of its rules can be evaluated.

    Args:
        objects: PrometheusRules that a Prometheus selects.
        groups: `groups` of /api/v1/rules.
    """
    for found in objects:
        namespace, name = found["metadata"]["namespace"], found["metadata"]["name"]
        # The Prometheus Operator writes one file per object, named after it and its uid.
        file = re.compile(rf"(^|/){re.escape(namespace)}-{re.escape(name)}(-[0-9a-f]{{8}}-[0-9a-f-]{{27}})?\.ya?ml$")
        loaded = {group["name"]: group for group in groups if file.search(group.get("file", ""))}
        for group in found.get("spec", {}).get("groups", []):
            yield from _group(place(found), group, loaded.get(group["name"]))


def _group(of: str, wanted: Mapping[str, Any], loaded: Mapping[str, Any] | None) -> Iterator[Finding]:
    namespace, name = of.split("/")
    what = f"group {wanted['name']} of PrometheusRule {of}"
    if loaded is None:
        yield Finding(
            kind="rule",
            what=what,
            verdict="missing",
            why="Prometheus has not loaded it: it is refused, or selected a moment ago",
            next=f"kubectl -n {namespace} describe prometheusrule {name}",
        )
        return
    ill = [rule for rule in loaded["rules"] if rule.get("health") != "ok"]
    if not ill:
        yield Finding(kind="rule", what=what, verdict="found", why=f"{len(loaded['rules'])} rules evaluated")
    for rule in ill:
        why = rule.get("lastError") or f"its health is {rule.get('health')}: it was not evaluated yet"
        look = f"kubectl -n {namespace} get prometheusrule {name} -o yaml"
        yield Finding(kind="rule", what=f"rule {rule['name']} of {of}", verdict="missing", why=why, next=look)


def alertmanagers(active: Sequence[str]) -> Finding:
    """Whether Prometheus knows whom to tell; `active` are the addresses that it has."""
    if active:
        return Finding(kind="alertmanager", what="Alertmanagers of Prometheus", verdict="found", why=", ".join(active))
    return Finding(
        kind="alertmanager",
        what="Alertmanagers of Prometheus",
        verdict="missing",
        why="Prometheus has none, so no alert reaches anybody",
        next="kubectl get prometheus -A -o jsonpath='{.items[*].spec.alerting}'",
    )


def receivers(configs: Iterable[Manifest], loaded: str | None, events: Iterable[Manifest]) -> Iterator[Finding]:
    """Whether Alertmanager routes to the receivers of each AlertmanagerConfig.

    Args:
        configs: those that an Alertmanager selects.
        loaded: the configuration that Alertmanager runs with, as it tells it; None if it could not be asked.
        events: of the AlertmanagerConfigs; the Prometheus Operator writes one where it refuses.
    """
    refused = {
        event["regarding"].get("name"): event.get("note", "") for event in events if event.get("type") == "Warning"
    }
    for config in configs:
        namespace, name = config["metadata"]["namespace"], config["metadata"]["name"]
        prefix = f"{namespace}/{name}/"
        wanted = [receiver["name"] for receiver in config.get("spec", {}).get("receivers", [])]
        missing = [one for one in wanted if loaded is not None and f"{prefix}{one}" not in loaded]
        verdict: Verdict = "found"
        why = f"{len(wanted)} receivers in the configuration that runs"
        if loaded is None:
            verdict, why = "missing", "Alertmanager could not be asked what it runs with"
        elif missing:
            note = refused.get(name) or _rejected(config)
            verdict, why = "missing", f"not in the configuration that runs: {', '.join(missing)}{note and f'; {note}'}"
        look = f"kubectl -n {namespace} describe alertmanagerconfig {name}" if verdict == "missing" else ""
        yield Finding(
            kind="alertmanager",
            what=f"receivers of AlertmanagerConfig {namespace}/{name}",
            verdict=verdict,
            why=why,
            next=look,
        )


def _rejected(config: Manifest) -> str:
    """What the Prometheus Operator wrote into the status, where it does."""
    for binding in (config.get("status") or {}).get("bindings", []):
        for condition in binding.get("conditions", []):
            if condition.get("type") == "Accepted" and condition.get("status") == "False":
                return str(condition.get("message", ""))
    return ""


def autoscalers(objects: Iterable[Manifest]) -> Iterator[Finding]:
    """Whether each HorizontalPodAutoscaler is told the metrics that others than the kubelet have to bring."""
    for found in objects:
        kinds = {"Pods": "pods", "Object": "object", "External": "external"}
        current = {_metric(told, kinds) for told in (found.get("status") or {}).get("currentMetrics") or []}
        for wanted in found.get("spec", {}).get("metrics") or []:
            if wanted["type"] not in kinds:
                continue
            name = _metric(wanted, kinds)
            what = f"{wanted['type']} metric {name} of HorizontalPodAutoscaler {place(found)}"
            if name in current:
                yield Finding(kind="autoscaler", what=what, verdict="found")
                continue
            failed = [one for one in (found.get("status") or {}).get("conditions") or [] if one["status"] == "False"]
            if any(one["reason"] in _IDLE for one in failed):
                why = "the slot is idle, and an idle slot is told nothing"
                yield Finding(kind="autoscaler", what=what, verdict="expected", why=why)
                continue
            why = failed[0]["message"] if failed else "no value is told of it"
            look = f"kubectl -n {found['metadata']['namespace']} describe hpa {found['metadata']['name']}"
            yield Finding(kind="autoscaler", what=what, verdict="missing", why=why, next=look)


def _metric(told: Mapping[str, Any], kinds: Mapping[str, str]) -> str:
    return str((told.get(kinds.get(told["type"], "")) or {}).get("metric", {}).get("name", ""))
