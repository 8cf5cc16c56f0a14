"""Which objects no Prometheus and no Alertmanager selects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leeway_operators.verify.core.finding import Finding
from leeway_operators.verify.core.uses import Manifest


@dataclass(frozen=True)
class Selected:
    """A kind that takes effect only if another one selects it.

    Attributes:
        kind: of the object.
        selector: field of whoever selects it, for its labels.
        namespaces: field for the labels of its namespace.
        by: the kind that selects.
    """

    kind: str
    selector: str
    namespaces: str
    by: str


SELECTED = (
    Selected("PodMonitor", "podMonitorSelector", "podMonitorNamespaceSelector", "Prometheus"),
    Selected("ServiceMonitor", "serviceMonitorSelector", "serviceMonitorNamespaceSelector", "Prometheus"),
    Selected("PrometheusRule", "ruleSelector", "ruleNamespaceSelector", "Prometheus"),
    Selected("AlertmanagerConfig", "alertmanagerConfigSelector", "alertmanagerConfigNamespaceSelector", "Alertmanager"),
)


def check(
    objects: Iterable[Manifest],
    selecting: Mapping[str, Sequence[Manifest]],
    namespaces: Mapping[str, Mapping[str, str]],
) -> Iterator[Finding]:
    """Whether each object is selected.

    Args:
        objects: of the kinds in `SELECTED`; others are passed over.
        selecting: the Prometheus and Alertmanager objects of the cluster, by kind.
        namespaces: labels of each namespace.
    """
    kinds = {selected.kind: selected for selected in SELECTED}
    for found in objects:
        if found["kind"] in kinds:
            yield _one(found, kinds[found["kind"]], selecting, namespaces)


def _one(
    found: Manifest,
    kind: Selected,
    selecting: Mapping[str, Sequence[Manifest]],
    namespaces: Mapping[str, Mapping[str, str]],
) -> Finding:
    namespace, name = found["metadata"]["namespace"], found["metadata"]["name"]
    candidates = selecting.get(kind.by, ())
    by = [place(one) for one in candidates if _selects(one, kind, found, namespaces)]
    what = f"{kind.kind} {namespace}/{name}"
    if by:
        return Finding(kind="object", what=what, verdict="found", used_by=tuple(f"{kind.by} {one}" for one in by))
    if not candidates:
        why = f"there is no {kind.by} object in the cluster"
        return Finding(kind="object", what=what, verdict="missing", why=why, next=f"kubectl get {kind.by.lower()} -A")
    one = candidates[0]
    where = f"-n {one['metadata']['namespace']} {one['metadata']['name']}"
    return Finding(
        kind="object",
        what=what,
        verdict="missing",
        why=f"no {kind.by} selects it: {place(one)} wants {_asked(one, kind)}",
        next=f"set monitoring.labels, or change kubectl edit {kind.by.lower()} {where}",
    )


def place(found: Manifest) -> str:
    """namespace/name."""
    return f"{found['metadata']['namespace']}/{found['metadata']['name']}"


def _asked(one: Manifest, kind: Selected) -> str:
    spec = one.get("spec", {})
    return f"{kind.selector} {spec.get(kind.selector)}, {kind.namespaces} {spec.get(kind.namespaces)}"


def _selects(one: Manifest, kind: Selected, found: Manifest, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
    spec, metadata = one.get("spec", {}), found["metadata"]
    wanted, where = spec.get(kind.selector), spec.get(kind.namespaces)
    # No selector selects nothing; no namespace selector is the namespace of whoever selects, an empty one all.
    if wanted is None or not matches(wanted, metadata.get("labels") or {}):
        return False
    if where is None:
        return bool(metadata["namespace"] == one["metadata"]["namespace"])
    return matches(where, namespaces.get(metadata["namespace"], {}))


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels fulfil a Kubernetes label selector."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_fulfilled(expression, labels) for expression in selector.get("matchExpressions") or [])


def _fulfilled(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(
        f"a label selector's operator is In, NotIn, Exists or DoesNotExist, not {expression['operator']!r}"
    )
