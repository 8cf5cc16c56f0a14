"""How images come to a cluster's nodes: through a registry, or by being given to them."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cluster import lifecycle, paths
from cluster.context.engines import Maker
from cluster.context.reach import Nodes
from cluster.fetch import debian
from cluster.shell import run

DEFAULT_REGISTRY = "docker.io"
Run = Callable[[list[str | Path]], str]


class Carrier(Protocol):
    """Brings an image to where the nodes find it. `registry` is what its name begins with there."""

    @property
    def registry(self) -> str:
        """Host, port and path that the chart is told."""

    def carry(self, maker: Maker, reference: str) -> str:
        """Bring an image and return its reference there."""


class NoWayError(RuntimeError):
    """The nodes take images from a registry, and none was named."""


@dataclass(frozen=True)
class Registry:
    """IMAGE_REGISTRY: host, port and path, such as "ghcr.io/acme"."""

    registry: str

    def carry(self, maker: Maker, reference: str) -> str:
        """Push it, below the same name."""
        target = f"{self.registry}/{reference.partition('/')[2]}"
        maker.push(reference, target)
        return target


@dataclass(frozen=True)
class Loaded:
    """Nodes that take an archive."""

    nodes: Nodes
    run: Run
    registry: str = DEFAULT_REGISTRY

    def carry(self, maker: Maker, reference: str) -> str:
        """Give it to the nodes."""
        with tempfile.TemporaryDirectory() as folder:
            archive = maker.archive(reference, Path(folder))
            if self.nodes.kind == "built-in":
                lifecycle.import_image(
                    paths.ClusterPaths(self.nodes.name), debian.unpack(lifecycle.DEBIAN_PACKAGES), archive
                )
            else:
                self.run(load_command(self.nodes, archive))
        return reference


def load_command(nodes: Nodes, archive: Path) -> list[str | Path]:
    """Return what gives an archive to the nodes of minikube or kind."""
    if nodes.kind == "minikube":
        return ["minikube", "image", "load", archive, "--profile", nodes.name]
    # kind asks Docker unless it is told otherwise.
    return ["env", f"KIND_EXPERIMENTAL_PROVIDER={nodes.engine}", "kind", "load", "image-archive", archive,
            "--name", nodes.name]  # fmt: skip


def carrier(context: str, nodes: Nodes | None, registry: str, asked: Run) -> Carrier:
    """Return how images come to the nodes.

    Args:
        context: of the kubeconfig.
        nodes: nodes that take archives; None if these do not.
        registry: IMAGE_REGISTRY; it goes first.
        asked: runs `<engine> info`.

    Raises:
        NoWayError: there is none.
        CommandFailedError: the engine that the nodes are containers of does not answer.
    """
    if registry:
        return Registry(registry.rstrip("/"))
    if nodes is None:
        raise NoWayError(
            f"CONTEXT={context}: its nodes take images from a registry only; name one that they can read and you can "
            f"write: make up CONTEXT={context} IMAGE_REGISTRY=registry.example.com/team"
        )
    if nodes.engine:
        asked([nodes.engine, "info"])
    return Loaded(nodes, run)
