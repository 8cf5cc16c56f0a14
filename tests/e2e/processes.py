"""What the kernel says of the processes in the containers of the built-in cluster, which run on this machine."""

import errno
from dataclasses import dataclass
from pathlib import Path

from cluster import lifecycle, paths
from cluster.box import cgroups

_FILTERED = 2  # SECCOMP_MODE_FILTER, linux/seccomp.h
_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_LISTENS = "0A"  # TCP_LISTEN, net/tcp_states.h
_LOOPBACK = ("0100007F", "00000000000000000000000001000000")  # as /proc/net has 127.0.0.1 and ::1
_TOKEN = "var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path


@dataclass(frozen=True)
class Process:
    """One process, and what it is told as in proc_pid_status(5)."""

    folder: Path
    status: dict[str, str]

    def is_root(self) -> bool:
        """Whether its real, effective, saved or file system user is root."""
        return "0" in self.status["Uid"].split()

    def has_capabilities(self) -> bool:
        """Whether it has a capability, or could get one by what it executes."""
        return any(int(self.status[name], 16) for name in _CAPABILITIES)

    def may_gain_privileges(self) -> bool:
        """Whether a program with setuid or file capabilities would give it more than it has."""
        return self.status["NoNewPrivs"] != "1"

    def is_filtered(self) -> bool:
        """Whether seccomp filters its system calls."""
        return self.status["Seccomp"] == str(_FILTERED)

    def has_token(self) -> bool:
        """Whether the token of its pod's service account lies where programs look for it."""
        return (self.folder / "root" / _TOKEN).exists()

    def listening(self) -> set[int]:
        """Return the TCP ports on which its network namespace, which is its pod's, listens to others."""
        tables = [(self.folder / "net" / name).read_text(encoding="utf-8") for name in ("tcp", "tcp6")]
        sockets = [line.split() for table in tables for line in table.splitlines()[1:]]
        local = [address.split(":") for _, address, _, state, *_ in sockets if state == _LISTENS]
        return {int(port, 16) for host, port in local if host not in _LOOPBACK}

    def has_writable_root(self) -> bool:
        """Whether its root file system takes a file: from this machine's root, whom only the mount can refuse."""
        probe = self.folder / "root" / "leeway-hardening-probe"
        try:
            probe.touch(exist_ok=False)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            return False
        probe.unlink()
        return True


def of_container(cluster: paths.ClusterPaths, identity: str) -> list[Process]:
    """Return the processes of the container that the runtime knows as `identity`.

    Raises:
        LookupError: it has none, or is not of this cluster.
    """
    for group in cgroups.existing(lifecycle.cgroup_name(cluster.name)):
        for folder in group.rglob(identity):
            pids = [pid for file in folder.rglob("cgroup.procs") for pid in file.read_text(encoding="utf-8").split()]
            if found := [process for pid in pids if (process := _process(Path("/proc") / pid))]:
                return found
    raise LookupError(f"no process of container {identity} in the cgroups of cluster {cluster.name}")


def _process(folder: Path) -> Process | None:
    try:
        lines = (folder / "status").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError):  # it has ended since it was listed
        return None
    return Process(folder, dict(line.split(":\t", 1) for line in lines if ":\t" in line))
