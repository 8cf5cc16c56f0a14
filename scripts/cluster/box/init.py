"""Process 1 of the box: lays the box's own file systems over the host's, then keeps the services running.

Run as: python -m cluster.box.init CONFIG CGROUP... with the groups that become the roots of the box's hierarchies.
Only the standard library and its own package: nothing else may be looked up once /var and /run are the box's own.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cluster.box import cgroups

_RESTART_DELAY_SECONDS = 1.0
# The kubelet writes these; they belong to the whole machine, so in the box plain files stand over them.
_HOST_SETTINGS = (
    "vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
)  # fmt: skip


@dataclass
class Service:
    """A program of the box, started again whenever it ends."""

    name: str
    command: list[str]
    process: "subprocess.Popen[bytes] | None" = None
    start_at: float = 0.0


def mount_one(*arguments: str) -> None:
    """Mount a file system; the arguments are those of the program of that name.

    Raises:
        CalledProcessError: it was refused.
    """
    subprocess.run(["mount", *arguments], check=True)


def lay_file_systems(scratch: Path) -> None:
    """Mount what the box must have of its own: processes, cgroups, /run, /var/lib, /var/log and the sysctls."""
    groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    unified = cgroups.is_unified()  # asked before /sys is the box's own
    mount_one("-t", "proc", "proc", "/proc")
    mount_one("-t", "sysfs", "sysfs", "/sys")
    if unified:
        mount_one("-t", "cgroup2", "cgroup2", str(cgroups.ROOT))
        cgroups.step_aside(cgroups.ROOT)
    else:
        mount_one("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/sys/fs/cgroup")
        for line in groups:
            _, controllers, _ = line.split(":", 2)
            if not controllers:
                continue
            hierarchy = Path("/sys/fs/cgroup") / controllers.removeprefix("name=")
            hierarchy.mkdir()
            options = f"none,{controllers}" if controllers.startswith("name=") else controllers
            mount_one("-t", "cgroup", "-o", options, "cgroup", str(hierarchy))
    for folder in ("/run", "/var/lib", "/var/log"):
        mount_one("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    for setting in _HOST_SETTINGS:
        target = Path("/proc/sys") / setting
        copy = scratch / setting.replace("/", ".")
        copy.write_bytes(target.read_bytes())
        mount_one("--bind", str(copy), str(target))
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="utf-8")


def supervise(services: list[Service], logs: Path) -> None:
    """Keep every service running until SIGTERM; children that lost their parent are reaped here too."""
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    while not stopping:
        for service in services:
            if service.process is None and time.monotonic() >= service.start_at:
                with (logs / f"{service.name}.log").open("ab") as log:
                    service.process = subprocess.Popen(
                        service.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                    )
        _reap(services, logs)
        time.sleep(0.1)  # the only clock of this loop


def _reap(services: list[Service], logs: Path) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for service in services:
            if service.process and service.process.pid == pid:
                service.process.returncode = os.waitstatus_to_exitcode(status)
                with (logs / "init.log").open("a", encoding="utf-8") as log:
                    log.write(f"{service.name} ended with {service.process.returncode}; starting it again\n")
                service.process = None
                service.start_at = time.monotonic() + _RESTART_DELAY_SECONDS


def main() -> None:
    """Run the box described by the JSON file that is the first argument, until SIGTERM."""
    file, *groups = sys.argv[1:]
    config = json.loads(Path(file).read_text(encoding="utf-8"))
    cgroups.join([Path(group) for group in groups])
    cgroups.unshare()
    socket.sethostname(config["hostname"])
    lay_file_systems(Path(config["scratch"]))
    os.environ.clear()
    os.environ.update(config["environment"])
    supervise([Service(**service) for service in config["services"]], Path(config["logs"]))


if __name__ == "__main__":
    main()
