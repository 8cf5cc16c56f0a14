"""A folder that carries the images to a site without a way out."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from images.build import Built
from supply import prerequisites
from supply.manifests import image_values


def save(folder: Path, built: Mapping[str, Built], sboms: Mapping[str, Path], others: Mapping[str, list[str]]) -> None:
    """Write each image and its SBOM to `folder`, with values that name them, and a list of checksums.

    Images of others are listed in prerequisites.txt and not copied: they lie in registries, none of which is asked.

    `sha256sum --check SHA256SUMS` in the folder tells whether all of it arrived.

    Args:
        folder: is made; what is in it already stays.
        built: an image's name → its archive.
        sboms: an image's name → its SBOM.
        others: a prerequisite's name → its images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, image in built.items():
        archive, sbom = folder / f"{name}.tar", folder / f"{name}.cdx.json"
        shutil.copyfile(image.archive, archive)
        shutil.copyfile(sboms[name], sbom)
        files += [archive, sbom]
    listing = folder / "images.txt"
    listing.write_text("".join(f"{image.reference}\n" for image in built.values()), encoding="utf-8")
    missing = folder / "prerequisites.txt"
    missing.write_text(prerequisites.text(others), encoding="utf-8")
    values = folder / "values.yaml"
    tags = {name: image.reference.rpartition(":")[2] for name, image in built.items()}
    values.write_text(yaml.safe_dump({"images": image_values(tags)}), encoding="utf-8")
    sums = [f"{_sha256(file)}  {file.name}\n" for file in (*files, listing, missing, values)]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
