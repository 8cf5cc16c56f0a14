"""A commit that changes an environment's models deploys there, the release that there is, and nowhere else."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "scripts/delivery/changed.sh"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of one commit, with the models of each environment."""
    for file in (SCRIPT, *(f"deploy/models-{name}.yaml" for name in ("dev", "staging", "prod"))):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path, "one")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", message)


def changed(checkout: Path, before: str) -> list[str]:
    done = subprocess.run([checkout / SCRIPT, before], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def release_models(checkout: Path, *environments: str) -> str:
    """Change the models of these, and return the commit before."""
    before = git(checkout, "rev-parse", "HEAD")
    for name in environments:
        (checkout / f"deploy/models-{name}.yaml").write_text("models: {flights: {}}\n")
    (checkout / "README.md").write_text("changed as well\n")
    commit(checkout, "two")
    return before


def test_only_environments_whose_models_have_changed_are_named_in_their_order(checkout: Path) -> None:
    git(checkout, "tag", "v1.2.3")
    before = release_models(checkout, "prod", "dev")
    assert changed(checkout, before) == ['environments=["dev","prod"]', "release=1.2.3"]


def test_a_commit_to_other_files_names_none(checkout: Path) -> None:
    before = release_models(checkout)
    assert changed(checkout, before)[0] == "environments=[]"


def test_without_a_release_there_is_nothing_to_deploy_models_with(checkout: Path) -> None:
    before = release_models(checkout, "dev")
    assert changed(checkout, before) == ['environments=["dev"]', "release="]


def test_the_first_push_compares_with_the_commit_before_it(checkout: Path) -> None:
    release_models(checkout, "staging")
    assert changed(checkout, "0" * 40)[0] == 'environments=["staging"]'
