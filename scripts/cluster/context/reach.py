"""A context of the user's kubeconfig: whether it is there, and what kind of nodes its cluster has."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster import paths
from cluster.addons.kube import Kube

_MINIKUBE = "minikube.k8s.io/name"
_KIND = "kind://"
# What starts the cluster that a context of this name is usually of.
_PREFIXES = (("kind-", "kind create cluster --name {rest}"), ("k3d-", "k3d cluster create {rest}"))


class NoContextError(RuntimeError):
    """The kubeconfig has no context of that name."""


def kubeconfig(environment: Mapping[str, str]) -> Path:
    """Return the user's kubeconfig as kubectl finds it; of a list of them, the list."""
    return Path(environment.get("KUBECONFIG") or Path(environment.get("HOME", "/root")) / ".kube/config")


def require(name: str, kube: Kube) -> None:
    """See that the context is there; nothing is started.

    Raises:
        NoContextError: it is not; the message has the command that makes it, or the contexts that there are.
    """
    known = kube.kubectl("config", "get-contexts", "--output=name").split()
    if name not in known:
        raise NoContextError(absent(name, known, str(kube.kubeconfig)))


def absent(name: str, known: Collection[str], where: str) -> str:
    """Return what to say about a context that is not there."""
    start = starts(name)
    hint = f"start the cluster with: {start}" if start else f"expected one of: {', '.join(sorted(known)) or 'none yet'}"
    return f"CONTEXT={name}: no such context in {where}; {hint}"


def starts(name: str) -> str:
    """Return the command that starts the cluster of a context of this name; empty if the name does not tell."""
    if name == "minikube":
        return "minikube start --cpus 2 --memory 6g --addons metrics-server"
    for prefix, command in _PREFIXES:
        if name.startswith(prefix) and len(name) > len(prefix):
            return command.format(rest=name.removeprefix(prefix))
    return ""


@dataclass(frozen=True)
class Nodes:
    """Nodes that take images without a registry.

    Attributes:
        kind: minikube, kind or built-in.
        name: what the command of that kind calls the cluster.
        engine: the container engine that kind's nodes are containers of.
    """

    kind: str
    name: str
    engine: str = ""


def nodes(answer: Mapping[str, Any], server: str, built_in: Mapping[str, str]) -> Nodes | None:
    """Return what nodes a cluster has, as they say it themselves; None if they take images from a registry only.

    Args:
        answer: a list of Nodes.
        server: the API server's address.
        built_in: the API servers' addresses of the clusters that `make up` made here, by the clusters' names.
    """
    for name, address in built_in.items():
        if address == server:
            return Nodes("built-in", name)
    for item in answer["items"]:
        if profile := (item["metadata"].get("labels") or {}).get(_MINIKUBE):
            # A node's own name would do for the first only.
            return Nodes("minikube", profile)
        provider = item["spec"].get("providerID", "")
        if provider.startswith(_KIND):
            engine, name, _ = provider.removeprefix(_KIND).split("/", 2)
            return Nodes("kind", name, engine)
    return None


def nodes_of(kube: Kube) -> Nodes | None:
    """Ask a cluster what nodes it has; None if they take images from a registry only."""
    server = kube.kubectl("config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}")
    return nodes(json.loads(kube.kubectl("get", "nodes", "--output=json")), server.strip(), built_in())


def built_in() -> dict[str, str]:
    """Return the API servers' addresses of the clusters that `make up` made on this machine, by name."""
    found = {}
    for file in sorted((paths.cache() / "clusters").glob("*/kubeconfig")):
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        found[file.parent.name] = str(config["clusters"][0]["cluster"]["server"])
    return found
