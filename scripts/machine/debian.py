"""Debian 12 as a cloud's image has it: systemd, OpenSSH, Python; made by mmdebstrap from Debian's archive, once."""

import hashlib
import os
from pathlib import Path

from cluster import paths
from cluster.fetch import debian
from cluster.locked import locked
from cluster.shell import run

# Without a mirror: mmdebstrap then takes Debian's own, with its security updates.
_SUITE = "bookworm"
_PACKAGES = (
    "ca-certificates", "dbus", "iproute2", "libpam-systemd", "openssh-server", "python3", "python3-apt", "sudo",
    "systemd-sysv",
)  # fmt: skip


def archive() -> Path:
    """Return the root file system as a .tar; two minutes the first time. Needs root.

    Raises:
        CommandFailedError: Debian's archive cannot be reached, or this machine lets nobody make a root file system.
    """
    recipe = hashlib.sha256("\n".join((_SUITE, *_PACKAGES)).encode()).hexdigest()[:12]
    folder = paths.cache() / "machine"
    target = folder / f"debian-12-{recipe}.tar"
    with locked(folder / "lock"):
        if not target.exists():
            programs = debian.unpack(["mmdebstrap"]) / "usr/bin"
            unfinished = target.with_suffix(".new.tar")
            run(
                [
                    "mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(_PACKAGES)}",
                    '--aptopt=Acquire::Retries "3"', _SUITE, unfinished,
                ],
                log=paths.cache() / "logs" / "machine-debian.log",
                env={"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
            )  # fmt: skip
            unfinished.rename(target)
    return target
