"""Objects of models beside the one that `make up` installs, made from that one's own; pure."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]
FAULT = "FAULT"
"""Environment variable of the faulty server image: what goes wrong (tests/faults/README.md)."""


@dataclass(frozen=True)
class Site:
    """Where a model of its own lives: a name that is unique on the gateway, and a namespace that it admits."""

    name: str
    namespace: str

    @property
    def hostname(self) -> str:
        """What it is called by; under the wildcard that the gateway has a certificate for."""
        return f"{self.name}.leeway.internal"

    @property
    def path(self) -> str:
        """Where it takes V2 requests."""
        return f"/v2/models/{self.name}/infer"

    def metadata(self, name: str = "") -> Manifest:
        """Metadata of an object of it, by default of the one that has its name."""
        return {"name": name or self.name, "namespace": self.namespace}


def rollout(
    base: Manifest,
    site: Site,
    *,
    model: Mapping[str, str],
    runtime: str,
    strategy: Mapping[str, Any],
    capture: Mapping[str, Any] | None = None,
) -> Manifest:
    """Return a ModelRollout with what the chart gave another one, but for what is named here.

    Args:
        base: the other one, as the API server has it.
        site: whose it is.
        model: `storageUri`, `version` and `digest`.
        runtime: name of a ServingRuntime of its namespace.
        strategy: how a new version takes over.
        capture: how the detector sees its traffic; None: as the other's.
    """
    spec = copy.deepcopy(base["spec"])
    spec["model"] |= dict(model)
    spec["model"].pop("env", None)
    spec["endpoint"]["hostnames"] = [site.hostname]
    spec |= {"runtime": runtime, "strategy": dict(strategy), "paused": False}
    if capture is not None:
        spec["capture"] = dict(capture)
    return {
        "apiVersion": base["apiVersion"],
        "kind": base["kind"],
        "metadata": site.metadata(),
        "spec": spec,
    }


def runtime(base: Manifest, site: Site, name: str, *, image: str | None = None, fault: str | None = None) -> Manifest:
    """Return a copy of a ServingRuntime, with another image of the server and the fault that it is to have."""
    spec = copy.deepcopy(base["spec"])
    (container,) = (entry for entry in spec["containers"] if entry["name"] == "kserve-container")
    if image is not None:
        container["image"] = image
    if fault is not None:
        others = [entry for entry in container.get("env", []) if entry["name"] != FAULT]
        container["env"] = [*others, {"name": FAULT, "value": fault}]
    return {"apiVersion": base["apiVersion"], "kind": base["kind"], "metadata": site.metadata(name), "spec": spec}


def pod_monitor(base: Manifest, name: str, models: Sequence[str], *, interval: str) -> Manifest:
    """Return a copy of the PodMonitor of model servers, for other models, scraped at another interval.

    Args:
        base: the chart's, which lists its own models.
        name: of the copy, in the same namespace.
        models: whose pods it selects.
        interval: between two scrapes, such as `1s`.
    """
    spec = copy.deepcopy(base["spec"])
    spec["selector"] = {"matchExpressions": [{"key": "leeway.dev/model", "operator": "In", "values": list(models)}]}
    spec["podMetricsEndpoints"] = [endpoint | {"interval": interval} for endpoint in spec["podMetricsEndpoints"]]
    return {
        "apiVersion": base["apiVersion"],
        "kind": base["kind"],
        "metadata": {"name": name, "namespace": base["metadata"]["namespace"]},
        "spec": spec,
    }


def monitor_of_servers(monitors: Sequence[Manifest]) -> Manifest:
    """Return the one PodMonitor that carries a slot's labels over: that of model servers.

    Raises:
        LookupError: there is none, or more than one.
    """
    found = [entry for entry in monitors if "leeway.dev/slot" in entry["spec"].get("podTargetLabels", [])]
    if len(found) != 1:
        names = ", ".join(entry["metadata"]["name"] for entry in found) or "none"
        raise LookupError(f"PodMonitors that carry leeway.dev/slot over: {names}; exactly one was expected")
    return found[0]
