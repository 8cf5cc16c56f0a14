"""A mirror on disk with the provider that stands in for those that cannot be had everywhere."""

import json
import os
import platform
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster import paths
from cluster.fetch import golang, tools, wheels
from infrastructure.schemas import Bindings

_LIST = Path(__file__).with_name("stand-in.toml")
_GROUP = "terraform-provider"
SCHEMAS = paths.TOOLS / _GROUP / "schemas"
# Terraform and OpenTofu each look below a registry of their own for "hashicorp/helm".
_REGISTRIES = ("registry.terraform.io", "registry.opentofu.org")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def mirror(folder: Path) -> dict[str, str]:
    """Write a filesystem mirror into `folder` and return the environment that makes Terraform use it, and nothing else.

    Raises:
        CommandFailedError: the provider could not be built.
        KeyError: this machine is of a kind that is not known here.
    """
    program = build()
    target = f"linux_{_MACHINES[platform.machine()]}"
    for name, listed in listing().items():
        version = schema(name)["version"]
        for registry in _REGISTRIES:
            place = folder / "mirror" / registry / listed["source"] / version / target
            place.mkdir(parents=True, exist_ok=True)
            # A link, not a symbolic one: it finds out by its own name which provider it is.
            _link(program, place / f"terraform-provider-{name}_v{version}")
    configuration = folder / "terraform.rc"
    # Without `direct`, no registry is ever asked.
    installation = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder}/mirror"\n  }}\n}}\n'
    configuration.write_text(f"disable_checkpoint = true\n{installation}", encoding="utf-8")
    return {"TF_CLI_CONFIG_FILE": str(configuration), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}


def build() -> Path:
    """Return the program that stands in, built once.

    Raises:
        CommandFailedError: it could not be built.
    """
    return golang.build(_GROUP, ["."]) / _GROUP


def write_schemas() -> list[Path]:
    """Read the schemas anew from the bindings, write them beside the provider, and return the files.

    Raises:
        CommandFailedError: a wheel could not be fetched.
        BindingsError: a type is not in the bindings, or in a form that is not known.
    """
    SCHEMAS.mkdir(exist_ok=True)
    written = []
    for name, listed in listing().items():
        bindings = Bindings.of(wheels.unpack(listed["wheel"]))
        found = bindings.schema(listed["source"], listed["resources"], listed["data_sources"])
        file = SCHEMAS / f"{name}.json"
        text = json.dumps({"read from": listed["wheel"], **found}, indent=1, sort_keys=True)
        file.write_text(text + "\n", encoding="utf-8")
        written.append(file)
    return written


def schema(name: str) -> Mapping[str, Any]:
    """Return the schema that the stand-in has as provider `name`."""
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def listing() -> Mapping[str, Any]:
    """Return what stand-in.toml lists, by the provider's name."""
    return tomllib.loads(_LIST.read_text(encoding="utf-8"))


def _link(program: Path, place: Path) -> None:
    place.unlink(missing_ok=True)
    try:
        place.hardlink_to(program)
    except OSError:  # on another filesystem than the cache
        place.write_bytes(program.read_bytes())
        place.chmod(0o755)


def search_path() -> str:
    """Return a PATH on which helm, which the stand-in runs, is a Helm 3, as it is inside the provider.

    Raises:
        CommandFailedError: it could not be fetched.
    """
    return f"{tools.fetch_helm_3()}{os.pathsep}{os.environ['PATH']}"
