"""KServe in Standard mode, from its own charts."""

from typing import Any

import yaml

from cluster import versions
from cluster.addons import sources
from cluster.addons.images import AddonImage, program
from cluster.addons.kube import Kube, Manifest
from cluster.fetch import golang
from cluster.progress import Step, wait_until

_NAMESPACE = "kserve"
_MANAGER = "kserve-controller-manager"
_GUARDED = "--metrics-addr=127.0.0.1:8080"
_SERVING_RUNTIME: Manifest = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "ServingRuntime",
    "metadata": {"name": "probe", "namespace": "default"},
    "spec": {
        "supportedModelFormats": [{"name": "probe", "version": "1"}],
        "containers": [{"name": "kserve-container", "image": "docker.io/leeway/probe:1"}],
    },
}


def images() -> list[AddonImage]:
    """The images of the controller and of the agent that KServe puts beside a server to log its traffic."""
    folder = golang.build("kserve", [f"github.com/kserve/kserve/cmd/{name}" for name in ("manager", "agent")])
    return [
        AddonImage(_reference("controller"), {"/manager": folder / "manager"}, ["/manager"]),
        program(_reference("agent"), folder / "agent", ["agent"]),
    ]


def install_definitions(kube: Kube, chart: str, step: Step) -> None:
    """Install KServe's kinds: with their schemas (chart kserve-crd), or without (kserve-crd-minimal)."""
    kube.apply_definitions(
        kube.render(chart, sources.files("kserve") / "charts" / chart, namespace=_NAMESPACE), step=step
    )


def install(kube: Kube, step: Step) -> None:
    """Install KServe's controller and return once its webhooks answer.

    Raises:
        TimeoutError: they did not.
    """
    chart = sources.files("kserve") / "charts/kserve-resources"
    text = kube.render("kserve", chart, namespace=_NAMESPACE, values=chart_values())
    manifests = fit([document for document in yaml.safe_load_all(text) if document])
    kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}}, *manifests])
    wait_until(lambda: kube.accepts(_SERVING_RUNTIME), seconds=180, what="KServe's webhook", step=step)
    kube.wait(f"deployment/{_MANAGER}", "condition=Available", namespace=_NAMESPACE, seconds=60, step=step)


def chart_values() -> dict[str, Any]:
    """Return the values of the chart kserve-resources."""
    version = versions.modules()["kserve"].version
    return {
        "kserve": {
            "version": version,
            "agent": {"image": _repository("agent")},
            "inferenceservice": {
                "resources": {
                    "requests": {"cpu": "50m", "memory": "128Mi"},
                    "limits": {"cpu": "1", "memory": "512Mi"},
                }
            },
            "controller": {
                "deploymentMode": "Standard",
                "image": _repository("controller"),
                "imagePullPolicy": "IfNotPresent",
                # At the chart's limit of 100m it takes a minute to start.
                "resources": {
                    "requests": {"cpu": "50m", "memory": "128Mi"},
                    "limits": {"cpu": "1", "memory": "512Mi"},
                },
                "gateway": {"disableIstioVirtualHost": True},
            },
        }
    }


def fit(manifests: list[Manifest]) -> list[Manifest]:
    """Return KServe's manifests fit for this cluster, in two points that its chart has no value for.

    The proxy that guards its metrics is left out (there is no image of it; they are open within the cluster instead),
    and its readiness is asked at once: the chart waits half a minute before it looks.

    Raises:
        ValueError: the chart no longer holds what is changed here.
    """
    deployments = [m for m in manifests if m["kind"] == "Deployment" and m["metadata"]["name"] == _MANAGER]
    if len(deployments) != 1:
        raise ValueError(f"chart kserve-resources: expected one Deployment {_MANAGER}, found {len(deployments)}")
    pod = deployments[0]["spec"]["template"]["spec"]
    containers = {container["name"]: container for container in pod["containers"]}
    if containers.keys() != {"manager", "kube-rbac-proxy"}:
        raise ValueError(
            f"chart kserve-resources: expected containers manager and kube-rbac-proxy, found {sorted(containers)}"
        )
    manager = containers["manager"]
    if manager["args"].count(_GUARDED) != 1:
        raise ValueError(f"chart kserve-resources: expected the argument {_GUARDED}, found {manager['args']}")
    manager["args"][manager["args"].index(_GUARDED)] = "--metrics-addr=:8080"
    manager["readinessProbe"].update(initialDelaySeconds=1, periodSeconds=1, failureThreshold=60)
    pod["containers"] = [manager]
    return manifests


def _repository(name: str) -> str:
    return f"docker.io/leeway/kserve-{name}"


def _reference(name: str) -> str:
    return f"{_repository(name)}:{versions.modules()['kserve'].version}"
