"""Programs built from Go modules, one module (go.mod, go.sum) per group in `tools/`; built once per content."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster import paths
from cluster.shell import run


def build(
    group: str, packages: Sequence[str], *, tags: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Path:
    """Return a folder with the binaries of `packages`, built in the module `tools/<group>`.

    The folder is named by the module's files, the packages and the Go toolchain, so nothing stale is ever used.

    Args:
        group: a folder of `tools/` with go.mod and go.sum.
        packages: import paths, or "." for the module's own main package; each binary is named after its path's end
            ("." is named after the group).
        tags: build tags.
        variables: Go string variables set at link time, as "import/path.name".

    Raises:
        CommandFailedError: Go is missing or the build failed; the message names the log.
    """
    module = paths.TOOLS / group
    toolchain = run(["go", "env", "GOVERSION"]).strip()
    chosen = [str(list(packages)), *tags, str(sorted((variables or {}).items()))]
    digest = hashlib.sha256(" ".join([toolchain, *chosen]).encode())
    for file in sorted(path for path in module.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(module)}\0".encode() + file.read_bytes())
    target = paths.cache() / "go" / f"{group}-{digest.hexdigest()[:12]}"
    if target.exists():
        return target
    work = target.with_suffix(".new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    flags = " ".join(["-s", "-w", *(f"-X={name}={value}" for name, value in (variables or {}).items())])
    log = paths.cache() / "logs" / f"go-{group}.log"
    run(
        [
            "go", "build", "-mod=readonly", "-trimpath", f"-tags={','.join(tags)}", "-ldflags", flags,
            "-o", f"{work}/", *packages,
        ],
        cwd=module,
        env={"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""},
        log=log,
    )  # fmt: skip
    work.rename(target)
    return target


def module_source(group: str, module: str) -> Path:
    """Return the folder of `module`'s source as required by `tools/<group>`; charts and CRDs lie there (read-only).

    Raises:
        CommandFailedError: the module is not one that the group requires, or could not be fetched.
    """
    environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    run(["go", "mod", "download", module], cwd=paths.TOOLS / group, env=environment)
    found = run(["go", "list", "-m", "-f", "{{.Dir}}", module], cwd=paths.TOOLS / group, env=environment)
    return Path(found.strip())
