"""All add-ons together: their images, and the steps that build, load and install them, side by side where they can."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from cluster.addons import adapter, certificates, gateway, gateways, kserve, kubernetes, monitoring
from cluster.addons.gateways import Implementation
from cluster.addons.images import AddonImage
from cluster.addons.kube import Kube
from cluster.box.network import Addresses
from cluster.profiles import FULL, Profile
from cluster.progress import Step

# Functions, since to know an image is to have built the program in it.
_GROUPS: Mapping[str, Callable[[], list[AddonImage]]] = MappingProxyType(
    {
        "kserve": kserve.images,
        "cert-manager": certificates.images,
        "monitoring": monitoring.images,
        "kubernetes": kubernetes.images,
    }
)
# Made of what the node needs too (its binary, Debian's packages): after it, never at the same time.
_AFTER_NODE = ("envoy", "kubernetes")


def steps(
    kube: Kube,
    load: Callable[[list[Path]], object],
    addresses: Callable[[], Addresses],
    *,
    needs: Collection[str] = (),
    profile: Profile = FULL,
    gateway_api: Implementation = gateways.DEFAULT,
) -> list[Step]:
    """Return the steps that bring every add-on of the profile from its source to its service.

    Args:
        kube: the cluster.
        load: gives image archives to its containerd.
        addresses: its address plan, asked once it stands.
        needs: the steps after which the cluster stands; most programs are built before that.
        profile: which of the add-ons.
        gateway_api: what serves the kinds of the Gateway API.
    """
    archives: dict[str, list[Path]] = {}
    groups = {**gateway_api.images, **_GROUPS}

    def make(group: str) -> Step:
        def work(_: Step) -> None:
            archives[group] = [image.build() for image in groups[group]()]

        return Step(f"image {group}", work, needs if group in _AFTER_NODE else ())

    def bring(group: str) -> Step:
        return Step(f"load {group}", lambda _: load(archives[group]), after(f"image {group}"))

    def after(*names: str) -> tuple[str, ...]:
        return (*needs, *names)

    # In the order in which they are started when there is room: first what others wait for, or what takes long.
    planned = [
        *(make(group) for group in groups),
        bring("kubernetes"),
        bring("cert-manager"),
        Step(
            "CoreDNS",
            lambda step: kubernetes.install_coredns(kube, addresses().dns, step),
            after("load kubernetes"),
        ),
        Step("cert-manager", lambda step: certificates.install(kube, step), after("load cert-manager")),
        Step("Prometheus Operator's kinds", lambda step: monitoring.install_definitions(kube, step), after()),
        bring("monitoring"),
        Step(
            "Prometheus",
            lambda step: monitoring.install(kube, step),
            after("load monitoring", "Prometheus Operator's kinds", "CoreDNS", "storage class"),
        ),
        Step("Gateway API", lambda step: gateway.install_gateway_api(kube, step), after()),
        Step(
            "KServe's kinds", lambda step: kserve.install_definitions(kube, profile.kserve_definitions, step), after()
        ),
        *(bring(group) for group in gateway_api.images),
        Step(
            gateway_api.title,
            lambda step: gateway_api.install(kube, step),
            after(*(f"load {group}" for group in gateway_api.images), "Gateway API", "CoreDNS"),
        ),
        bring("kserve"),
        Step(
            "KServe",
            lambda step: kserve.install(kube, step),
            after("load kserve", "KServe's kinds", "cert-manager"),
        ),
        Step("metrics-server", lambda step: kubernetes.install_metrics_server(kube, step), after("load kubernetes")),
        Step("storage class", lambda _: kubernetes.install_storage_class(kube), after()),
    ]
    if profile.custom_metrics:
        planned.append(
            Step(
                "custom metrics",
                lambda step: adapter.install(kube, step),
                after("load kubernetes", "Prometheus"),
            )
        )
    return planned
