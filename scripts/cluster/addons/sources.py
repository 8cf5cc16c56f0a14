"""Charts and manifests as upstream ships them: files of Go modules."""

import shutil
import zipfile
from pathlib import Path

from cluster import paths, versions
from cluster.fetch import golang
from cluster.shell import CommandFailedError, run


def files(name: str) -> Path:
    """Return the folder with the source of the module that versions.toml calls `name` (read-only).

    Raises:
        CommandFailedError: it could not be fetched.
        ValueError: what was fetched is not what versions.toml pins.
    """
    module = versions.modules()[name]
    if module.group is not None:
        return golang.module_source(module.group, module.path)
    target = paths.cache() / "modules" / f"{name}-{module.version}"
    if target.exists():
        return target
    stored = Path(run(["go", "env", "GOMODCACHE"]).strip()) / "cache/download" / module.path / "@v"
    archive, digest = stored / f"{module.version}.zip", stored / f"{module.version}.ziphash"
    try:
        run(["go", "mod", "download", f"{module.path}@{module.version}"], env={"GOTOOLCHAIN": "local"}, cwd=paths.TOOLS)
    except CommandFailedError:
        # Go also fails, but only after the download, when the module asks for a newer Go; no code of it is compiled.
        if not archive.exists():
            raise
    if (found := digest.read_text(encoding="utf-8").strip()) != module.sum:
        raise ValueError(f"{module.path}@{module.version}: hash {found}, expected {module.sum}")
    work = target.with_suffix(".new")
    shutil.rmtree(work, ignore_errors=True)
    with zipfile.ZipFile(archive) as content:
        content.extractall(work)
    target.parent.mkdir(parents=True, exist_ok=True)
    (work / f"{module.path}@{module.version}").rename(target)
    shutil.rmtree(work)
    return target
