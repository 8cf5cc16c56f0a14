"""What is carried to a site without a way out arrives whole, and the chart's values name it."""

import subprocess
from pathlib import Path

import pytest
import yaml

from images.build import IMAGES, Built
from supply import manifests, offline


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    built, sboms = {}, {}
    for name in IMAGES:
        archive, sboms[name] = tmp_path / f"{name}-abc.tar", tmp_path / f"{name}.json"
        archive.write_text(f"image {name}")
        sboms[name].write_text("{}")
        built[name] = Built(f"docker.io/leeway/{name}:0.1.0-abc", archive, 1)
    offline.save(tmp_path / "out", built, sboms, {"KServe v1": ["docker.io/kserve/agent:v1"]})
    return tmp_path / "out"


def arrives(folder: Path) -> bool:
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True, check=False
    )
    return done.returncode == 0


def test_checksums_hold_for_every_file(saved: Path) -> None:
    listed = {line.split()[1] for line in (saved / "SHA256SUMS").read_text().splitlines()}
    assert listed == {file.name for file in saved.iterdir()} - {"SHA256SUMS"}
    assert arrives(saved)


def test_a_file_that_was_cut_off_is_noticed(saved: Path) -> None:
    (saved / "operators.tar").write_text("image")
    assert not arrives(saved)


def test_what_is_not_in_the_folder_is_listed_in_it(saved: Path) -> None:
    assert (saved / "prerequisites.txt").read_text() == "# KServe v1\ndocker.io/kserve/agent:v1\n"


def test_the_values_name_each_image_of_the_chart_by_its_tag(saved: Path) -> None:
    tags = yaml.safe_load((saved / "values.yaml").read_text())["images"]
    chart = yaml.safe_load((manifests.CHART / "values.yaml").read_text())["images"]
    assert set(tags) == {key for key, value in chart.items() if isinstance(value, dict)}
    assert {entry["tag"] for entry in tags.values()} == {"0.1.0-abc"}


def test_images_are_those_of_containers_and_models() -> None:
    text = """
kind: Deployment
spec: {template: {spec: {initContainers: [{image: a:1}], containers: [{image: b:1}, {image: a:1}]}}}
---
kind: ModelRollout
spec: {model: {storageUri: "oci://docker.io/leeway/model-flights:1"}}
---
kind: ModelRollout
spec: {model: {storageUri: "s3://bucket/fares"}}
---
"""
    assert manifests.images(text) == ["a:1", "b:1", "docker.io/leeway/model-flights:1"]


def test_kinds_and_namespace_are_a_file_of_their_own(tmp_path: Path) -> None:
    kinds = ["Namespace", "CustomResourceDefinition", "ModelRollout", "Deployment"]
    text = "\n---\n".join(f"# Source: x\nkind: {kind}\nmetadata: {{name: a}}" for kind in kinds)

    manifests.write(text, tmp_path)

    first, rest = (
        list(yaml.safe_load_all((tmp_path / name).read_text())) for name in ("1-kinds.yaml", "2-leeway.yaml")
    )
    assert [document["kind"] for document in first] == kinds[:2]
    assert [document["kind"] for document in rest] == kinds[2:]
