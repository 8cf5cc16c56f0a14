"""Which packages an image holds, as its own files tell: Python's metadata and Debian's records."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import Message
from pathlib import PurePosixPath
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
        version: as it says itself.
        stated: what its metadata says about its licence, in the order of how much it is worth.
        locations: the folders that it was found in.
        source: the source package that a Debian package was built from, "name" or, where that has a version of its
            own, "name@version". Debian's advisories are about sources: without it a scanner finds none for libssl3.
    """

    kind: Literal["pypi", "deb"]
    name: str
    version: str
    stated: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    source: str | None = None


@dataclass(frozen=True)
class System:
    """The operating system of an image, after its os-release."""

    id: str
    version: str


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
    return System(fields.get("ID", "linux"), fields.get("VERSION_ID", ""))


def packages(image: Image) -> list[Package]:
    """Return every package, sorted; one that lies in several environments at one version is one, with each location.

    Debian's packages are those of dpkg's records: one file, or one per package in status.d as in images without a
    package manager.

    Args:
        image: read with `wanted`.

    Raises:
        ValueError: a METADATA or a record without name or version; the message names the file. Or the image calls
            itself Debian and has no records: nobody could know what is in it.
    """
    found: dict[tuple[str, str, str], Package] = {}
    for package in (*_python(image), *_debian(image)):
        key = (package.kind, package.name, package.version)
        known = found.get(key)
        locations = (*known.locations, *package.locations) if known else package.locations
        found[key] = replace(package, locations=tuple(sorted(locations)))
    return sorted(found.values(), key=lambda package: (package.kind, package.name, package.version))


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


def _debian(image: Image) -> Iterator[Package]:
    files = [path for path in sorted(image.files) if path == _STATUS or path.startswith(_STATUS_FOLDER)]
    records = [path for path in files if not path.endswith(".md5sums")]
    found = system(image)
    if not records and found and found.id == "debian":
        raise ValueError(f"{image.reference}: expected dpkg's records in /{_STATUS} or /{_STATUS_FOLDER}")
    for path in records:
        for record in image.files[path].decode().strip().split("\n\n"):
            fields = message_from_bytes(record.encode())
            name, version = fields["Package"], fields["Version"]
            if not name or not version:
                raise ValueError(f"{path} in {image.reference}: expected Package and Version")
            yield Package("deb", name, version, _copyright(image, name), source=_source(fields))


def _source(fields: Message) -> str | None:
    """The field Source, "name" or "name (version)"; a package that is its source's namesake has none."""
    found = re.fullmatch(r"(?P<name>\S+)(?: \((?P<version>\S+)\))?", fields["Source"] or "")
    return "@".join(part for part in found.groups() if part) if found else None


def _copyright(image: Image, package: str) -> tuple[str, ...]:
    """The short names of the licences in Debian's machine-readable copyright file; none if it is prose."""
    folder = image.links.get(f"{_DOCUMENTS}{package}", package)
    text = image.files.get(f"{_DOCUMENTS}{folder}/copyright", b"").decode(errors="replace")
    if not text.startswith("Format:"):
        return ()
    names = re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE)
    return tuple(dict.fromkeys(name.strip() for name in names))
