"""Who builds our images: a container engine that says it works, else this repository's own way."""

import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cluster import paths
from cluster.shell import CommandFailedError, run
from images.build import IMAGES, Built, build, build_model, content_hash, model_reference, stage
from supply import programs

Run = Callable[[list[str | Path]], str]
_ENGINES = ("docker", "podman")
# KServe brings the command of a model's image; a shell and the bundle under /models are all that has to be in it.
_MODEL = "FROM docker.io/library/busybox:1.37\nCOPY . /models\n"
_ASKED_SECONDS = 20


class Maker(Protocol):
    """Makes images (docker.io/leeway/<name>:<tag>), and gives each away as an archive or to a registry."""

    def image(self, name: str) -> str:
        """Build one of our images and return its reference."""

    def model(self, bundle: Path, name: str) -> str:
        """Put a bundle into an image and return its reference."""

    def archive(self, reference: str, folder: Path) -> Path:
        """Return an archive of an image that was made here; if it is a new file, it is in `folder`."""

    def push(self, reference: str, target: str) -> None:
        """Push an image that was made here as `target`."""


def ask(command: list[str | Path]) -> str:
    """Run a command that may have nobody to answer it."""
    return run(command, timeout=_ASKED_SECONDS)


def maker(asked: Run, *, user: int) -> Maker:
    """Return who builds: the first engine that answers, else buildah from Debian's package.

    Args:
        asked: runs `<engine> info` and raises CommandFailedError if that fails; a program on PATH tells of no daemon.
        user: the effective user id.

    Raises:
        RuntimeError: no engine answers, and building without one is root's; the message has what each engine said.
    """
    refused = []
    for engine in _ENGINES:
        try:
            asked([engine, "info"])
        except CommandFailedError as error:
            refused.append(str(error))
        else:
            return Engine(engine, run)
    if user != 0:
        raise RuntimeError(
            "\n".join([*refused, "no container engine answers; without one, images are built on Debian as root"])
        )
    return Here()


@dataclass(frozen=True)
class Engine:
    """Docker or podman, from the Containerfiles as they are, with base images from a registry."""

    program: str
    run: Run

    def image(self, name: str) -> str:
        """Build one of our images; the tag is its version and the hash of what goes in."""
        recipe = IMAGES[name]
        with tempfile.TemporaryDirectory() as folder:
            context = Path(folder)
            from_repository(name, context)
            version = tomllib.loads((context / recipe.package / "pyproject.toml").read_text())["project"]["version"]
            reference = f"docker.io/leeway/{name}:{version}-{content_hash(context, [])}"
            target = ["--target", recipe.target] if recipe.target else []
            file = context / recipe.containerfile
            self.run([self.program, "build", "--quiet", "--tag", reference, "--file", file, *target, context])
        return reference

    def model(self, bundle: Path, name: str) -> str:
        """Put a bundle into an image."""
        reference = model_reference(bundle, name)
        with tempfile.TemporaryDirectory() as folder:
            recipe = Path(folder) / "Containerfile"
            recipe.write_text(_MODEL, encoding="utf-8")
            self.run([self.program, "build", "--quiet", "--tag", reference, "--file", recipe, bundle])
        return reference

    def archive(self, reference: str, folder: Path) -> Path:
        """Save an image to a file in `folder`."""
        file = folder / f"{reference.rpartition('/')[2].replace(':', '-')}.tar"
        self.run([self.program, "save", "--output", file, reference])
        return file

    def push(self, reference: str, target: str) -> None:
        """Push with the engine's own login."""
        self.run([self.program, "tag", reference, target])
        self.run([self.program, "push", target])


@dataclass(frozen=True)
class Here:
    """As for the built-in cluster: without an engine or a registry to start from, on Debian, as root."""

    made: dict[str, Built] = field(default_factory=dict)

    def image(self, name: str) -> str:
        """Build one of our images, unless it is in the cache."""
        return self._keep(build(name))

    def model(self, bundle: Path, name: str) -> str:
        """Put a bundle into an image, unless it is in the cache."""
        return self._keep(build_model(bundle, name))

    def archive(self, reference: str, folder: Path) -> Path:  # noqa: ARG002 - it is in the cache
        """Return the archive in the cache."""
        return self.made[reference].archive

    def push(self, reference: str, target: str) -> None:
        """Push with crane, which takes the login from ~/.docker/config.json."""
        run([programs.crane(), "push", self.made[reference].archive, target])

    def _keep(self, built: Built) -> str:
        self.made[built.reference] = built
        return built.reference


def from_repository(name: str, context: Path) -> None:
    """Copy what an image is built from to `context`."""
    stage(IMAGES[name], paths.REPOSITORY, context)
