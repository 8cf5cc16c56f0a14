"""What this repository locks may be used in production by everybody."""

import subprocess
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
LAST_FREE = (0, 11, 4)
WHY = (
    "alibi-detect 0.11.5 and later are under the Business Source License 1.1, which allows production use to "
    "non-profit educational institutions only; 0.11.4 is the last release under Apache-2.0"
)


def locks() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "*uv.lock"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    return [REPOSITORY / name for name in names]


def versions(lock: str, package: str) -> list[tuple[int, ...]]:
    found = [entry["version"] for entry in tomllib.loads(lock)["package"] if entry["name"] == package]
    return [tuple(int(part) for part in version.split(".")[:3]) for version in found]


@pytest.mark.parametrize("lock", locks(), ids=lambda path: path.parent.relative_to(REPOSITORY).as_posix())
def test_no_environment_has_an_alibi_detect_that_is_not_free(lock: Path) -> None:
    assert all(version <= LAST_FREE for version in versions(lock.read_text(), "alibi-detect")), WHY


def test_this_environment_has_the_last_free_one() -> None:
    lock = (Path(__file__).parents[1] / "uv.lock").read_text()
    assert versions(lock, "alibi-detect") == [LAST_FREE]


def test_nothing_is_installed_that_no_tabular_detector_imports() -> None:
    lock = tomllib.loads((Path(__file__).parents[1] / "uv.lock").read_text())
    (alibi,) = [entry for entry in lock["package"] if entry["name"] == "alibi-detect"]
    overridden = {"matplotlib", "opencv-python", "pandas", "pillow", "requests", "scikit-image"}
    asked = {entry["name"]: entry.get("marker") for entry in alibi["dependencies"] if entry["name"] in overridden}
    assert asked == dict.fromkeys(asked, "sys_platform == 'never'")
    (stub,) = [entry for entry in lock["package"] if entry["name"] == "transformers"]
    assert stub["source"] == {"directory": "transformers"}
