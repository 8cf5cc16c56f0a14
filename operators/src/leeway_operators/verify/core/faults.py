"""The faults that are injected, one per alert that needs nothing but Kubernetes to fire."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from leeway_operators.verify.core.proof import Inventory
from leeway_operators.verify.core.selection import place
from leeway_operators.verify.core.uses import Manifest

# A Deployment's pods end within their grace period, which is 75 s for a model server; then a scrape has to miss them.
_PODS_END = 105.0
# The Prometheus Operator writes a new configuration, the sidecar has it loaded, and the first scrape fails.
_NEW_SCRAPE = 120.0
_FAILING = "leeway-verify"


@dataclass(frozen=True)
class Scale:
    """A Deployment to a number of replicas."""

    namespace: str
    name: str
    replicas: int = 0

    def __str__(self) -> str:
        return f"kubectl -n {self.namespace} scale deployment {self.name} --replicas={self.replicas}"


@dataclass(frozen=True)
class Create:
    """A PodMonitor that was not there."""

    body: Manifest

    def __str__(self) -> str:
        return f"create PodMonitor {place(self.body)}"


@dataclass(frozen=True)
class Delete:
    """The PodMonitor is gone again."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"kubectl -n {self.namespace} delete podmonitor {self.name}"


Change = Scale | Create | Delete


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to make one alert fire.

    Attributes:
        alert: its name.
        change: that injects the fault.
        notice: seconds from the change until the alert's expression holds, at most.
        hurts: who suffers from it meanwhile.
        labels: that the alert has, so that another one of the same name is not taken for it.
    """

    alert: str
    change: Scale | Create
    notice: float
    hurts: str
    labels: Mapping[str, str] = field(default_factory=dict)


def faults(inventory: Inventory) -> list[Fault]:
    """What can be injected into a release."""
    return [*_of_platform(inventory), *_of_models(inventory), *_of_targets(inventory)]


def _of_platform(inventory: Inventory) -> Iterator[Fault]:
    hurt = {
        "drift-detector": (
            "DetectorDown",
            "nothing is judged, rollouts that need its evidence hold, and KServe's agents keep events in memory",
        ),
        "operator": ("OperatorNotReconciling", "no rollout moves, neither forward nor back"),
    }
    for found in inventory.of("Deployment"):
        component = found["metadata"].get("labels", {}).get("app.kubernetes.io/component")
        if component in hurt:
            alert, hurts = hurt[component]
            where = found["metadata"]["namespace"]
            change = Scale(where, found["metadata"]["name"])
            yield Fault(alert=alert, change=change, notice=_PODS_END, hurts=hurts, labels={"namespace": where})


def _of_models(inventory: Inventory) -> Iterator[Fault]:
    for rollout in inventory.of("ModelRollout"):
        namespace, name = rollout["metadata"]["namespace"], rollout["metadata"]["name"]
        slot = ((rollout.get("status") or {}).get("stable") or {}).get("slot")
        if slot:
            yield Fault(
                alert="ModelNotLoaded",
                change=Scale(namespace, f"{name}-{slot}-predictor"),
                notice=_PODS_END,
                hurts=f"model {name} answers nobody",
                labels={"model_namespace": namespace, "model": name},
            )
            return  # one model shows it; the others go on


def _of_targets(inventory: Inventory) -> Iterator[Fault]:
    monitors = sorted(inventory.of("PodMonitor"), key=lambda found: not place(found).endswith("-operator"))
    for monitor in monitors[:1]:
        yield Fault(
            alert="TargetDown",
            change=Create(_failing(monitor)),
            notice=_NEW_SCRAPE,
            hurts="nobody",
            labels={"namespace": monitor["metadata"]["namespace"]},
        )


def _failing(monitor: Manifest) -> dict[str, Any]:
    """The same pods under the same job once more, asked in a way that they do not answer."""
    spec = copy.deepcopy(dict(monitor["spec"]))
    for endpoint in spec["podMetricsEndpoints"]:
        endpoint["scheme"] = "https"
        endpoint["relabelings"] = [
            *endpoint.get("relabelings", []),
            {"targetLabel": "job", "replacement": place(monitor)},
            # Two series of one name would be one.
            {"targetLabel": "instance", "replacement": _FAILING},
        ]
    labels = dict(monitor["metadata"].get("labels") or {})
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"namespace": monitor["metadata"]["namespace"], "name": _FAILING, "labels": labels},
        "spec": spec,
    }
