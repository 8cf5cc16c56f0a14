"""Programs built from Go modules, one module (go.mod, go.sum) per group in `tools/`; built once per content."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster import paths
from cluster.locked import locked
from cluster.shell import run


def build(
    group: str,
    packages: Sequence[str],
    *,
    tags: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    changed: str | None = None,
    tools: Path = paths.TOOLS,
) -> Path:
    """Return a folder with the binaries of `packages`, built in the module `tools/<group>`.

    The folder is named by the module's files, the packages and the Go toolchain, so nothing stale is ever used.

    Args:
        group: a folder of `tools/` with go.mod and go.sum.
        packages: import paths, or "." for the module's own main package; each binary is named after its path's end
            ("." is named after the group).
        tags: build tags.
        variables: Go string variables set at link time, as "import/path.name".
        changed: the path of a module that does not build as it is published; the files of `tools/<group>/replaced`
            are laid over a copy of its source.
        tools: the folder of groups.

    Raises:
        CommandFailedError: Go is missing or the build failed; the message names the log.
    """
    module = tools / group
    toolchain = run(["go", "env", "GOVERSION"]).strip()
    chosen = [str(list(packages)), *tags, str(sorted((variables or {}).items()))]
    digest = hashlib.sha256(" ".join([toolchain, *chosen]).encode())
    for file in sorted(path for path in module.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(module)}\0".encode() + file.read_bytes())
    target = paths.cache() / "go" / f"{group}-{digest.hexdigest()[:12]}"
    flags = " ".join(["-s", "-w", *(f"-X={name}={value}" for name, value in (variables or {}).items())])
    # Two that come for the same program at once: the second waits for the first one's.
    with locked(target.with_suffix(".lock")), tempfile.TemporaryDirectory() as scratch:
        if target.exists():
            return target
        work = target.with_suffix(".new")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        replaced = [f"-modfile={change(module, changed, Path(scratch))}"] if changed else []
        run(
            [
                "go", "build", "-mod=readonly", *replaced, "-trimpath", f"-tags={','.join(tags)}", "-ldflags", flags,
                "-o", f"{work}/", *packages,
            ],
            cwd=module,
            env={"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""},
            log=paths.cache() / "logs" / f"go-{group}.log",
        )  # fmt: skip
        work.rename(target)
    return target


def change(group: Path, module: str, scratch: Path, *, source: Path | None = None) -> Path:
    """Return a go.mod like that of `group` which takes `module` from a copy with the files of `group`/replaced over it.

    Not by Go's -overlay, which refuses files of the module cache.

    Args:
        group: a folder with go.mod, go.sum and `replaced`.
        module: the path of a module that it requires.
        scratch: a folder for the copy and for the new go.mod and go.sum.
        source: where the module's source lies; by default it is fetched.

    Raises:
        CommandFailedError: the module could not be fetched.
    """
    copy = scratch / "source"
    # Only the content: the module cache is read-only, and the copy must not be.
    shutil.copytree(source or module_source(group.name, module), copy, copy_function=shutil.copyfile)
    for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    shutil.copytree(group / "replaced", copy, copy_function=shutil.copyfile, dirs_exist_ok=True)
    text = (group / "go.mod").read_text(encoding="utf-8")
    (scratch / "go.mod").write_text(f"{text}\nreplace {module} => {copy}\n", encoding="utf-8")
    shutil.copyfile(group / "go.sum", scratch / "go.sum")
    return scratch / "go.mod"


def module_source(group: str, module: str) -> Path:
    """Return the folder of `module`'s source as required by `tools/<group>`; charts and CRDs lie there (read-only).

    Raises:
        CommandFailedError: the module is not one that the group requires, or could not be fetched.
    """
    environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    run(["go", "mod", "download", module], cwd=paths.TOOLS / group, env=environment)
    found = run(["go", "list", "-m", "-f", "{{.Dir}}", module], cwd=paths.TOOLS / group, env=environment)
    return Path(found.strip())
