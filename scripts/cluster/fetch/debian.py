"""Debian packages, unpacked into the cache: nothing of the machine is installed and no service is started."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from cluster import paths
from cluster.locked import locked
from cluster.shell import run

# Where an image without a package manager tells what it holds, a file per package, as distroless images do.
RECORDS = Path("var/lib/dpkg/status.d")


def unpack(packages: Collection[str], *, records: bool = False) -> Path:
    """Return a folder that holds the files of exactly these packages (no dependencies), fetched once.

    The folder is named by the list, so another list is another folder. Package lists and archives are private to
    the cache: the machine's own apt state is neither read nor changed, but for its sources and keys.

    Args:
        packages: their names.
        records: whether each package's record (name, version, source, …) is to lie in `RECORDS` as well.

    Raises:
        CommandFailedError: a package is unknown or could not be fetched.
    """
    names = sorted(packages)
    key = hashlib.sha256("\n".join([*names, *(["", "records"] if records else [])]).encode()).hexdigest()[:12]
    target = paths.cache() / "debian" / key
    # One apt at a time: its private lists have a lock of their own, which does not wait.
    with locked(target.parent / "lock"):
        return target if target.exists() else _fetch(names, target, records=records)


def newest(packages: Collection[str]) -> dict[str, str]:
    """Return the version of each package that Debian has today, by its name; one that it does not know is left out.

    Raises:
        CommandFailedError: Debian could not be asked.
    """
    log = paths.cache() / "logs" / "debian-newest.log"
    with locked(paths.cache() / "debian" / "lock"), tempfile.TemporaryDirectory() as work:
        apt = _apt(Path(work))
        run(["apt-get", *apt, "--error-on=any", "update"], log=log)
        return policies(run(["apt-cache", *apt, "policy", *sorted(packages)], env={"LC_ALL": "C"}))


def policies(text: str) -> dict[str, str]:
    """Read the candidate versions out of what `apt-cache policy` prints."""
    found = re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: (\S+)$", text, re.MULTILINE)
    return {name: version for name, version in found if version != "(none)"}


def _apt(work: Path) -> list[str]:
    """Options by which apt keeps to folders of the cache and leaves the machine's own state alone."""
    lists = paths.cache() / "debian" / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    return ["-qq", "-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={work}", "-o", "APT::Sandbox::User=root"]


def _fetch(names: list[str], target: Path, *, records: bool) -> Path:
    work = target.with_suffix(".new")
    shutil.rmtree(work, ignore_errors=True)
    archives = work / "archives"
    for folder in (archives / "partial", work / "root"):
        folder.mkdir(parents=True, exist_ok=True)
    apt = ["apt-get", *_apt(work)]
    log = paths.cache() / "logs" / f"debian-{target.name}.log"
    run([*apt, "update"], log=log)
    run([*apt, "download", *names], log=log, cwd=archives)
    for archive in sorted(archives.glob("*.deb")):
        run(["dpkg-deb", "-x", archive, work / "root"], log=log)
        if records:
            record = work / "root" / RECORDS / archive.name.partition("_")[0]
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(run(["dpkg-deb", "--field", archive]), encoding="utf-8")
    (work / "root").rename(target)
    shutil.rmtree(work)
    return target
