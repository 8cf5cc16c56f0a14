"""Which implementation of the Gateway API `make up` brings: the one that GATEWAY names, Envoy Gateway by default."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.addons import gateway, traefik
from cluster.addons.images import AddonImage
from cluster.addons.kube import Kube
from cluster.progress import Step

_FILE = "gateway"


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
_BY_NAME = {one.name: one for one in _ALL}
DEFAULT = _BY_NAME[gateway.CLASS]


def choose(asked: str, standing: str | None) -> Implementation:
    """Return the implementation that `make up` brings.

    Args:
        asked: what GATEWAY says; empty is what the cluster has, or Envoy Gateway.
        standing: the implementation of the cluster that is up; None if none is.

    Raises:
        ValueError: there is no such implementation.
        RuntimeError: the cluster has another, which nobody would take away.
    """
    name = asked or standing or DEFAULT.name
    if name not in _BY_NAME:
        raise ValueError(f"GATEWAY={name}: expected one of {', '.join(_BY_NAME)}")
    if standing is not None and name != standing:
        raise RuntimeError(f"GATEWAY={name}: the cluster that is up has {standing}; make down first")
    return _BY_NAME[name]


def remember(state: Path, implementation: Implementation) -> None:
    """Keep with the cluster what it was started with."""
    (state / _FILE).write_text(implementation.name, encoding="utf-8")


def remembered(state: Path) -> str:
    """Return what the cluster of this state folder was started with."""
    file = state / _FILE
    return file.read_text(encoding="utf-8") if file.exists() else DEFAULT.name
