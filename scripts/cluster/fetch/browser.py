"""A browser for tests: Debian's headless Chromium with every library it needs, unpacked into the cache.

`python -m cluster.fetch.browser` prints the path of a program that starts it. Nothing is installed on the machine; of
it only the C library is used, which every Debian 12 has.
"""

import hashlib
import shutil
from pathlib import Path

from cluster import paths
from cluster.shell import run

_PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
# A C library of another point release does not go with the machine's loader; drivers of graphics cards are not used.
_LEFT_OUT = ("libc6_", "debconf_", "sysvinit-utils_", "libgl1-mesa-dri_", "libllvm15_", "libz3-4_")
_LIBRARIES = "usr/lib/x86_64-linux-gnu"

_LAUNCHER = """#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
libraries=$here/{libraries}
export LD_LIBRARY_PATH=$libraries:$here/lib/x86_64-linux-gnu:$libraries/pulseaudio
export FONTCONFIG_FILE=$here/fonts.conf
exec "$here/usr/lib/chromium/chromium-headless-shell" "$@"
"""

_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{target}/usr/share/fonts</dir><cachedir>{target}/fonts-cache</cachedir></fontconfig>
"""


def fetch() -> Path:
    """Return the program, fetched once.

    apt is asked what a machine with nothing on it would need, so that the answer does not depend on this one.

    Raises:
        CommandFailedError: a package is unknown or could not be fetched.
    """
    key = hashlib.sha256(repr((_PACKAGES, _LEFT_OUT, _LAUNCHER, _FONTS)).encode()).hexdigest()[:12]
    target = paths.cache() / "debian" / f"browser-{key}"
    if not target.exists():
        _unpack(target)
    return target / "browser"


def _unpack(target: Path) -> None:
    work = target.with_suffix(".new")
    shutil.rmtree(work, ignore_errors=True)
    archives, lists, root = work / "archives", work / "lists", work / "root"
    for folder in (archives / "partial", lists / "partial", root):
        folder.mkdir(parents=True)
    nothing = work / "status"
    nothing.touch()
    apt = [
        "apt-get", "-qq", "-y", "-o", f"Dir::State::lists={lists}", "-o", f"Dir::State::status={nothing}",
        "-o", f"Dir::Cache={work}", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1",
    ]  # fmt: skip
    log = paths.cache() / "logs" / f"{target.name}.log"
    run([*apt, "update"], log=log)
    run([*apt, "--no-install-recommends", "--download-only", "install", *_PACKAGES], log=log)
    for archive in sorted(archives.glob("*.deb")):
        if not archive.name.startswith(_LEFT_OUT):
            run(["dpkg-deb", "-x", archive, root], log=log)
    (root / "fonts.conf").write_text(_FONTS.format(target=target), encoding="utf-8")
    launcher = root / "browser"
    launcher.write_text(_LAUNCHER.format(libraries=_LIBRARIES), encoding="utf-8")
    launcher.chmod(0o755)
    root.rename(target)
    shutil.rmtree(work)


if __name__ == "__main__":
    print(fetch())
