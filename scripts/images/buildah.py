"""buildah from Debian's package, unpacked: builds Containerfiles on a machine without a container engine.

It keeps its storage in the cache, reads no configuration of the machine and asks no registry: every image that a
Containerfile starts from is loaded from an archive first. Building needs root (it mounts and changes root), and
uses the machine's network and certificate authorities for what a build downloads.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster import paths
from cluster.fetch import debian
from cluster.shell import run

_PACKAGES = (
    "buildah", "golang-github-containers-common", "libassuan0", "libdevmapper1.02.1", "libgpg-error0", "libgpgme11",
    "libseccomp2",
)  # fmt: skip
# Only local archives are ever read, and `pull` is told which.
_POLICY = (
    '{"default": [{"type": "reject"}], "transports": {"docker-archive": {"": [{"type": "insecureAcceptAnything"}]}}}'
)
_CERTIFICATES = Path("/etc/ssl/certs")


def build(
    containerfile: Path,
    context: Path,
    *,
    archive: Path,
    reference: str,
    starts: Mapping[str, tuple[str, Path]],
    log: Path,
    target: str | None = None,
) -> None:
    """Build `containerfile` and write the image as `reference` to `archive`, which appears complete or not at all.

    Args:
        containerfile: what to build.
        context: the folder that COPY copies from.
        archive: the docker-archive tar to write.
        reference: the image's full name.
        starts: build argument → (reference, archive) of an image that the Containerfile starts from.
        log: receives buildah's output.
        target: the stage that is the image; the last by default.

    Raises:
        CommandFailedError: the build failed; the message names the log.
        PermissionError: not run by root.
    """
    if os.geteuid() != 0:
        raise PermissionError(f"building {reference} mounts and changes root: run by uid {os.geteuid()}, expected root")
    program = _Buildah(paths.cache() / "images" / "buildah", log)
    try:
        for _, start in starts.values():
            program("pull", f"docker-archive:{start}")
        mounts = ["--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro"] if _CERTIFICATES.is_dir() else []
        program(
            "build",
            *("--isolation", "chroot"),
            "--pull-never",
            "--no-cache",
            *("--timestamp", "0"),
            *mounts,
            *(part for name, (image, _) in starts.items() for part in ("--build-arg", f"{name}={image}")),
            *(() if target is None else ("--target", target)),
            *("--file", containerfile),
            *("--tag", reference),
            context,
        )
        new = archive.with_suffix(".new")
        new.unlink(missing_ok=True)
        program("push", reference, f"docker-archive:{new}:{reference}")
        new.rename(archive)
    finally:
        program.clear()


class _Buildah:
    """The program with its own storage and configuration."""

    def __init__(self, home: Path, log: Path) -> None:
        root = debian.unpack(_PACKAGES)
        home.mkdir(parents=True, exist_ok=True)
        (home / "tmp").mkdir(exist_ok=True)  # also the packages that builds download, kept from one to the next
        (home / "policy.json").write_text(_POLICY)
        (home / "registries.conf").write_text("unqualified-search-registries = []\n")
        (home / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{home}/storage"\nrunroot = "{home}/run"\n'
        )
        self._home, self._log, self._binary = home, log, home / f"buildah-{root.name}"
        if not self._binary.exists():
            _link_to_own_libraries(root, self._binary)
        self._environment = {
            "CONTAINERS_CONF": str(root / "usr/share/containers/containers.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(home / "registries.conf"),
            "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
            "TMPDIR": str(home / "tmp"),
        }

    def __call__(self, command: str, *arguments: str | Path) -> None:
        policy: Sequence[str | Path] = ()
        if command in {"build", "pull", "push"}:
            policy = ("--signature-policy", self._home / "policy.json")
        run([self._binary, command, *policy, *arguments], log=self._log, env=self._environment)

    def clear(self) -> None:
        """Empty the storage: archives are what is kept."""
        self("rm", "--all")
        self("rmi", "--all", "--force")
        shutil.rmtree(self._home / "run", ignore_errors=True)


def _link_to_own_libraries(root: Path, target: Path) -> None:
    """Copy buildah to `target` with the path of its libraries written into it.

    LD_LIBRARY_PATH would not do: it starts itself again inside a build, with the environment of the image.
    """
    folders = ":".join(str(path) for path in sorted({file.parent for file in root.glob("**/lib/*/*.so.*")}))
    new = target.with_suffix(".new")
    shutil.copyfile(root / "usr/bin/buildah", new)
    new.chmod(0o755)
    run([debian.unpack(["patchelf"]) / "usr/bin/patchelf", "--force-rpath", "--set-rpath", folders, new])
    new.rename(target)
