"""One version: what the chart is called is what its images, packages and pages are called."""

import re
import tomllib

import pytest
import yaml

from chart.rendering import CHART, ROOT, VERSION

PACKAGES = ("operators", "drift-detector", "drift-detector/alibi", "model/serving", "model/training")
"""What the images are made of."""
NAMED = {
    "Makefile": r"RELEASE(?: \?)?= ?(\S+)",
    "docker-compose.yml": r"image: leeway/[a-z-]+:(\S+)",
    "README.md": r"leeway/\{onnx-server,drift-detector,operators\}:(\d[\d.]*\d)",
    "docs/supply-chain.md": r"RELEASE=(\S+)",
    "charts/leeway/values.yaml": r"appVersion, and (\S+)@sha256",
    "CHANGELOG.md": r"\A(?s:.*?)^## (\S+) ",
}
"""Other places that tell people the version of today, and how."""
LOCKED_BY = (*PACKAGES, "model/serving/conformance", "tests/faults")
"""Whose locks know a package of an image."""


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_chart_images_and_the_chart_of_kinds_have_one_version() -> None:
    chart = yaml.safe_load(read("charts/leeway/Chart.yaml"))
    assert chart["appVersion"] == VERSION
    assert [part["version"] for part in chart["dependencies"]] == [VERSION]
    assert yaml.safe_load((CHART / "charts/crds/Chart.yaml").read_text(encoding="utf-8"))["version"] == VERSION


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_of_an_image_has_the_charts_version(package: str) -> None:
    assert tomllib.loads(read(f"{package}/pyproject.toml"))["project"]["version"] == VERSION


def test_locks_know_those_packages_by_that_version() -> None:
    names = {tomllib.loads(read(f"{package}/pyproject.toml"))["project"]["name"] for package in PACKAGES}
    locked = {
        (folder, package["name"]): package["version"]
        for folder in LOCKED_BY
        for package in tomllib.loads(read(f"{folder}/uv.lock"))["package"]
        if package["name"] in names
    }
    assert {name for _, name in locked} == names
    assert {place: version for place, version in locked.items() if version != VERSION} == {}


@pytest.mark.parametrize(("path", "pattern"), NAMED.items(), ids=NAMED.keys())
def test_a_place_that_names_the_version_names_this_one(path: str, pattern: str) -> None:
    assert set(re.findall(pattern, read(path), flags=re.MULTILINE)) == {VERSION}


def test_every_environment_has_the_images_of_the_chart() -> None:
    files = list((ROOT / "deploy").glob("*.yaml"))
    assert files
    for path in files:
        images = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("images", {})
        assert not [name for name, image in images.items() if isinstance(image, dict) and image.get("tag")], path.name
