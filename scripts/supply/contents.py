"""Which packages an image holds, as its own files tell: Python's metadata and Debian's records."""

import gzip
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import Literal

from supply.archives import Image

_METADATA = re.compile(r"(?:^|/)[^/]+\.dist-info/METADATA$")
_STATUS = "var/lib/dpkg/status"
_STATUS_FOLDER = "var/lib/dpkg/status.d/"
_RELEASE = ("etc/os-release", "usr/lib/os-release")
_DOCUMENTS = "usr/share/doc/"


@dataclass(frozen=True)
class Package:
    """One package of an image.

    Attributes:
        kind: by whom it is packaged, as a package URL says it.
        name: as it calls itself; Python's by its normal form.
        version: None where the image does not tell.
        stated: what its metadata says about its licence, in the order of how much it is worth.
        locations: the folders that it was found in.
    """

    kind: Literal["pypi", "deb"]
    name: str
    version: str | None
    stated: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()


@dataclass(frozen=True)
class System:
    """The operating system of an image, after its os-release."""

    id: str
    version: str
    codename: str


def wanted(path: str) -> bool:
    """Tell whether a file of an image is one that the functions here read."""
    return (
        _METADATA.search(path) is not None
        or path == _STATUS
        or path.startswith((_STATUS_FOLDER, _DOCUMENTS))
        or path in _RELEASE
    )


def system(image: Image) -> System | None:
    """Return the operating system; None if the image names none."""
    text = next((image.files[path] for path in _RELEASE if path in image.files), None)
    if text is None:
        return None
    pairs = (line.split("=", 1) for line in text.decode().splitlines() if "=" in line)
    fields = {key: value.strip('"') for key, value in pairs}
    return System(fields.get("ID", "linux"), fields.get("VERSION_ID", ""), fields.get("VERSION_CODENAME", ""))


def packages(image: Image, base: Mapping[str, str | None]) -> list[Package]:
    """Return every package, sorted; one that lies in several environments at one version is one, with each location.

    Debian's packages are those of dpkg's records: one file, or one per package in status.d as in images without a
    package manager.

    Args:
        image: read with `wanted`.
        base: name and version of the Debian packages that an image without such records stands on.

    Raises:
        ValueError: a METADATA without name or version; the message names the file.
    """
    found: dict[tuple[str, str, str | None], Package] = {}
    for package in (*_python(image), *_debian(image, base)):
        key = (package.kind, package.name, package.version)
        known = found.get(key)
        locations = (*known.locations, *package.locations) if known else package.locations
        found[key] = replace(package, locations=tuple(sorted(locations)))
    return sorted(found.values(), key=lambda package: (package.kind, package.name, package.version or ""))


def _python(image: Image) -> Iterator[Package]:
    for path, content in image.files.items():
        if not _METADATA.search(path):
            continue
        # The description behind the first empty line is text for people and may hold anything.
        fields = message_from_bytes(content.partition(b"\n\n")[0])
        name, version = fields["Name"], fields["Version"]
        if not name or not version:
            raise ValueError(f"{path} in {image.reference}: expected Name and Version")
        folder = str(PurePosixPath(path).parent.parent)
        yield Package("pypi", re.sub(r"[-_.]+", "-", name).lower(), version, _stated(fields), (f"/{folder}",))


def _stated(fields: Message) -> tuple[str, ...]:
    """What PEP 639 puts first, then the free text where it is a name and not a whole licence, then the classifiers."""
    expression, text = fields["License-Expression"], (fields["License"] or "").strip()
    classifiers = [line for line in fields.get_all("Classifier", []) if line.startswith("License :: ")]
    return (
        *([expression] if expression else []),
        *([text] if text and "\n" not in text else []),
        *(line.rpartition(" :: ")[2] for line in classifiers),
    )


def changelog_versions(root: Path, names: Collection[str]) -> dict[str, str | None]:
    """Return the version of each Debian package in an unpacked tree: the first line of its changelog.

    None for one that has its changelog in another package (Debian links the folders) which is not there.
    """
    return {name: _changelog_version(root / _DOCUMENTS / name) for name in names}


def _changelog_version(documents: Path) -> str | None:
    # A package that is Debian's own has no other changelog than changelog.gz.
    for name in ("changelog.Debian.gz", "changelog.gz"):
        if (documents / name).exists():
            first = gzip.decompress((documents / name).read_bytes()).decode(errors="replace").partition("\n")[0]
            found = re.match(r"\S+ \((?P<version>[^)]+)\) ", first)
            return found["version"] if found else None
    return None


def _debian(image: Image, base: Mapping[str, str | None]) -> Iterator[Package]:
    records = [
        message_from_bytes(record.encode())
        for path, content in sorted(image.files.items())
        if path == _STATUS or (path.startswith(_STATUS_FOLDER) and not path.endswith(".md5sums"))
        for record in content.decode().strip().split("\n\n")
    ]
    versions = {record["Package"]: record["Version"] for record in records}
    if not versions and any(path.startswith(_DOCUMENTS) for path in image.files):
        versions = dict(base)
    for name, version in versions.items():
        yield Package("deb", name, version, _copyright(image, name))


def _copyright(image: Image, package: str) -> tuple[str, ...]:
    """The short names of the licences in Debian's machine-readable copyright file; none if it is prose."""
    folder = image.links.get(f"{_DOCUMENTS}{package}", package)
    text = image.files.get(f"{_DOCUMENTS}{folder}/copyright", b"").decode(errors="replace")
    if not text.startswith("Format:"):
        return ()
    names = re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE)
    return tuple(dict.fromkeys(name.strip() for name in names))
