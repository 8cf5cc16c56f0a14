"""Asking a cluster what it has."""

import json
from typing import Any

from cluster import demo
from cluster.addons.kube import Kube
from cluster.context import found
from cluster.context.decide import KINDS

_METRICS = "v1beta1.metrics.k8s.io"


def survey(kube: Kube) -> found.Found:
    """Return what the cluster has of all that Leeway stands on; nothing is changed.

    Raises:
        CommandFailedError: it does not answer, or these rights do not let one look.
    """
    definitions = found.definitions(_list(kube, "customresourcedefinitions", *KINDS))
    deployments = _list(kube, "deployments", "--all-namespaces")
    gateways = "httproutes.gateway.networking.k8s.io" in definitions
    watched = "prometheuses.monitoring.coreos.com" in definitions
    everywhere = "--all-namespaces"
    ours = namespace(kube)
    return found.Found(
        kubernetes=json.loads(kube.kubectl("version", "--output=json"))["serverVersion"]["gitVersion"],
        definitions=definitions,
        controllers=found.controllers(deployments),
        gateway_classes=found.gateway_classes(_list(kube, "gatewayclasses")) if gateways else {},
        prometheuses=found.prometheuses(_list(kube, "prometheuses", everywhere)) if watched else (),
        leeway=found.leeways(deployments),
        ours=found.is_ours(ours),
        begun=found.begun(ours),
        metrics=bool(_list(kube, "apiservices", _METRICS)["items"]),
    )


def namespace(kube: Kube) -> dict[str, Any] | None:
    """Return Leeway's namespace; None if there is none."""
    items = _list(kube, "namespaces", demo.NAMESPACE)["items"]
    return items[0] if items else None


def _list(kube: Kube, kind: str, *arguments: str) -> dict[str, Any]:
    printed = kube.kubectl("get", kind, *arguments, "--ignore-not-found", "--output=json")
    if not printed.strip():  # of names none of which is there
        return {"items": []}
    answer: dict[str, Any] = json.loads(printed)
    return answer if answer["kind"].endswith("List") else {"items": [answer]}
