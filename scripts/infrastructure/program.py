"""The program that plans and applies terraform/: terraform from PATH, or OpenTofu built from its Go module."""

import json
import re
import shutil
from pathlib import Path

from cluster.fetch import golang
from cluster.shell import run

# Mocked providers, locks in S3 itself, conditions over several variables; terraform/*/versions.tf ask for the same.
MINIMUM = (1, 10)
_MODULE = "github.com/opentofu/opentofu"


def find() -> Path:
    """Return terraform from PATH if it is new enough, else OpenTofu, which is built once.

    OpenTofu and not terraform: terraform's source is under the Business Source License since 1.6, and what came before
    (MPL) knows no `terraform test`. OpenTofu is MPL and reads the same files.

    Raises:
        CommandFailedError: OpenTofu could not be built; the message names the log.
    """
    found = shutil.which("terraform")
    if found and version(Path(found)) >= MINIMUM:
        return Path(found)
    return build()


def build() -> Path:
    """Return OpenTofu, built from the module that cluster/versions.toml pins; some minutes the first time.

    It is for the checks and no more: it knows no remote state and no key of a cloud, whose client libraries are half of
    what upstream compiles (cluster/tools/opentofu/replaced).

    Raises:
        CommandFailedError: the build failed; the message names the log.
    """
    # As upstream's release does; without, it calls itself a development version.
    released = {f"{_MODULE}/version.dev": "no"}
    return golang.build("opentofu", [f"{_MODULE}/cmd/tofu"], variables=released, changed=_MODULE) / "tofu"


def version(program: Path) -> tuple[int, int]:
    """Return the major and minor version of terraform or OpenTofu.

    Raises:
        CommandFailedError: it could not be run.
        ValueError: it does not tell its version.
    """
    answer = json.loads(run([program, "version", "-json"], env={"CHECKPOINT_DISABLE": "1"}))
    return parse(str(answer.get("terraform_version")))


def parse(text: str) -> tuple[int, int]:
    """Return major and minor of a version such as "1.11.4".

    Raises:
        ValueError: it is none.
    """
    found = re.match(r"(\d+)\.(\d+)\.", text)
    if found is None:
        raise ValueError(f"version {text!r}: expected one such as 1.11.4")
    return int(found[1]), int(found[2])
