"""The box's cgroups: laid out as v2 demands, and gone with every process in them, on this machine's own kernel too."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import paths
from cluster.box import cgroups


@pytest.fixture
def unified(tmp_path: Path) -> Path:
    """A folder with the files of a cgroup v2 root that this code reads."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu memory\n", encoding="utf-8")
    return tmp_path


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def test_the_unified_hierarchy_is_told_by_its_own_file(unified: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert cgroups.is_unified(unified)
    assert not cgroups.is_unified(tmp_path_factory.mktemp("v1"))


def test_on_v2_nothing_that_makes_the_box_is_in_its_root(unified: Path) -> None:
    groups = cgroups.create_unified(unified, "leeway-x")

    assert groups.root == [unified / "leeway-x/box"]
    assert groups.outer == [unified / "leeway-x/outer"]
    assert all(group.is_dir() for group in groups.root + groups.outer)


def test_on_v2_every_level_above_the_box_hands_all_controllers_down(unified: Path) -> None:
    cgroups.create_unified(unified, "leeway-x")

    for group in (unified, unified / "leeway-x"):
        assert _read(group / "cgroup.subtree_control") == "+cpuset +cpu +memory"


def test_on_v2_process_1_steps_aside_before_pods_get_their_groups(unified: Path) -> None:
    cgroups.step_aside(unified)

    assert _read(unified / "init/cgroup.procs") == "1"
    assert _read(unified / "cgroup.subtree_control") == "+cpuset +cpu +memory"


def test_a_group_that_may_not_hand_down_is_named(tmp_path: Path) -> None:
    (tmp_path / "cgroup.subtree_control").mkdir()  # any refusal of the kernel's will do

    with pytest.raises(RuntimeError, match=rf"{tmp_path}: cannot hand cpu, memory down"):
        cgroups.hand_down(tmp_path, ["cpu", "memory"])


def test_a_process_joins_each_of_its_groups(tmp_path: Path) -> None:
    groups = [tmp_path / "cpu", tmp_path / "memory"]
    for group in groups:
        group.mkdir()

    cgroups.join(groups)

    assert [_read(group / "cgroup.procs") for group in groups] == [str(os.getpid())] * 2


@pytest.fixture
def name() -> Iterator[str]:
    """A box's name on this machine's real hierarchies; nothing of it stays."""
    if not all(os.access(hierarchy, os.W_OK) for hierarchy in cgroups.hierarchies()):
        pytest.skip("needs cgroups it may write: run as root")
    name = f"leeway-test{os.getpid()}"
    yield name
    cgroups.kill_and_remove(name)


# What enter and init do, without the file systems: process 1 has groups of its own, and a child deeper still.
_PROCESS_1 = """
import subprocess, sys, time
from pathlib import Path
from cluster.box import cgroups

groups = [Path(group) for group in sys.argv[1:]]
cgroups.join(groups)
cgroups.unshare()
deeper = next(group for group in groups if "cpuset" not in group.parts) / "deeper"  # one that asks for no settings
deeper.mkdir()
child = subprocess.Popen(["sleep", "600"])
(deeper / "cgroup.procs").write_text(str(child.pid))
print(Path("/proc/self/cgroup").read_text(), flush=True)
time.sleep(600)
"""


def test_the_box_sees_its_groups_as_roots_and_dies_with_all_of_them(name: str) -> None:
    groups = cgroups.create(name)
    with subprocess.Popen(
        [sys.executable, "-c", _PROCESS_1, *map(str, groups.root)],
        cwd=paths.REPOSITORY / "scripts",
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.endswith(":/\n")

        cgroups.kill_and_remove(name)

        assert cgroups.existing(name) == []
        assert process.wait() == -9
