"""What the search for secrets makes of its program's words; the program itself runs in `make supply-chain`."""

import json
import subprocess
from pathlib import Path

import pytest

from cluster.shell import CommandFailedError
from supply import history

FINDING = {"Commit": "0123456789abcdef", "File": "deploy/key.pem", "StartLine": 3, "RuleID": "private-key"}


def program(folder: Path, findings: list[dict[str, object]], code: int) -> Path:
    """A stand-in for gitleaks: writes its report where it is told to, and ends with `code`."""
    file = folder / "gitleaks"
    file.write_text(
        "#!/bin/sh\n"
        f"""while [ "$1" != --report-path ]; do shift; done; echo '{json.dumps(findings)}' > "$2"; exit {code}\n"""
    )
    file.chmod(0o755)
    return file


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two empty commits."""
    folder = tmp_path / "repository"
    git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    for message in ("one", "two"):
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", message], check=True)
    return folder


def test_a_finding_says_where_and_not_what(tmp_path: Path, repository: Path) -> None:
    found = history.secrets(program(tmp_path, [FINDING], 99), repository, report=tmp_path / "out/report.json")
    assert found == ["0123456789 deploy/key.pem:3: private-key"]


def test_a_clean_history_gives_none(tmp_path: Path, repository: Path) -> None:
    assert history.secrets(program(tmp_path, [], 0), repository, report=tmp_path / "report.json") == []


def test_a_program_that_fails_is_no_clean_history(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(CommandFailedError, match="ended with 1"):
        history.secrets(program(tmp_path, [], 1), repository, report=tmp_path / "report.json")


def test_a_clone_without_its_history_is_refused(tmp_path: Path, repository: Path) -> None:
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{repository}", shallow], check=True)
    with pytest.raises(ValueError, match="expected the whole history"):
        history.secrets(program(tmp_path, [], 0), shallow, report=tmp_path / "report.json")
