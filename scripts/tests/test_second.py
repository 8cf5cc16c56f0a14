"""A second node gets the images of the first; a copy that broke off is not taken for one."""

from pathlib import Path

import pytest

from cluster import paths, second
from cluster.progress import Step
from cluster.shell import CommandFailedError

_CTR = """#!/bin/sh
# ctr --address SOCKET --namespace k8s.io images COMMAND ...
shift 5
case "$1" in
    list) printf 'docker.io/x/y:1\\nsha256:0123\\ndocker.io/x/z:2\\n' ;;
    export) shift 2; echo "$@" ;;
    import) cat >{received}; exit {imports} ;;
esac
"""


def _programs(folder: Path, *, imports: int) -> Path:
    """A Debian tree whose ctr writes what the import is given into a file, and ends it with this code."""
    (folder / "usr/bin").mkdir(parents=True)
    ctr = folder / "usr/bin/ctr"
    ctr.write_text(_CTR.format(received=folder / "received", imports=imports), encoding="utf-8")
    ctr.chmod(0o755)
    return folder


def test_every_image_of_the_first_is_copied_by_its_name_and_only_once(tmp_path: Path) -> None:
    programs = _programs(tmp_path, imports=0)

    second.copy_images(programs, Path("/first"), Path("/second"), tmp_path / "log")

    assert (tmp_path / "received").read_text(encoding="utf-8") == "docker.io/x/y:1 docker.io/x/z:2\n"


def test_a_copy_that_broke_off_is_an_error_that_names_the_log(tmp_path: Path) -> None:
    programs = _programs(tmp_path, imports=3)

    with pytest.raises(CommandFailedError, match=rf"import with 3\n.*{tmp_path}/log"):
        second.copy_images(programs, Path("/first"), Path("/second"), tmp_path / "log")


def test_a_second_node_of_a_cluster_that_is_not_up_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with pytest.raises(RuntimeError, match="the cluster unit is not up"):
        second.add(paths.ClusterPaths("unit"), Step("unit-2", lambda _: None))

    assert list(tmp_path.iterdir()) == []
