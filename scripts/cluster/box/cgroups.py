"""One cgroup per hierarchy that holds everything of a box, so that stopping never has to guess at process ids.

On cgroup v2 a group whose children have controllers holds no process itself. The box's own root must therefore hold
nobody but its process 1, which can step aside; whoever makes the box and waits for its end has a group beside it:

    leeway-NAME        hands the controllers down, holds no process
    leeway-NAME/outer  the programs that make the box's namespaces
    leeway-NAME/box    the root of the box's cgroup namespace
"""

import ctypes
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_CLONE_NEWCGROUP = 0x02000000  # linux/sched.h; os.unshare comes with Python 3.12


@dataclass(frozen=True)
class Groups:
    """The cgroups of a box: `outer` for what makes it, `root` for its process 1; the same ones on cgroup v1."""

    outer: list[Path]
    root: list[Path]


def is_unified(root: Path = ROOT) -> bool:
    """Whether `root` is cgroup v2's one hierarchy; on v1 and hybrid machines every controller has its own."""
    return (root / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """The mount points of every cgroup hierarchy of this machine."""
    if is_unified():
        return [ROOT]
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines())
    return [Path(target) for _, target, kind, *_ in mounts if kind in ("cgroup", "cgroup2")]


def create(name: str) -> Groups:
    """Make the box's cgroups in every hierarchy; they exist and are empty afterwards.

    Raises:
        RuntimeError: v2 only, see `create_unified`.
    """
    if is_unified():
        return create_unified(ROOT, name)
    groups = [_create_v1(hierarchy, name) for hierarchy in hierarchies()]
    return Groups(outer=groups, root=groups)


def create_unified(hierarchy: Path, name: str) -> Groups:
    """Make the box's cgroups on v2, with every controller of the machine.

    `hierarchy` goes on handing its controllers down when the groups are gone: others may count on them by then.

    Raises:
        RuntimeError: `hierarchy` cannot hand its controllers down.
    """
    parent = hierarchy / name
    groups = Groups(outer=[parent / "outer"], root=[parent / "box"])
    for group in (parent, *groups.outer, *groups.root):
        group.mkdir(exist_ok=True)
    controllers = (hierarchy / "cgroup.controllers").read_text(encoding="utf-8").split()
    for group in (hierarchy, parent):
        hand_down(group, controllers)
    return groups


def _create_v1(hierarchy: Path, name: str) -> Path:
    group = hierarchy / name
    group.mkdir(exist_ok=True)
    for setting in ("cpuset.cpus", "cpuset.mems"):  # a new cpuset takes no process before these are set
        if (hierarchy / setting).exists():
            (group / setting).write_text((hierarchy / setting).read_text(encoding="utf-8"), encoding="utf-8")
    return group


def hand_down(group: Path, controllers: Sequence[str]) -> None:
    """Let the children of `group` use `controllers` (v2).

    Raises:
        RuntimeError: the kernel refuses; names the group.
    """
    try:
        (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers), encoding="utf-8")
    except OSError as error:
        raise RuntimeError(
            f"{group}: cannot hand {', '.join(controllers)} down to its children ({error.strerror}); expected "
            "controllers that the group has itself, and no process in it unless it is the machine's root"
        ) from error


def step_aside(root: Path) -> None:
    """Move process 1, alone in its namespace's `root`, to a group of its own, and hand the controllers down (v2).

    Raises:
        RuntimeError: another process is in `root` too.
    """
    own = root / "init"
    own.mkdir()
    (own / "cgroup.procs").write_text("1", encoding="utf-8")
    hand_down(root, (root / "cgroup.controllers").read_text(encoding="utf-8").split())


def join(groups: Sequence[Path]) -> None:
    """Move this process into `groups`; its children are born there."""
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")


def unshare() -> None:
    """Give this process a cgroup namespace whose roots are the groups it is in now.

    Raises:
        OSError: the kernel refuses.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWCGROUP) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no cgroup namespace: {os.strerror(number)}")


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
