"""The images of this repository, each named by the content that it was built from."""

import hashlib
import json
import re
import shutil
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import paths
from cluster.fetch import debian
from cluster.locked import locked
from cluster.shell import run
from images import base, buildah, oci

_MEGABYTE = 1_000_000
# Of what a model's image holds besides the model: which Debian it is of, its record and its licence.
_PAPERS = "usr/lib/os-release", debian.RECORDS / "busybox-static", "usr/share/doc/busybox-static/copyright"


@dataclass(frozen=True)
class Image:
    """What an image is built from, as paths in the repository, and how large it may be.

    Attributes:
        package: the folder of its Containerfile.
        sources: what the Containerfile copies.
        limit: bytes of the uncompressed image at most.
        target: the stage of the Containerfile that is the image; the last by default.
    """

    package: str
    sources: tuple[str, ...]
    limit: int
    target: str | None = None

    @property
    def containerfile(self) -> str:
        """Its recipe."""
        return f"{self.package}/Containerfile"


@dataclass(frozen=True)
class Built:
    """An image in an archive that `ctr images import` and `docker load` read; `bytes` is its uncompressed size."""

    reference: str
    archive: Path
    bytes: int


class ImageTooLargeError(RuntimeError):
    """An image grew over its limit."""


def _image(package: str, *others: str, megabytes: int, target: str | None = None) -> Image:
    own = (f"{package}/pyproject.toml", f"{package}/uv.lock", f"{package}/src")
    return Image(package, (*own, *others, "scripts/images/trim.py"), megabytes * _MEGABYTE, target)


IMAGES = {
    "onnx-server": _image("model/serving", megabytes=300),
    "operators": _image("operators", "operators/README.md", megabytes=210),
    "drift-detector": _image(
        "drift-detector",
        "drift-detector/alibi/pyproject.toml",
        "drift-detector/alibi/src",
        "drift-detector/alibi/numba",
        "drift-detector/alibi/transformers",
        "drift-detector/alibi/uv.lock",
        megabytes=500,
    ),
    "drift-detector-native": _image("drift-detector", megabytes=250, target="native"),
    "training": _image(
        "model/training",
        "model/training/examples",
        "drift-detector/pyproject.toml",
        "drift-detector/src",
        megabytes=500,
    ),
}

# Built by name only, for tests: no part of what is shipped.
TEST_IMAGES = {
    "onnx-server-faulty": _image("tests/faults", "model/serving/pyproject.toml", "model/serving/src", megabytes=300),
}


def build(name: str) -> Built:
    """Return the image `name`, built unless an archive of the same content is there. Building needs root.

    The tag is the package's version and the hash of the Containerfile, its sources, the base and uv.

    Raises:
        CommandFailedError: the build failed; the message names the log.
        ImageTooLargeError: it is over its limit.
        ValueError: there is no image of that name.
    """
    image, folder = _recipe(name), paths.cache() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"), tempfile.TemporaryDirectory(dir=folder) as temporary:
        context = Path(temporary)
        stage(
            image, paths.REPOSITORY, context
        )  # what is hashed is what is built, whatever happens to the files meanwhile
        starts = {"BASE": base.base_image(), "UV": _uv_image(folder)}
        content = content_hash(context, [reference for reference, _ in starts.values()])
        version = tomllib.loads((context / image.package / "pyproject.toml").read_text())["project"]["version"]
        reference = f"docker.io/leeway/{name}:{version}-{content}"
        archive = folder / f"{name}-{content}.tar"
        if not archive.exists():
            log = paths.cache() / "logs" / f"image-{name}.log"
            buildah.build(
                context / image.containerfile,
                context,
                archive=archive,
                reference=reference,
                starts=starts,
                log=log,
                target=image.target,
            )
        _remove_others(archive, name)
    check_size(name, archive.stat().st_size)
    return Built(reference, archive, archive.stat().st_size)


