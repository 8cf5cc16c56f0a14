"""What a cluster has of all that Leeway stands on, read from what its API server says."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Answer = Mapping[str, Any]
ENVOY_GATEWAY = "gateway.envoyproxy.io/gatewayclass-controller"
# Where upstreams write which version a kind is of: KServe nowhere.
_VERSION_ANNOTATIONS = ("gateway.networking.k8s.io/bundle-version", "operator.prometheus.io/version")
_VERSION_LABEL = "app.kubernetes.io/version"
MADE = "leeway.dev/made-by"
"""Annotation of a namespace whose release `make up` has installed, and may upgrade."""
MADE_BY = "make-up"
INSTALLING = "leeway.dev/installing"
"""Annotation of the same namespace with the parts that `make up` began to install and has not finished."""


@dataclass(frozen=True)
class Definition:
    """A kind: the version it is of, if it says one, and the API versions that are served."""

    version: str | None
    served: frozenset[str]


@dataclass(frozen=True)
class Controller:
    """A Deployment that answers for kinds."""

    namespace: str
    version: str | None


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus of the operator's.

    Attributes:
        namespace: where it is.
        name: what it is called.
        url: its address within the cluster.
        labels: what monitors and rules need to be seen by it.
        everywhere: whether it looks for them in other namespaces than its own.
    """

    namespace: str
    name: str
    url: str
    labels: Mapping[str, str]
    everywhere: bool


@dataclass(frozen=True)
class Found:
    """All of it.

    Attributes:
        kubernetes: the API server's version.
        definitions: kinds, by name.
        controllers: by part.
        gateway_classes: controller of each, by name.
        prometheuses: those that look everywhere first.
        leeway: namespaces with an operator of Leeway.
        ours: whether the release in our namespace is of `make up`.
        begun: parts that a `make up` began to install and has not finished.
        metrics: whether the metrics API is there.
    """

    kubernetes: str
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    controllers: Mapping[str, Controller] = field(default_factory=dict)
    gateway_classes: Mapping[str, str] = field(default_factory=dict)
    prometheuses: Sequence[Prometheus] = ()
    leeway: Sequence[str] = ()
    ours: bool = False
    begun: Collection[str] = ()
    metrics: bool = True


def definitions(answer: Answer) -> dict[str, Definition]:
    """Return the kinds in a list of CustomResourceDefinitions, by name."""
    return {item["metadata"]["name"]: _definition(item) for item in answer["items"]}


def _definition(item: Answer) -> Definition:
    metadata = item["metadata"]
    told = [(metadata.get("annotations") or {}).get(name) for name in _VERSION_ANNOTATIONS]
    told.append((metadata.get("labels") or {}).get(_VERSION_LABEL))
    return Definition(
        version=_first_version(told),
        served=frozenset(version["name"] for version in item["spec"]["versions"] if version["served"]),
    )


def controllers(answer: Answer) -> dict[str, Controller]:
    """Return who answers for the parts' kinds, in a list of Deployments."""
    found = {}
    for item in answer["items"]:
        if part := _part(item["metadata"].get("labels") or {}):
            found[part] = Controller(item["metadata"]["namespace"], _version(item))
    return found


def _part(labels: Mapping[str, str]) -> str | None:
    if labels.get("control-plane") == "envoy-gateway":
        return "envoy-gateway"
    if labels.get("control-plane") == "kserve-controller-manager":
        return "kserve"
    if labels.get("app.kubernetes.io/name") == "cert-manager" and (
        labels.get("app.kubernetes.io/component", "controller") == "controller"
    ):
        return "cert-manager"
    return None


def _version(deployment: Answer) -> str | None:
    images = [container["image"] for container in deployment["spec"]["template"]["spec"]["containers"]]
    # The tag is what runs; the label is what a chart calls it.
    tags = [image.partition("@")[0].rpartition("/")[2].partition(":")[2] for image in images]
    return _first_version([*tags, (deployment["metadata"].get("labels") or {}).get(_VERSION_LABEL)])


def _first_version(told: Iterable[str | None]) -> str | None:
    # Not `latest`, a branch or a commit, which cannot be compared.
    return next((version for version in told if version and re.match(r"v?\d+\.\d+", version)), None)


def leeways(answer: Answer) -> list[str]:
    """Return the namespaces with an operator of Leeway, in a list of Deployments."""
    wanted = {"app.kubernetes.io/part-of": "leeway", "app.kubernetes.io/component": "operator"}
    return sorted(
        item["metadata"]["namespace"]
        for item in answer["items"]
        if wanted.items() <= (item["metadata"].get("labels") or {}).items()
    )


def gateway_classes(answer: Answer) -> dict[str, str]:
    """Return the controller of each GatewayClass, in a list of them."""
    return {item["metadata"]["name"]: item["spec"]["controllerName"] for item in answer["items"]}


def prometheuses(answer: Answer) -> list[Prometheus]:
    """Return each Prometheus in a list of the operator's objects, those first that look everywhere."""
    found = [_prometheus(item) for item in answer["items"]]
    return sorted(found, key=lambda one: (not one.everywhere, one.namespace, one.name))


def _prometheus(item: Answer) -> Prometheus:
    spec, namespace = item["spec"], item["metadata"]["namespace"]
    labels: dict[str, str] = {}
    for kind in ("podMonitor", "rule"):
        labels |= (spec.get(f"{kind}Selector") or {}).get("matchLabels") or {}
    return Prometheus(
        namespace=namespace,
        name=item["metadata"]["name"],
        # The operator makes this Service for every Prometheus that does not name another.
        url=f"http://{spec.get('serviceName') or 'prometheus-operated'}.{namespace}.svc:9090"
        + (spec.get("routePrefix") or "").rstrip("/"),
        labels=labels,
        # Left out is its own namespace; empty is any.
        everywhere=all(spec.get(f"{kind}NamespaceSelector") is not None for kind in ("podMonitor", "rule")),
    )


def is_ours(namespace: Answer | None) -> bool:
    """Whether `make up` marked the namespace (None if there is none)."""
    return _annotation(namespace, MADE) == MADE_BY


def begun(namespace: Answer | None) -> list[str]:
    """Return the parts that `make up` began to install, of the namespace's annotation."""
    return [part for part in _annotation(namespace, INSTALLING).split(",") if part]


def _annotation(namespace: Answer | None, name: str) -> str:
    annotations: Mapping[str, str] = ((namespace or {}).get("metadata") or {}).get("annotations") or {}
    return annotations.get(name, "")
