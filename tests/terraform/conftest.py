import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cluster import paths
from cluster.shell import run
from infrastructure import program, stand_in
from terraform.programs import Programs

SOURCE = paths.REPOSITORY / "terraform"


def folders() -> list[str]:
    """Every module and root, as a path below terraform/."""
    return sorted(str(file.parent.relative_to(SOURCE)) for file in SOURCE.rglob("versions.tf"))


@dataclass(frozen=True)
class Terraform:
    """Terraform in a copy of terraform/, with no provider but the stand-ins and no helm or minikube but the test's."""

    program: Path
    tree: Path
    environment: Mapping[str, str]
    programs: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, folder: str, *arguments: str) -> str:
        """Run it in a folder of terraform/ and return what it printed."""
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}" if self.programs else os.environ["PATH"]
        given = {f"TF_VAR_{name}": value for name, value in self.variables.items()}
        environment = {**self.environment, **given, "PATH": path}
        return run([self.program, f"-chdir={self.tree / folder}", *arguments], env=environment)

    def init(self, folder: str) -> None:
        self(folder, "init", "-backend=false", "-no-color", "-input=false")

    def anew(self, folder: Path) -> "Terraform":
        """The same on a copy of its own in `folder`, with an empty place for programs that come before all others."""
        (folder / "bin").mkdir()
        return Terraform(self.program, _copy(folder), self.environment, folder / "bin")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    # Terraform's own garbage collector takes two fifths of its time here, and it never runs for long.
    return {**stand_in.mirror(tmp_path_factory.mktemp("providers")), "GOGC": "800"}


@pytest.fixture(scope="session")
def terraform(environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    # Mocked resources need no time to go.
    programs = Programs(tmp_path_factory.mktemp("programs"))
    programs.sleep()
    return Terraform(program.find(), _copy(tmp_path_factory.mktemp("terraform")), environment, programs.folder)


@pytest.fixture
def fresh(terraform: Terraform, tmp_path: Path) -> Terraform:
    """For tests that apply."""
    return terraform.anew(tmp_path)


def _copy(folder: Path) -> Path:
    # As deep as in the repository, whose charts the roots name relative to themselves.
    (folder / "charts").symlink_to(paths.REPOSITORY / "charts")
    ignored = shutil.ignore_patterns(".terraform*", "terraform.tfstate*")
    return Path(shutil.copytree(SOURCE, folder / "terraform", ignore=ignored))
