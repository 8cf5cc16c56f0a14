"""The model server as an archive that a machine installs: its wheel, the locked requirements, units and a script."""

import gzip
import hashlib
import io
import tarfile
import tempfile
from pathlib import Path

from cluster import paths
from cluster.shell import run

_SERVER = paths.REPOSITORY / "model/serving"
_FILES = paths.REPOSITORY / "deploy/vm"
# user-data.sh is what fetches the archive.
_PACKED = (
    "install.sh", "leeway-server.service", "leeway-server-health.service", "leeway-server-health.timer",
    "verify_bundle.py",
)  # fmt: skip


def build(folder: Path) -> tuple[Path, str]:
    """Write `leeway-server-VERSION.tar.gz` into `folder`; return it and its SHA-256, equal for equal sources.

    Raises:
        CommandFailedError: the wheel could not be built, or the lock does not fit the project.
    """
    with tempfile.TemporaryDirectory() as scratch:
        run([paths.uv(), "build", "--quiet", "--wheel", "--out-dir", scratch], cwd=_SERVER)
        (wheel,) = Path(scratch).glob("*.whl")
        contents = {wheel.name: wheel.read_bytes(), "requirements.txt": requirements().encode()}
    contents |= {name: (_FILES / name).read_bytes() for name in _PACKED}
    archive = _archive(contents)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"leeway-server-{wheel.name.split('-')[1]}.tar.gz"
    file.write_bytes(archive)
    return file, hashlib.sha256(archive).hexdigest()


def requirements() -> str:
    """Return what uv.lock pins for the server, with the hashes of the wheels, as pip reads it."""
    return run(
        [paths.uv(), "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate"],
        cwd=_SERVER,
    )


def pack_bundle(bundle: Path, archive: Path) -> None:
    """Write the files of the folder `bundle` into `archive`, a .tar.gz that install.sh takes."""
    archive.write_bytes(
        _archive({str(f.relative_to(bundle)): f.read_bytes() for f in sorted(bundle.rglob("*")) if f.is_file()})
    )


def _archive(contents: dict[str, bytes]) -> bytes:
    """The same bytes for the same contents: no times, no owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in sorted(contents.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if name.endswith(".sh") else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)
