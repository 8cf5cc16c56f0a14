"""One cgroup per hierarchy that holds everything of a box, so that stopping never has to guess at process ids."""

import os
import signal
import time
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def version() -> int:
    """1 where controllers have their own hierarchies (v1 or hybrid), 2 on the unified hierarchy."""
    return 2 if (_ROOT / "cgroup.controllers").exists() else 1


def hierarchies() -> list[Path]:
    """The mount points of every cgroup hierarchy of this machine."""
    if version() == 2:  # noqa: PLR2004 - the cgroup version's own name
        return [_ROOT]
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines())
    return [Path(target) for _, target, kind, *_ in mounts if kind in ("cgroup", "cgroup2")]


def create(name: str) -> list[Path]:
    """Make the box's cgroup in every hierarchy and return them; they exist and are empty afterwards."""
    made = []
    for hierarchy in hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # v1: a new cpuset takes no process before these are set
            if (group / setting).exists() and version() == 1:
                (group / setting).write_text((hierarchy / setting).read_text())
        made.append(group)
    return made


def join(groups: list[Path]) -> None:
    """Move this process into `groups`; its children are born there."""
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()))


def existing(name: str) -> list[Path]:
    """The box's cgroups that are there now, whoever left them."""
    return [group for hierarchy in hierarchies() if (group := hierarchy / name).is_dir()]


def kill_and_remove(name: str, *, seconds: float = 30.0) -> None:
    """Kill every process of the box and remove its cgroups.

    Raises:
        TimeoutError: something of it is still there after `seconds`; names the folder.
    """
    deadline = time.monotonic() + seconds
    while groups := existing(name):
        for group in groups:
            for pid in _processes(group):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            _remove(group)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{groups[0]}: still has processes {_processes(groups[0])[:5]} after {seconds:.0f} s")
        time.sleep(0.05)  # killed processes leave their cgroup a moment later


def _processes(group: Path) -> list[int]:
    pids = []
    for file in group.rglob("cgroup.procs"):
        try:
            pids += [int(line) for line in file.read_text().split()]
        except OSError:  # the folder vanished while it was read
            continue
    return pids


def _remove(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            Path(folder).rmdir()
        except OSError:  # still has processes: the caller comes again
            continue
