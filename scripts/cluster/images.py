"""The node's own images."""

from pathlib import Path

from cluster import paths
from cluster.node.components import PAUSE_IMAGE
from images.oci import static_image


def pause(program: Path) -> Path:
    """Return the archive of the image that holds a pod's namespaces; made once per `program`."""
    archive = paths.cache() / "images" / f"pause-{program.parent.name}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        static_image(archive, PAUSE_IMAGE, {"/pause": program}, entrypoint=["/pause"])
    return archive
