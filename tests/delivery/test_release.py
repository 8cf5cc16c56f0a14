"""A tag is published only if chart, packages and changelog say its version, with what the changelog says of it."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("operators", "drift-detector", "model/serving", "model/training")
VERSION = yaml.safe_load((ROOT / "charts/leeway/Chart.yaml").read_text())["version"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a release is held to, with a changelog of two versions."""
    for file in ("charts/leeway/Chart.yaml", *(f"{package}/pyproject.toml" for package in PACKAGES)):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    shutil.copytree(ROOT / "scripts/delivery", tmp_path / "scripts/delivery")
    own = f"## {VERSION} (2026-12-01)\n\n- This.\n\n### Upgrading\n\nNothing.\n"
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{own}\n## 0.0.9 (2026-11-01)\n\n- That.\n")
    return tmp_path


def script(checkout: Path, name: str, tag: str) -> subprocess.CompletedProcess[str]:
    command = [checkout / f"scripts/delivery/{name}.sh", tag]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_tag_of_the_version_is_a_release(checkout: Path) -> None:
    done = script(checkout, "released", f"v{VERSION}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", ["charts/leeway/Chart.yaml", *(f"{package}/pyproject.toml" for package in PACKAGES)])
def test_a_part_that_was_left_behind_is_named(checkout: Path, file: str) -> None:
    path = checkout / file
    path.write_text(path.read_text().replace(f"ersion: {VERSION}", "ersion: 9").replace(f'"{VERSION}"', '"9"'))
    done = script(checkout, "released", f"v{VERSION}")
    assert done.returncode != 0
    assert f"{file}: expected" in done.stderr


def test_another_tag_is_no_release_of_this_checkout(checkout: Path) -> None:
    assert script(checkout, "released", "v0.0.9").returncode != 0


@pytest.mark.parametrize("name", ["released", "notes"])
def test_a_version_of_which_nothing_is_written_is_refused(checkout: Path, name: str) -> None:
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## 0.0.9 (2026-11-01)\n\n- That.\n")
    done = script(checkout, name, f"v{VERSION}")
    assert done.returncode != 0
    assert f"CHANGELOG.md: expected a section '## {VERSION} (date)'" in done.stderr


def test_notes_are_the_versions_own(checkout: Path) -> None:
    done = script(checkout, "notes", f"v{VERSION}")
    assert done.stdout == "\n- This.\n\n### Upgrading\n\nNothing.\n"


def test_this_repositorys_changelog_tells_of_its_chart() -> None:
    assert script(ROOT, "notes", f"v{VERSION}").returncode == 0
