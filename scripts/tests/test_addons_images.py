"""Add-on images are written once per content, and old ones make room."""

from pathlib import Path

import pytest

from cluster.addons.images import AddonImage, program


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "tool-1" / "tool"
    path.parent.mkdir()
    path.write_bytes(b"\x7fELF")
    path.chmod(0o755)
    return path


def image(binary: Path, name: str = "tool") -> AddonImage:
    return program(f"docker.io/leeway/{name}:v1", binary, ["tool", "alias"])


def test_an_archive_is_written_once(tmp_path: Path, binary: Path):
    first = image(binary).build(tmp_path / "images")
    written = first.stat().st_mtime_ns
    assert image(binary).build(tmp_path / "images") == first
    assert first.stat().st_mtime_ns == written


def test_another_binary_replaces_the_archive_and_leaves_other_images_alone(tmp_path: Path, binary: Path):
    old, other = image(binary).build(tmp_path / "images"), image(binary, "tool-agent").build(tmp_path / "images")
    newer = binary.parent.with_name("tool-2") / "tool"
    newer.parent.mkdir()
    newer.write_bytes(b"\x7fELF2")
    new = image(newer).build(tmp_path / "images")
    assert new.exists()
    assert not old.exists()
    assert other.exists()


def test_every_name_of_a_program_is_the_same_file_and_any_can_start_it(binary: Path):
    made = program("docker.io/leeway/tool:v1", binary, ["tool", "controller", "webhook"], entrypoint="webhook")
    assert made.files == {"/usr/local/bin/tool": binary}
    assert made.links == {
        "/usr/local/bin/controller": "/usr/local/bin/tool",
        "/usr/local/bin/webhook": "/usr/local/bin/tool",
    }
    assert made.entrypoint == ["webhook"]


def test_a_missing_binary_is_named(tmp_path: Path, binary: Path):
    with pytest.raises(FileNotFoundError, match="absent"):
        image(binary.with_name("absent")).build(tmp_path / "images")
