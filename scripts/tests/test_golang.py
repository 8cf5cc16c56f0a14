"""A module that does not build as it is published is built from a copy with other files in it."""

from pathlib import Path

import pytest

from cluster.fetch import golang


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A module as it lies in Go's cache: nobody may write to it."""
    folder = tmp_path / "cache/tool@v1.0.0"
    (folder / "ui").mkdir(parents=True)
    (folder / "ui/web.go").write_text("package ui\n", encoding="utf-8")
    (folder / "main.go").write_text("package main\n", encoding="utf-8")
    for path in (folder / "ui/web.go", folder / "main.go", folder / "ui", folder):
        path.chmod(0o555)
    return folder


@pytest.fixture
def group(tmp_path: Path) -> Path:
    folder = tmp_path / "tools/tool"
    (folder / "replaced/ui/dist").mkdir(parents=True)
    (folder / "replaced/ui/dist/index.html").write_text("<p>", encoding="utf-8")
    (folder / "replaced/ui/web.go").write_text("package ui // ours\n", encoding="utf-8")
    (folder / "go.mod").write_text("module x\n\nrequire example.org/tool v1.0.0\n", encoding="utf-8")
    (folder / "go.sum").write_text("example.org/tool v1.0.0/go.mod h1:x\n", encoding="utf-8")
    return folder


def test_the_copy_is_what_is_published_but_for_the_groups_own_files(tmp_path: Path, group: Path, source: Path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    mod = golang.change(group, "example.org/tool", scratch, source=source)

    required, replaced = mod.read_text(encoding="utf-8").split("\nreplace ")
    assert required == (group / "go.mod").read_text(encoding="utf-8")
    module, copy = replaced.strip().split(" => ")
    assert module == "example.org/tool"
    assert (Path(copy) / "main.go").read_text(encoding="utf-8") == "package main\n"
    assert (Path(copy) / "ui/web.go").read_text(encoding="utf-8") == "package ui // ours\n"
    assert (Path(copy) / "ui/dist/index.html").read_text(encoding="utf-8") == "<p>"
    # Go looks for the sums beside the go.mod that it is given.
    assert mod.with_name("go.sum").read_bytes() == (group / "go.sum").read_bytes()


def test_the_published_module_and_the_groups_files_stay_as_they_are(tmp_path: Path, group: Path, source: Path):
    before = {path: path.read_bytes() for folder in (group, source) for path in folder.rglob("*") if path.is_file()}
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    golang.change(group, "example.org/tool", scratch, source=source)

    after = {path: path.read_bytes() for folder in (group, source) for path in folder.rglob("*") if path.is_file()}
    assert after == before
