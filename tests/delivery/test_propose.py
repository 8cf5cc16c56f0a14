"""The proposal of a retrained model: a branch with one changed file, and a pull request that shows the model's card."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "scripts/delivery/propose.sh"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository as the workflow has it after `make publish-model`."""
    folder = tmp_path / "checkout"
    for file in (SCRIPT, "deploy/models-dev.yaml"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "one")
    (folder / "deploy/models-dev.yaml").write_text("models: {flights: {}}\n")
    (folder / "build/model").mkdir(parents=True)
    (folder / "build/model/MODEL_CARD.md").write_text('# flights 1.0.7\n\nWith "quotes".\n')
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "remote/leeway-dev/leeway"], check=True)
    return folder


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True).stdout


def propose(checkout: Path, curl: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the script with a stand-in for curl, and GitHub's repositories in a folder."""
    tools = checkout.parent / "bin"
    tools.mkdir()
    (tools / "curl").write_text(
        f'#!/bin/sh\necho "$@" > {checkout.parent}/told\ncat > {checkout.parent}/sent\n{curl}\n'
    )
    (tools / "curl").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{checkout.parent}/remote/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
        "GITHUB_ACTOR": "robot",
        "GITHUB_API_URL": "https://api.github.com",
        "GITHUB_REPOSITORY": "leeway-dev/leeway",
        "GITHUB_TOKEN": "sesame",
    }
    return subprocess.run(
        [checkout / SCRIPT, "flights", "1.0.7"], env=environment, capture_output=True, text=True, check=False
    )


def test_the_branch_holds_the_release_to_dev_and_nothing_else(checkout: Path) -> None:
    done = propose(checkout)
    assert done.returncode == 0, done.stderr
    remote = checkout.parent / "remote/leeway-dev/leeway"
    assert (
        git(remote, "diff", "--name-only", "model/flights-1.0.7~1", "model/flights-1.0.7") == "deploy/models-dev.yaml\n"
    )
    assert git(remote, "log", "-1", "--format=%s", "model/flights-1.0.7") == "Release flights 1.0.7 to dev\n"


def test_the_pull_request_shows_the_card(checkout: Path) -> None:
    propose(checkout)
    sent = json.loads((checkout.parent / "sent").read_text())
    assert (sent["head"], sent["base"]) == ("model/flights-1.0.7", "main")
    assert sent["body"] == '# flights 1.0.7\n\nWith "quotes".\n'
    assert "https://api.github.com/repos/leeway-dev/leeway/pulls" in (checkout.parent / "told").read_text()


def test_the_token_is_on_no_command_line(checkout: Path) -> None:
    done = propose(checkout)
    assert "sesame" not in (checkout.parent / "told").read_text() + done.stdout + done.stderr


def test_a_pull_request_that_is_refused_fails(checkout: Path) -> None:
    assert propose(checkout, curl="exit 22").returncode != 0
