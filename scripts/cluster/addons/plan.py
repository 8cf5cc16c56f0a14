"""All add-ons together: their images, and the steps that install them, side by side where they can."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from cluster.addons import certificates, gateway, kserve, kubernetes, monitoring
from cluster.addons.images import AddonImage
from cluster.addons.kube import Kube
from cluster.progress import Step

# Functions, since to know an image is to have built the program in it: each may run beside the others.
IMAGE_GROUPS: Mapping[str, Callable[[], list[AddonImage]]] = MappingProxyType(
    {
        "envoy-gateway": gateway.controller_images,
        "kserve": kserve.images,
        "cert-manager": certificates.images,
        "envoy": gateway.proxy_images,
        "kubernetes": kubernetes.images,
    }
)
_NOTHING: Mapping[str, str] = MappingProxyType({})


def images() -> list[AddonImage]:
    """Return every add-on's images, with the programs in them built."""
    return [image for group in IMAGE_GROUPS.values() for image in group()]


def steps(kube: Kube, *, dns: str, needs: Collection[str] = (), loaded: Mapping[str, str] = _NOTHING) -> list[Step]:
    """Return the steps that install every add-on.

    Args:
        kube: the cluster.
        dns: its DNS address, which its kubelets tell every pod.
        needs: the steps after which its API serves.
        loaded: image group → the step after which the node has its images; none if `needs` cover that.
    """

    def after(*names: str, groups: Collection[str] = ()) -> tuple[str, ...]:
        return (*needs, *names, *(loaded[group] for group in groups if group in loaded))

    return [
        Step("storage class", lambda _: kubernetes.install_storage_class(kube), after()),
        Step(
            "CoreDNS",
            lambda step: kubernetes.install_coredns(kube, dns, step),
            after(groups=["kubernetes"]),
        ),
        Step("Gateway API", lambda step: gateway.install_gateway_api(kube, step), after()),
        Step("KServe's kinds", lambda step: kserve.install_definitions(kube, step), after()),
        Step("cert-manager", lambda step: certificates.install(kube, step), after(groups=["cert-manager"])),
        Step(
            "Envoy Gateway",
            lambda step: gateway.install_envoy_gateway(kube, step),
            after("Gateway API", "CoreDNS", groups=["envoy-gateway", "envoy"]),
        ),
        Step(
            "KServe",
            lambda step: kserve.install(kube, step),
            after("KServe's kinds", "cert-manager", groups=["kserve"]),
        ),
        Step("Prometheus Operator's kinds", lambda step: monitoring.install_definitions(kube, step), after()),
        Step(
            "metrics-server",
            lambda step: kubernetes.install_metrics_server(kube, step),
            after(groups=["kubernetes"]),
        ),
    ]
