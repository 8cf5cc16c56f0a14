"""Images of the add-ons: one static binary each, or Envoy with the few libraries it is linked to."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cluster import paths
from images import oci

_PATH = "/usr/local/bin"


@dataclass(frozen=True)
class AddonImage:
    """An image that holds `files` (path in the image → file here) and starts `entrypoint`.

    The archive's name is a hash of everything that goes in, so it is written once and never stale. `files` lie in
    folders of the cache that are themselves named by content; their paths stand for them.
    """

    reference: str
    files: Mapping[str, Path]
    entrypoint: Sequence[str]
    links: Mapping[str, str] = field(default_factory=dict)

    def build(self, folder: Path | None = None) -> Path:
        """Return the archive, written unless it is there; older ones of the same image are removed.

        Args:
            folder: where archives are kept; by default with all images in the cache.

        Raises:
            FileNotFoundError: a file of the image is missing.
        """
        folder = folder or paths.cache() / "images"
        name = self.reference.rpartition("/")[2].partition(":")[0]
        archive = folder / f"addon-{name}-{self._key()}.tar"
        if archive.exists():
            return archive
        oci.static_image(
            archive,
            self.reference,
            self.files,
            entrypoint=self.entrypoint,
            links=self.links,
            environment={"PATH": _PATH},
        )
        for stale in folder.glob(f"addon-{name}-{'?' * 12}.tar"):
            if stale != archive:
                stale.unlink()
        return archive

    def _key(self) -> str:
        content = {
            "reference": self.reference,
            "files": {path: str(source) for path, source in self.files.items()},
            "entrypoint": list(self.entrypoint),
            "links": dict(self.links),
        }
        writer = Path(oci.__file__).read_bytes()
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode() + writer).hexdigest()[:12]


def program(reference: str, binary: Path, names: Sequence[str], *, entrypoint: str | None = None) -> AddonImage:
    """Return the image of a static binary that is on PATH under `names`; the first is the file, the others links."""
    first, *others = (f"{_PATH}/{name}" for name in names)
    return AddonImage(reference, {first: binary}, [entrypoint or first], links=dict.fromkeys(others, first))
