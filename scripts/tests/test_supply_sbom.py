"""An SBOM names each package so that scanners find it, and is the same for the same image."""

import json
from typing import Any

import pytest

from supply import sbom
from supply.archives import Image
from supply.contents import Package, System
from supply.licences import Policy

DIGEST = f"sha256:{'ab' * 32}"
DEBIAN = System("debian", "12")
PACKAGES = [
    Package("deb", "libc6", "2.36-9+deb12u14", ("LGPL-2.1+", "GPL-2"), source="glibc"),
    Package("deb", "dash", "0.5.12-2"),
    Package("pypi", "numpy", "2.4.6", ("BSD-3-Clause AND MIT",), ("/opt/alibi", "/opt/leeway")),
    Package("pypi", "unheard-of", "1.0", ("Licence of my own",)),
]


def image(digest: str = DIGEST) -> Image:
    return Image("docker.io/leeway/onnx-server:0.1.0-abc", digest, "amd64", {}, {})


def document(found: Image | None = None, packages: list[Package] = PACKAGES) -> str:
    return sbom.document(found or image(), DEBIAN, packages, Policy.read())


@pytest.fixture
def components() -> dict[str, dict[str, Any]]:
    return {component["name"]: component for component in json.loads(document())["components"]}


def test_packages_carry_the_urls_that_scanners_look_up(components: dict[str, dict[str, Any]]) -> None:
    assert components["numpy"]["purl"] == "pkg:pypi/numpy@2.4.6"
    # As Syft writes them: Grype reads the release and the source out of the URL, and is silent if it cannot.
    release = "arch=amd64&distro=debian-12"
    assert components["libc6"]["purl"] == f"pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?{release}&upstream=glibc"
    assert components["dash"]["purl"] == f"pkg:deb/debian/dash@0.5.12-2?{release}"
    assert (components["debian"]["type"], components["debian"]["version"]) == ("operating-system", "12")


def test_licences_are_expressions_where_they_are_known_and_names_where_not(
    components: dict[str, dict[str, Any]],
) -> None:
    assert components["numpy"]["licenses"] == [{"expression": "BSD-3-Clause AND MIT"}]
    assert components["unheard-of"]["licenses"] == [{"license": {"name": "Licence of my own"}}]
    assert [entry["license"]["name"] for entry in components["libc6"]["licenses"]] == ["GPL-2", "LGPL-2.1+"]


def test_each_place_of_a_package_is_told(components: dict[str, dict[str, Any]]) -> None:
    places = [entry["location"] for entry in components["numpy"]["evidence"]["occurrences"]]
    assert places == ["/opt/alibi", "/opt/leeway"]


def test_a_model_is_told_with_the_digest_of_its_bundle() -> None:
    model = sbom.Model("flights", "1.0.0", f"sha256:{'cd' * 32}")
    text = sbom.document(image(), DEBIAN, [], Policy.read(), model)
    (found,) = [each for each in json.loads(text)["components"] if each["type"] == "machine-learning-model"]
    assert (found["name"], found["version"]) == ("flights", "1.0.0")
    assert found["hashes"] == [{"alg": "SHA-256", "content": "cd" * 32}]


def test_it_is_about_the_image_by_its_digest() -> None:
    subject = json.loads(document())["metadata"]["component"]
    assert subject["bom-ref"] == DIGEST
    assert subject["type"] == "container"
    assert (subject["name"], subject["version"]) == ("docker.io/leeway/onnx-server", "0.1.0-abc")


def test_the_same_image_gives_the_same_text_and_another_another_number() -> None:
    assert document() == document(packages=list(reversed(PACKAGES)))
    other = json.loads(document(image(f"sha256:{'cd' * 32}")))
    assert other["serialNumber"] != json.loads(document())["serialNumber"]
