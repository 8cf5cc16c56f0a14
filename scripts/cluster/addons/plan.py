"""All add-ons together: their images, and the steps that install them, side by side where they can."""

from collections.abc import Callable, Collection

from cluster.addons import certificates, gateway, kserve, kubernetes, monitoring
from cluster.addons.images import AddonImage
from cluster.addons.kube import Kube
from cluster.progress import Step

# Each builds programs, so that they are functions: they are called, and may run side by side, when images are wanted.
IMAGE_GROUPS: dict[str, Callable[[], list[AddonImage]]] = {
    "kubernetes": kubernetes.images,
    "cert-manager": certificates.images,
    "envoy-gateway": gateway.images,
    "kserve": kserve.images,
}


def images() -> list[AddonImage]:
    """Return every add-on's images, with the programs in them built."""
    return [image for group in IMAGE_GROUPS.values() for image in group()]


def steps(kube: Kube, *, dns: str, needs: Collection[str] = ()) -> list[Step]:
    """Return the steps that install every add-on.

    Args:
        kube: the cluster; its containerd has the images already.
        dns: the cluster's DNS address, which its kubelets tell every pod.
        needs: what must be done before any of them starts.
    """
    first = tuple(needs)

    def after(*names: str) -> tuple[str, ...]:
        return (*first, *names)

    return [
        Step("CoreDNS", lambda step: kubernetes.install_coredns(kube, dns, step), first),
        Step("storage class", lambda _: kubernetes.install_storage_class(kube), first),
        Step("Gateway API", lambda step: gateway.install_gateway_api(kube, step), first),
        Step("cert-manager", lambda step: certificates.install(kube, step), first),
        Step("KServe's kinds", lambda step: kserve.install_definitions(kube, step), first),
        Step("metrics-server", lambda step: kubernetes.install_metrics_server(kube, step), first),
        Step("Prometheus Operator's kinds", lambda step: monitoring.install_definitions(kube, step), first),
        Step("Envoy Gateway", lambda step: gateway.install_envoy_gateway(kube, step), after("Gateway API", "CoreDNS")),
        Step("KServe", lambda step: kserve.install(kube, step), after("KServe's kinds", "cert-manager")),
    ]
