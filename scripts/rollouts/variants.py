"""Versions of the flights model to release: one as good as the first, and servers with a fault for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import demo, lifecycle, paths
from cluster.fetch import debian
from images.build import build

GOOD_VERSION, BAD_VERSION = "1.0.1", "1.0.2"


@dataclass(frozen=True)
class Variants:
    """Images that are on the node.

    Attributes:
        stable: what `make up` released.
        good: the same model, trained and bundled again under another version.
        bad: likewise; what is bad about it is the server that it is released with.
        faulty_server: reference of the server image that reads FAULT.
    """

    stable: demo.ModelImage
    good: demo.ModelImage
    bad: demo.ModelImage
    faulty_server: str


def prepare(cluster: paths.ClusterPaths) -> Variants:
    """Make what is missing of them and give it to the node.

    Raises:
        CommandFailedError: training, building or importing failed.
        PermissionError: an image has to be built and this is not root.
    """
    models = [demo.image(demo.train(version)) for version in (demo.VERSION, GOOD_VERSION, BAD_VERSION)]
    server = build("onnx-server-faulty")
    give(cluster, [*(model.archive for model in models), server.archive])
    stable, good, bad = models
    return Variants(stable, good, bad, server.reference)


def give(cluster: paths.ClusterPaths, archives: Sequence[Path]) -> None:
    """Give image archives to the node.

    Raises:
        CommandFailedError: it refused one.
    """
    programs = debian.unpack(lifecycle.DEBIAN_PACKAGES)
    for archive in archives:
        lifecycle.import_image(cluster, programs, archive)