def build_model(bundle: Path, name: str) -> Built:
    """Return the image that gives `bundle` to KServe as storageUri oci://<reference>. Needs no root.

    Raises:
        CommandFailedError: Debian's busybox could not be fetched.
        ValueError: the bundle has no manifest.json with a version, or one of the names cannot be part of a reference.
    """
    reference = model_reference(bundle, name)
    archive = paths.cache() / "images" / f"model-{name}-{reference.rpartition(':')[2]}.tar"
    busybox, papers = model_tools()
    oci.modelcar_image(archive, reference, bundle, busybox=busybox, papers=papers)
    return Built(reference, archive, archive.stat().st_size)


def model_tools() -> tuple[Path, dict[str, Path]]:
    """Return Debian's static busybox, and what travels with it in a model's image, by its path there.

    Raises:
        CommandFailedError: it could not be fetched.
    """
    root = debian.unpack(["base-files", "busybox-static"], records=True)
    return root / "bin/busybox", {f"/{path}": root / path for path in _PAPERS}


def model_reference(bundle: Path, name: str) -> str:
    """Return the image name of a bundle; its tag is the version and the first 12 hex digits of the bundle's digest.

    Raises:
        ValueError: the bundle has no manifest.json with a version.
    """
    version, digest = bundle_identity(bundle)
    return f"docker.io/leeway/model-{name}:{version}-{digest.removeprefix('sha256:')[:12]}"


def bundle_identity(bundle: Path) -> tuple[str, str]:
    """Return the version and the digest ("sha256:…", of the manifest's canonical JSON) of a bundle.

    Raises:
        ValueError: the bundle has no manifest.json with a version.
    """
    manifest = _manifest(bundle)
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return manifest["version"], f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _manifest(bundle: Path) -> dict[str, Any]:
    file = bundle / "manifest.json"
    try:
        manifest = json.loads(file.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{file}: expected a bundle's manifest: {error}") from error
    if not (isinstance(manifest, dict) and isinstance(manifest.get("version"), str)):
        raise ValueError(f"{file}: expected an object with a string `version`")  # noqa: TRY004 - a fault in a file
    return manifest


def stage(image: Image, repository: Path, context: Path) -> None:
    """Copy the Containerfile and the sources to `context`, so that a build sees nothing that is not in its hash.

    Raises:
        FileNotFoundError: one of them is not in the repository.
    """
    for source in (image.containerfile, *image.sources):
        target = context / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (repository / source).is_dir():
            shutil.copytree(repository / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(repository / source, target)


def content_hash(context: Path, starts: list[str]) -> str:
    """Return 12 hex digits that stand for every file of `context` and the images that the build starts from."""
    digest = hashlib.sha256("\n".join(starts).encode())
    for path in sorted(path for path in context.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(context).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def check_size(name: str, size: int) -> None:
    """Hold an image to its limit: what grows unseen is paid at every start on a new node.

    Raises:
        ImageTooLargeError: `size`, in bytes, is over it.
    """
    limit = _recipe(name).limit
    if size > limit:
        raise ImageTooLargeError(
            f"image {name}: {size / _MEGABYTE:.0f} MB, expected at most {limit / _MEGABYTE:.0f} MB"
        )


def _recipe(name: str) -> Image:
    known = IMAGES | TEST_IMAGES
    if name not in known:
        raise ValueError(f"image {name!r}: expected one of {', '.join(known)}")
    return known[name]


def _uv_image(folder: Path) -> tuple[str, Path]:
    """Return an image that holds the uv of this machine, as ghcr.io/astral-sh/uv holds its own."""
    version = run([paths.uv(), "--version"]).split()[1]
    reference, archive = f"docker.io/leeway/uv:{version}", folder / "base" / f"uv-{version}.tar"
    if not archive.exists():
        oci.static_image(archive, reference, {"/uv": paths.uv()}, entrypoint=["/uv"])
    return reference, archive


def _remove_others(archive: Path, name: str) -> None:
    for other in archive.parent.glob(f"{name}-*.tar"):
        if other != archive and re.fullmatch(rf"{name}-[0-9a-f]{{12}}\.tar", other.name):
            other.unlink()
