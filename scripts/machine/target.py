"""A machine in namespaces of its own: a real Debian, its systemd as process 1, a network, SSH. Needs root.

systemd-nspawn (Debian's own program, unpacked and not installed) starts it; slirp4netns is its router, as a home's is:
out to everywhere, in by the ports that are forwarded. To the target, this machine's 127.0.0.1 is 10.0.2.2.
"""

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.box import cgroups
from cluster.fetch import debian
from cluster.shell import CommandFailedError, run
from machine import debian as image

HOST = "10.0.2.2"
_NSPAWN = (
    "libacl1", "libapparmor1", "libcap2", "libcrypt1", "libcurl4", "libip4tc2", "libkmod2", "libseccomp2",
    "libselinux1", "libsystemd-shared", "libsystemd0", "systemd-container",
)  # fmt: skip
_SLIRP = ("libcap2", "libglib2.0-0", "libpcre2-8-0", "libseccomp2", "libslirp0", "slirp4netns")
_BOOT_SECONDS = 300.0
# Goes into cgroups and becomes a program: what is made by it can be ended as a whole.
_JOINING = ("sh", "-c", 'until [ "$1" = -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"', "sh")


@dataclass(frozen=True)
class Target:
    """A machine that runs.

    Attributes:
        root: its root file system, as this machine sees it.
        leader: the process id of its systemd.
        key: the private key of root's SSH login.
        ports: this machine's port on 127.0.0.1 by the target's port.
    """

    root: Path
    leader: int
    key: Path
    ports: Mapping[int, int]

    def run(self, *command: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
        """Run a program as root on the target and return what it printed.

        Raises:
            CommandFailedError: it ended non-zero.
        """
        given = [f"{name}={value}" for name, value in (env or {}).items()]
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", *given]
        return run(["nsenter", f"--target={self.leader}", "--all", *clean, *command], stdin=stdin)


@contextlib.contextmanager
def booted(folder: Path, *, name: str, ports: tuple[int, ...]) -> Iterator[Target]:
    """Start a fresh machine whose files lie in `folder`, for the block; nothing of it is left afterwards.

    Args:
        folder: new; removed in the end.
        name: the host's name, and its cgroups'.
        ports: of the target, that this machine is to reach besides 22.

    Raises:
        CommandFailedError: this machine does not allow it, or it does not come up; names the log.
    """
    nspawn, slirp = debian.unpack(_NSPAWN), debian.unpack(_SLIRP)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        root = folder / "root"
        root.mkdir(parents=True)
        run(["tar", "--extract", "--numeric-owner", "--xattrs", "--file", image.archive(), "--directory", root])
        key = _configure(root, folder, name)
        groups = cgroups.create(name)
        processes: list[subprocess.Popen[bytes]] = []
        stack.callback(_end, name, processes)
        log = stack.enter_context((folder / "console.log").open("wb"))

        def start(*command: str | Path, libraries: Path | None = None) -> "subprocess.Popen[bytes]":
            process = subprocess.Popen(
                [*_JOINING, *map(str, groups.outer), "--", *_with_libraries(libraries), *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            processes.append(process)
            return process

        holder = start("unshare", "--net", "sleep", "infinity")
        network = Path(f"/proc/{holder.pid}/ns/net")
        _until(lambda: network.readlink() != Path("/proc/self/ns/net").readlink(), "the network namespace")
        control = folder / "slirp"
        start(
            slirp / "usr/bin/slirp4netns", "--configure", "--mtu=65520", "--netns-type=path",
            f"--api-socket={control}", network, "tap0", libraries=slirp,
        )  # fmt: skip
        _until(control.exists, "slirp4netns")
        forwarded = {port: _forward(control, port) for port in (22, *ports)}
        machine = start(
            # Control groups as every machine of today has them, whatever this one has.
            "env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
            nspawn / "usr/bin/systemd-nspawn", f"--directory={root}", "--boot", f"--machine={name}", "--register=no",
            "--keep-unit", f"--network-namespace-path={network}", "--resolv-conf=off", "--console=read-only",
            "--capability=all", libraries=nspawn,
        )  # fmt: skip
        children = Path(f"/proc/{machine.pid}/task/{machine.pid}/children")
        _until(lambda: bool(children.read_text().split()), "systemd")
        target = Target(root, int(children.read_text().split()[0]), key, forwarded)
        _until(lambda: _is_up(target), "a Debian that is up")
        yield target


def _end(name: str, processes: "list[subprocess.Popen[bytes]]") -> None:
    cgroups.kill_and_remove(name)
    for process in processes:
        process.wait()


def _configure(root: Path, folder: Path, name: str) -> Path:
    """What a cloud's first boot sets: name, DNS, the key of the first login, the authorities that are trusted here."""
    key = folder / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "leeway", "-f", key])
    ssh = root / "root/.ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    (ssh / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
    (root / "etc/hostname").write_text(f"{name}\n")
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("nameserver 10.0.2.3\n")
    authorities = Path("/etc/ssl/certs/ca-certificates.crt")
    if authorities.exists():
        shutil.copy(authorities, root / "etc/ssl/certs/ca-certificates.crt")
        (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
    return key


def _with_libraries(root: Path | None) -> tuple[str, ...]:
    if root is None:
        return ()
    folders = ("usr/lib/x86_64-linux-gnu/systemd", "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
    return ("env", "LD_LIBRARY_PATH=" + ":".join(str(root / folder) for folder in folders))


def _forward(control: Path, port: int) -> int:
    """Have slirp4netns forward a free port of 127.0.0.1 to the target's `port`; return it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    order = {"proto": "tcp", "host_addr": "127.0.0.1", "host_port": free, "guest_port": port}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(control))
        connection.sendall(json.dumps({"execute": "add_hostfwd", "arguments": order}).encode())
        connection.shutdown(socket.SHUT_WR)
        answer = json.loads(connection.recv(4096))
    if "error" in answer:
        raise CommandFailedError(f"slirp4netns does not forward port {port}: {answer['error']}")
    return free


def _is_up(target: Target) -> bool:
    try:
        return target.run("systemctl", "is-system-running").strip() == "running"
    except CommandFailedError as error:  # starting, degraded, or no bus yet
        if "degraded" in str(error):
            raise CommandFailedError(target.run("systemctl", "--failed", "--no-pager")) from error
        return False


def _until(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _BOOT_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise CommandFailedError(f"{what}: not there after {_BOOT_SECONDS:.0f} s")
        time.sleep(0.2)
