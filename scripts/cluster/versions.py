"""The versions of everything in the built-in cluster, read from versions.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("versions.toml")


@dataclass(frozen=True)
class Module:
    """A Go module: built in `tools/<group>`, or (with a `sum`, "h1:…") only a source of files."""

    path: str
    version: str
    group: str | None = None
    sum: str | None = None

    def __post_init__(self) -> None:
        if (self.group is None) == (self.sum is None):
            raise ValueError(f"{_FILE.name}: {self.path}: expected either a group (built) or a sum (files only)")


@cache
def modules() -> Mapping[str, Module]:
    """Every Go module by its short name."""
    return {name: Module(**entry) for name, entry in _read()["modules"].items()}


def wheel(name: str) -> str:
    """Return the requirement ("distribution==version") of a program that comes inside a wheel."""
    return str(_read()["wheels"][name])


def kubernetes() -> str:
    """Return the version of Kubernetes without the leading v."""
    return modules()["kubernetes"].version.removeprefix("v")


@cache
def _read() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))
