"""Reads an image's files out of its archive, without running or unpacking it."""

import hashlib
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


@dataclass(frozen=True)
class Image:
    """What an archive holds of one image.

    Attributes:
        reference: its full name, "registry/repository:tag".
        digest: of its configuration, "sha256:…", which names every layer; it is the same in each kind of archive.
        architecture: "amd64", …
        files: path in the image → content, of the files that were asked for.
        links: path in the image → target, of every symbolic link that was asked for.
    """

    reference: str
    digest: str
    architecture: str
    files: Mapping[str, bytes]
    links: Mapping[str, str]


def read(archive: Path, wanted: Callable[[str], bool]) -> Image:
    """Return the image in `archive` with those files that a container of it would see.

    Args:
        archive: what `docker save`, buildah and `images.oci` write: a tar with Docker's manifest.json.
        wanted: tells of a path without the leading slash whether it is to be read.

    Raises:
        ValueError: not such an archive, or it holds several images, or a layer is not there.
    """
    try:
        with tarfile.open(archive) as tar:
            manifests = json.loads(_member(tar, "manifest.json", archive))
            if not isinstance(manifests, list) or len(manifests) != 1 or not manifests[0].get("RepoTags"):
                raise ValueError(f"{archive}: expected one image with a name in manifest.json")
            manifest: dict[str, Any] = manifests[0]
            config = _member(tar, manifest["Config"], archive)
            files: dict[str, bytes] = {}
            links: dict[str, str] = {}
            for name in manifest["Layers"]:
                source = tar.extractfile(_find(tar, name, archive))
                assert source is not None  # noqa: S101 - _find gives a file
                with source, tarfile.open(fileobj=source) as layer:
                    _apply(layer, wanted, files, links)
    except tarfile.ReadError as error:
        raise ValueError(f"{archive}: expected the archive of an image: {error}") from error
    return Image(
        reference=manifest["RepoTags"][0],
        digest=f"sha256:{hashlib.sha256(config).hexdigest()}",
        architecture=json.loads(config)["architecture"],
        files=files,
        links=links,
    )


def _apply(
    layer: tarfile.TarFile, wanted: Callable[[str], bool], files: dict[str, bytes], links: dict[str, str]
) -> None:
    """Lay a layer over what is below it; a whiteout hides, whether or not what it hides was wanted."""
    for member in layer:
        path = PurePosixPath(member.name.removeprefix("/"))
        name = str(path)
        if path.name == _OPAQUE:
            _hide(f"{path.parent}/", files, links)
        elif path.name.startswith(_WHITEOUT):
            hidden = str(path.with_name(path.name.removeprefix(_WHITEOUT)))
            _hide(f"{hidden}/", files, links)
            files.pop(hidden, None)
            links.pop(hidden, None)
        elif wanted(name):
            files.pop(name, None)
            links.pop(name, None)
            if member.issym():
                links[name] = member.linkname
            elif member.isreg():
                source = layer.extractfile(member)
                assert source is not None  # noqa: S101 - a regular file has content
                files[name] = source.read()


def _hide(prefix: str, files: dict[str, bytes], links: dict[str, str]) -> None:
    for found in [path for path in files if path.startswith(prefix)]:
        del files[found]
    for found in [path for path in links if path.startswith(prefix)]:
        del links[found]


def _find(tar: tarfile.TarFile, name: str, archive: Path) -> tarfile.TarInfo:
    """Return the member `name`; buildah writes a link where Docker's older layout wants a second copy."""
    try:
        member = tar.getmember(name)
        return tar.getmember(str(PurePosixPath(name).parent / member.linkname)) if member.issym() else member
    except KeyError:
        raise ValueError(f"{archive}: expected a file {name} in it") from None


def _member(tar: tarfile.TarFile, name: str, archive: Path) -> bytes:
    source = tar.extractfile(_find(tar, name, archive))
    if source is None:
        raise ValueError(f"{archive}: expected {name} to be a file")
    return source.read()
