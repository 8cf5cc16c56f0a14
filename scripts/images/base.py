"""The base that the Python images stand on where no registry can be reached: Debian's Python, unpacked.

It takes the place of `docker.io/library/python:3.11-slim`, which the Containerfiles name: Python with its standard
library, a shell, coreutils, time zones and certificate authorities. No package manager, no pip, no compiler; what it
holds is told by dpkg's records, as in distroless images, so that scanners know each package by name and version.
"""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from cluster import paths
from cluster.fetch import debian
from cluster.shell import run
from images import oci, trim

PACKAGES = (
    "base-files", "ca-certificates", "coreutils", "dash", "gcc-12-base", "libacl1", "libattr1", "libbz2-1.0",
    "libc-bin", "libc6", "libcrypt1", "libexpat1", "libffi8", "libgcc-s1", "libgmp10", "liblzma5", "libpcre2-8-0",
    "libpython3.11-minimal", "libpython3.11-stdlib", "libselinux1", "libsqlite3-0", "libssl3", "libstdc++6",
    "libuuid1", "media-types", "netbase", "python3.11", "python3.11-minimal", "tzdata", "zlib1g",
)  # fmt: skip
# Parts of those packages that a container does not use.
_LEFT_OUT = (
    "usr/lib/*/gconv",
    "usr/lib/*/perl*",
    "usr/share/bug",
    "usr/src",
    "usr/share/doc-base",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
    "usr/share/pixmaps",
    "usr/share/applications",
    "usr/share/zoneinfo/posix",
    "usr/share/zoneinfo/right",
    # Modules whose libraries (ncurses, readline, Berkeley DB, NIS) are left out.
    "usr/lib/python3.11/lib-dynload/_curses*.so",
    "usr/lib/python3.11/lib-dynload/_dbm*.so",
    "usr/lib/python3.11/lib-dynload/nis*.so",
    "usr/lib/python3.11/lib-dynload/readline*.so",
    "usr/lib/python3.11/lib-dynload/_test*.so",
    "usr/lib/python3.11/lib-dynload/_ctypes_test*.so",
)
_TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\n"
    "leeway:x:10001:10001:leeway:/tmp:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nleeway:x:10001:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
}
_LINKS = {
    "usr/bin/python3": "python3.11",
    "usr/bin/python": "python3.11",
    "usr/bin/sh": "dash",
    # Where Debian's OpenSSL looks; the links belong to the package of its command, which is not here.
    "usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt",
    "usr/lib/ssl/certs": "/etc/ssl/certs",
}
_CONFIG = {
    "Cmd": ["python3.11"],
    "Env": ["PATH=/usr/local/bin:/usr/bin:/usr/sbin", "LANG=C.UTF-8"],
    "WorkingDir": "/",
}


def base_image() -> tuple[str, Path]:
    """Return the reference and the archive of the base image, made once per recipe.

    The tag is the hash of the image's content. Needs no root.

    Raises:
        CommandFailedError: a Debian package could not be fetched.
    """
    recipe = hashlib.sha256(Path(__file__).read_bytes() + Path(trim.__file__).read_bytes()).hexdigest()[:12]
    folder = paths.cache() / "images" / "base" / recipe
    for archive in folder.glob("*.tar"):
        return _reference(archive.stem), archive
    work = folder.with_suffix(".new")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(debian.unpack(PACKAGES, records=True), work, symlinks=True)
    arrange(work)
    entries = oci.layer(oci.tree(work, "/")) | {name: oci.Entry(mode=0o1777) for name in ("tmp", "var/tmp")}
    content = _digest(entries)
    archive = folder / f"{content}.tar"
    oci.write_image(archive, _reference(content), [entries], _CONFIG)
    shutil.rmtree(work)
    return _reference(content), archive


def arrange(root: Path) -> None:
    """Turn unpacked packages into a root file system: what their installation scripts would do, and no more."""
    for name in ("bin", "lib", "lib64", "sbin"):
        _merge_into_usr(root, name)
    for pattern in _LEFT_OUT:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in (root / "usr/share/doc").rglob("*"):
        if path.name != "copyright" and not path.is_dir():  # licences travel with the programs
            path.unlink()
    for name, text in _TEXTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name, target in _LINKS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)
    authorities = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    (root / "etc/ssl/certs/ca-certificates.crt").write_text("".join(path.read_text() for path in authorities))
    for python in ("usr/lib/python3.11", "usr/lib/python3"):
        if (root / python).is_dir():
            trim.trim(root / python)
            trim.compile_modules(root / python, inside=f"/{python}")
    run(["ldconfig", "-r", root, "-X"], env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
    shutil.rmtree(root / "var/cache/ldconfig", ignore_errors=True)


def _merge_into_usr(root: Path, name: str) -> None:
    """Move /<name> to /usr/<name> and link it, as every Debian system has it."""
    old, new = root / name, root / "usr" / name
    if old.is_symlink():
        return
    new.mkdir(parents=True, exist_ok=True)
    if old.is_dir():
        shutil.copytree(old, new, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(old)
    old.symlink_to(f"usr/{name}")


def _digest(entries: Mapping[str, oci.Entry]) -> str:
    digest = hashlib.sha256()
    for path, entry in sorted(entries.items()):
        digest.update(f"{path}\0{entry.mode:o}\0{entry.link}\0".encode())
        if entry.source:
            digest.update(hashlib.sha256(entry.source.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _reference(content: str) -> str:
    return f"docker.io/leeway/python-base:3.11-{content}"
