"""What an archive is said to hold is what a container of it would see."""

import io
import json
import re
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cluster.fetch import debian
from images import base, oci
from images.build import model_tools
from supply import archives, contents

REFERENCE = "docker.io/leeway/thing:1.0"
SITE = "opt/leeway/lib/python3.11/site-packages"
Layer = Mapping[str, str]


def metadata(name: str, version: str, *lines: str) -> str:
    return "\n".join([f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}", *lines, "", "Name: not-this-one"])


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Writes an image with these layers, as scripts/images does: path in the image → text."""

    def write(*layers: Layer) -> Path:
        written = []
        for number, layer in enumerate(layers):
            entries = {}
            for path, text in layer.items():
                source = tmp_path / f"layer{number}" / path
                source.parent.mkdir(parents=True, exist_ok=True)
                source.write_text(text)
                entries[f"/{path}"] = oci.Entry.of(source)
            written.append(oci.layer(entries.items()))
        oci.write_image(tmp_path / "image.tar", REFERENCE, written, {})
        return tmp_path / "image.tar"

    return write


def found(archive: Path) -> list[contents.Package]:
    return contents.packages(archives.read(archive, contents.wanted))


def test_python_packages_are_those_of_every_environment_of_the_image(archive: Callable[..., Path]) -> None:
    image = archive(
        {
            f"{SITE}/numpy-2.4.6.dist-info/METADATA": metadata("numpy", "2.4.6", "License-Expression: BSD-3-Clause"),
            f"{SITE}/typing_extensions-4.16.0.dist-info/METADATA": metadata("typing_extensions", "4.16.0"),
            "opt/alibi/site-packages/numpy-1.24.4.dist-info/METADATA": metadata("numpy", "1.24.4"),
            "opt/alibi/site-packages/typing_extensions-4.16.0.dist-info/METADATA": metadata(
                "typing_extensions", "4.16.0"
            ),
            f"{SITE}/numpy/METADATA": metadata("no-package", "1"),
        }
    )

    packages = {(package.name, package.version): package for package in found(image)}

    assert set(packages) == {("numpy", "1.24.4"), ("numpy", "2.4.6"), ("typing-extensions", "4.16.0")}
    assert packages["typing-extensions", "4.16.0"].locations == ("/opt/alibi/site-packages", f"/{SITE}")
    assert packages["numpy", "2.4.6"].stated == ("BSD-3-Clause",)


def test_what_a_later_layer_replaces_or_hides_is_not_there(archive: Callable[..., Path]) -> None:
    image = archive(
        {
            "site/gone-1.dist-info/METADATA": metadata("gone", "1"),
            "folder/lost-1.dist-info/METADATA": metadata("lost", "1"),
            "opaque/old-1.dist-info/METADATA": metadata("old", "1"),
            "site/kept-1.dist-info/METADATA": metadata("kept", "1"),
        },
        {
            "site/.wh.gone-1.dist-info": "",
            ".wh.folder": "",
            "opaque/.wh..wh..opq": "",
            "site/kept-1.dist-info/METADATA": metadata("kept", "2"),
        },
    )

    assert [(package.name, package.version) for package in found(image)] == [("kept", "2")]


def test_dpkgs_records_name_debians_packages_wherever_they_lie(archive: Callable[..., Path]) -> None:
    dep5 = "Format: https://www.debian.org/doc/\n\nFiles: *\nLicense: LGPL-2.1+\n text\n\nLicense: GPL-2\n"
    image = archive(
        {
            "var/lib/dpkg/status": "Package: libc6\nVersion: 2.36-9\n\nPackage: dash\nVersion: 0.5\n",
            "var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2026b\n",
            "usr/share/doc/libc6/copyright": dep5,
            "usr/share/doc/dash/copyright": "prose",
        }
    )

    packages = found(image)

    assert [(p.kind, p.name, p.version, p.stated) for p in packages] == [
        ("deb", "dash", "0.5", ()),
        ("deb", "libc6", "2.36-9", ("LGPL-2.1+", "GPL-2")),
        ("deb", "tzdata", "2026b", ()),
    ]


def test_a_debian_package_names_the_source_that_advisories_are_about(archive: Callable[..., Path]) -> None:
    records = {
        "libssl3": "Package: libssl3\nSource: openssl\nVersion: 3.0.17-1\n",
        "libgcc-s1": "Package: libgcc-s1\nSource: gcc-12 (12.2.0-14)\nVersion: 12.2.0-14+b1\n",
        "dash": "Package: dash\nVersion: 0.5\n",
    }
    image = archive({f"var/lib/dpkg/status.d/{name}": record for name, record in records.items()})

    sources = {package.name: package.source for package in found(image)}

    assert sources == {"libssl3": "openssl", "libgcc-s1": "gcc-12@12.2.0-14", "dash": None}


def test_a_debian_without_records_is_refused_since_nobody_knows_what_it_holds(archive: Callable[..., Path]) -> None:
    image = archive({"usr/lib/os-release": "ID=debian\n", "usr/share/doc/libc6/copyright": "prose"})
    with pytest.raises(ValueError, match=rf"{REFERENCE}: expected dpkg's records in /var/lib/dpkg/status"):
        found(image)


def test_an_image_without_debian_has_none_of_its_packages(archive: Callable[..., Path]) -> None:
    assert found(archive({"bin/busybox": "program"})) == []


def test_a_record_without_a_version_names_its_file(archive: Callable[..., Path]) -> None:
    image = archive({"var/lib/dpkg/status.d/dash": "Package: dash\n"})
    with pytest.raises(ValueError, match=rf"status.d/dash in {REFERENCE}: expected Package and Version"):
        found(image)


def test_every_package_of_the_base_has_a_record_and_its_copyright() -> None:
    root = debian.unpack(base.PACKAGES, records=True)
    for name in base.PACKAGES:
        record = (root / debian.RECORDS / name).read_text()
        assert re.search(rf"^Package: {re.escape(name)}$", record, re.MULTILINE), name
        assert re.search(r"^Version: \d\S+$", record, re.MULTILINE), name
        assert (root / "usr/share/doc" / name / "copyright").exists(), name


def test_a_models_image_tells_of_the_program_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle/model.onnx").write_text("model")
    busybox, papers = model_tools()
    oci.modelcar_image(tmp_path / "image.tar", REFERENCE, tmp_path / "bundle", busybox=busybox, papers=papers)

    image = archives.read(tmp_path / "image.tar", contents.wanted)
    (package,) = contents.packages(image)

    assert package.name == "busybox-static"
    assert (package.source or "").partition("@")[0] == "busybox"
    assert re.match(r"1:\d", package.version)
    assert "usr/share/doc/busybox-static/copyright" in image.files


def test_the_operating_system_is_that_of_os_release(archive: Callable[..., Path]) -> None:
    text = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
    image = archives.read(archive({"usr/lib/os-release": text}), contents.wanted)
    assert contents.system(image) == contents.System("debian", "12")

    assert contents.system(archives.read(archive({"bin/busybox": "program"}), contents.wanted)) is None


def test_metadata_without_a_version_names_its_file(archive: Callable[..., Path]) -> None:
    image = archive({f"{SITE}/x-1.dist-info/METADATA": "Name: x\n\n"})
    with pytest.raises(ValueError, match=rf"{SITE}/x-1.dist-info/METADATA in {REFERENCE}: expected Name and Version"):
        found(image)


def tar(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def test_what_is_no_archive_of_one_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive")
    for file, message in (
        (tmp_path / "text", "expected the archive of an image"),
        (tar(tmp_path / "other.tar", {"readme": b""}), "expected a file manifest.json in it"),
        (tar(tmp_path / "two.tar", {"manifest.json": json.dumps([{}, {}]).encode()}), "expected one image with a name"),
    ):
        with pytest.raises(ValueError, match=message):
            archives.read(file, contents.wanted)
