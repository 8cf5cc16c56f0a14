"""Container images written with the standard library: files in, an archive out, byte for byte the same every time.

An archive is an OCI image layout in a tar, with Docker's manifest.json beside it, so that `ctr images import`,
`docker load`, podman and skopeo all read it. Its layers are not compressed: an archive is read once, from the disk
next to the node.
"""

import hashlib
import io
import json
import os
import platform
import re
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO, Any, Self

_REFERENCE = re.compile(
    r"[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})"
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_EPOCH = "1970-01-01T00:00:00Z"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
# What KServe's modelcar commands call (a shell that checks, links and sleeps), and what a person needs to look around.
_MODELCAR_COMMANDS = ("[", "cat", "echo", "ln", "ls", "mkdir", "sh", "sha256sum", "sleep", "test")


@dataclass(frozen=True)
class Entry:
    """What stands at one path of an image: the content of `source`, a link to `link`, or else a folder."""

    source: Path | None = None
    link: str | None = None
    mode: int = 0o755

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the entry that copies `path`; of its mode only the executable bit is kept.

        Raises:
            ValueError: neither a file, a folder nor a symbolic link.
        """
        if path.is_symlink():
            return cls(link=str(path.readlink()))
        if path.is_dir():
            return cls()
        if path.is_file():
            return cls(source=path, mode=0o755 if os.access(path, os.X_OK) else 0o644)
        raise ValueError(f"{path}: expected a file, a folder or a symbolic link")


@dataclass(frozen=True)
class Blob:
    """A content-addressed part of an image: in memory, or in a file."""

    digest: str
    size: int
    content: bytes | Path

    @property
    def path(self) -> str:
        """Where it lies in an OCI layout."""
        return f"blobs/sha256/{self.digest}"

    def descriptor(self, media_type: str) -> dict[str, object]:
        """Return the OCI descriptor that refers to it."""
        return {"mediaType": media_type, "digest": f"sha256:{self.digest}", "size": self.size}


def static_image(
    archive: Path,
    reference: str,
    files: Mapping[str, Path],
    *,
    entrypoint: Sequence[str],
    user: str = "65532:65532",
    links: Mapping[str, str] = _NOTHING,
    folders: Sequence[tuple[Path, str]] = (),
    environment: Mapping[str, str] = _NOTHING,
) -> None:
    """Write an image that holds these files, an empty /tmp and nothing else.

    Args:
        archive: the tar to write; it appears complete or not at all.
        reference: full name, "registry/repository:tag".
        files: path in the image → file on this machine; executable if it is so here.
        entrypoint: the program and its first arguments.
        user: numeric "uid:gid", since charts ask for runAsNonRoot and there is no /etc/passwd.
        links: path in the image → target of a symbolic link.
        folders: (folder on this machine, path in the image), copied whole, links as links.
        environment: variables of the process.

    Raises:
        ValueError: the reference is not full or is `latest`, or a path is given twice.
    """
    entries: list[tuple[str, Entry]] = [("/tmp", Entry(mode=0o1777))]  # noqa: S108 - the image's, not this machine's
    for folder, destination in folders:
        entries.extend(tree(folder, destination))
    entries.extend((path, Entry.of(source.resolve(strict=True))) for path, source in files.items())
    entries.extend((path, Entry(link=target)) for path, target in links.items())
    config = {
        "Entrypoint": list(entrypoint),
        "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
        "User": user,
        "WorkingDir": "/",
    }
    write_image(archive, reference, [layer(entries)], config)


def modelcar_image(
    archive: Path, reference: str, bundle: Path, *, busybox: Path, papers: Mapping[str, Path] = _NOTHING
) -> None:
    """Write the image that KServe runs beside the server to give it `bundle` (storageUri oci://reference).

    KServe brings the command and the user, so the image has no entrypoint: a static `busybox` under the names those
    commands use, in a layer that every model shares, and the bundle under /models.

    Args:
        archive: the tar to write; it appears complete or not at all.
        reference: full name, "registry/repository:tag".
        bundle: the folder of the model.
        busybox: the program.
        papers: path in the image → file, of what travels with the program: its licence, what it is for scanners.

    Raises:
        ValueError: the bundle is no folder with files, or the reference is not full or is `latest`.
    """
    if not bundle.is_dir() or not any(bundle.iterdir()):
        raise ValueError(f"{bundle}: expected a folder that holds a model")
    tools = [("/bin/busybox", Entry.of(busybox))]
    tools.extend((f"/bin/{command}", Entry(link="busybox")) for command in _MODELCAR_COMMANDS)
    tools.extend((path, Entry.of(file)) for path, file in papers.items())
    config = {"Env": ["PATH=/bin"], "User": "65532:65532", "WorkingDir": "/"}
    write_image(archive, reference, [layer(tools), layer(tree(bundle, "/models"))], config)


def layer(entries: Iterable[tuple[str, Entry]]) -> dict[str, Entry]:
    """Return the entries by their path in the image without the leading slash, with every folder above them.

    Raises:
        ValueError: a path is relative, climbs out, or is given twice with different content.
    """
    found: dict[str, Entry] = {}
    for path, entry in entries:
        pure = PurePosixPath(path)
        if not pure.is_absolute() or ".." in pure.parts or pure == PurePosixPath("/"):
            raise ValueError(f"path {path!r} in the image: expected an absolute one below /, without '..'")
        name = str(pure)[1:]
        if found.setdefault(name, entry) != entry:
            raise ValueError(f"path {path!r} in the image is given twice, with different content")
    for name in list(found):
        for parent in list(PurePosixPath(name).parents)[:-1]:
            found.setdefault(str(parent), Entry())
    return found


def write_image(
    archive: Path, reference: str, layers: Sequence[Mapping[str, Entry]], config: Mapping[str, object]
) -> None:
    """Write an image of these layers with `config` (the OCI image configuration's `config` object).

    Raises:
        ValueError: the reference is not full or is `latest`.
    """
    check_reference(reference)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=f".{archive.name}.") as work:
        blobs = [_layer_blob(entries, Path(work) / f"layer{number}") for number, entries in enumerate(layers)]
        image = _json_blob(
            {
                "created": _EPOCH,
                "architecture": architecture(),
                "os": "linux",
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{blob.digest}" for blob in blobs]},
            }
        )
        manifest = _json_blob(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST_TYPE,
                "config": image.descriptor(_CONFIG_TYPE),
                "layers": [blob.descriptor(_LAYER_TYPE) for blob in blobs],
            }
        )
        # containerd takes the whole name from its own annotation; the tag is what the specification asks for.
        names = {
            "io.containerd.image.name": reference,
            "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
        }
        index = {
            "schemaVersion": 2,
            "mediaType": _INDEX_TYPE,
            "manifests": [{**manifest.descriptor(_MANIFEST_TYPE), "annotations": names}],
        }
        docker = [{"Config": image.path, "RepoTags": [reference], "Layers": [blob.path for blob in blobs]}]
        finished = Path(work) / "archive"
        with tarfile.open(finished, "w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, "oci-layout", _canonical({"imageLayoutVersion": "1.0.0"}))
            _add(tar, "index.json", _canonical(index))
            _add(tar, "manifest.json", _canonical(docker))
            for blob in sorted(
                {blob.digest: blob for blob in (image, manifest, *blobs)}.values(), key=lambda b: b.digest
            ):
                _add(tar, blob.path, blob.content)
        finished.rename(archive)


def check_reference(reference: str) -> None:
    """Refuse a name that a node would have to guess the rest of.

    Raises:
        ValueError: not "registry/repository:tag", or the tag is `latest`.
    """
    match = _REFERENCE.fullmatch(reference)
    if not match or match["tag"] == "latest":
        raise ValueError(
            f"image reference {reference!r}: expected registry/repository:tag, with a tag other than latest"
        )


def architecture() -> str:
    """Return this machine's architecture by its OCI name."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def tree(folder: Path, destination: str) -> list[tuple[str, Entry]]:
    """Return an entry for everything below `folder`, at `destination` in the image.

    Raises:
        ValueError: no folder, or something in it is neither file, folder nor link.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: expected a folder")
    base = destination.rstrip("/")
    return [(f"{base}/{path.relative_to(folder).as_posix()}", Entry.of(path)) for path in sorted(folder.rglob("*"))]


def _layer_blob(entries: Mapping[str, Entry], file: Path) -> Blob:
    with file.open("wb") as raw, tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, entry in sorted(entries.items()):
            info = tarfile.TarInfo(name)  # owner root and modification time 0 are its defaults
            info.mode = entry.mode
            if entry.link is not None:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
                tar.addfile(info)
            elif entry.source is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                with entry.source.open("rb") as content:
                    info.size = os.fstat(content.fileno()).st_size
                    tar.addfile(info, content)
    with file.open("rb") as content:
        return Blob(hashlib.file_digest(content, "sha256").hexdigest(), file.stat().st_size, file)


def _json_blob(document: object) -> Blob:
    content = _canonical(document)
    return Blob(hashlib.sha256(content).hexdigest(), len(content), content)


def _canonical(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    opened: IO[bytes] = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
    with opened:
        info.size = len(content) if isinstance(content, bytes) else content.stat().st_size
        tar.addfile(info, opened)
