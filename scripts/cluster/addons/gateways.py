"""Which implementation of the Gateway API `make up` brings: the one that GATEWAY names, Envoy Gateway by default."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.addons import gateway, traefik
from cluster.addons.images import AddonImage
from cluster.addons.kube import Kube
from cluster.choice import Choice
from cluster.progress import Step


@dataclass(frozen=True)
class Implementation:
    """What brings one.

    Attributes:
        name: of its GatewayClass, which is what GATEWAY says.
        title: what people call it.
        images: of its programs, by the name of the step that makes them; functions, since to know an image is to have
            built the program in it.
        install: brings it into a cluster that has the Gateway API's kinds.
        values: what the chart has to be told.
    """

    name: str
    title: str
    images: Mapping[str, Callable[[], list[AddonImage]]]
    install: Callable[[Kube, Step], None]
    values: Mapping[str, Any] = field(default_factory=dict)


_ALL = (
    Implementation(
        name=gateway.CLASS,
        title="Envoy Gateway",
        images={"envoy-gateway": gateway.controller_images, "envoy": gateway.proxy_images},
        install=gateway.install_envoy_gateway,
    ),
    Implementation(
        name=traefik.CLASS,
        title="Traefik",
        images={"traefik": traefik.images},
        install=traefik.install,
        values={
            "gateway": {"className": traefik.CLASS, "envoy": {"enabled": False}},
            "networkPolicy": {"gatewayNamespace": traefik.NAMESPACE},
        },
    ),
)
CHOICE = Choice("GATEWAY", {one.name: one for one in _ALL})
DEFAULT = _ALL[0]
