"""podman from Debian's packages, unpacked: runs containers on a machine without a container engine.

It keeps all that it writes in one folder, reads no configuration of the machine, and is meant to run in namespaces of
its own (`isolated`), so that neither the machine's network and firewall nor a podman of its own are touched.
"""

import fcntl
import json
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

from cluster.fetch import debian

_PODMAN = (
    "catatonit", "conmon", "golang-github-containers-common", "libassuan0", "libcap-ng0", "libdevmapper1.02.1",
    "libglib2.0-0", "libgpg-error0", "libgpgme11", "libseccomp2", "libselinux1", "libsubid4", "libsystemd0",
    "libyajl2", "podman", "runc",
)  # fmt: skip
# Names and addresses of containers, and the ports that are published.
_NETWORK = (
    "aardvark-dns", "iptables", "libip4tc2", "libip6tc2", "libmnl0", "libnetfilter-conntrack3", "libnfnetlink0",
    "libnftnl11", "libxtables12", "netavark",
)  # fmt: skip
_LIBRARIES = "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"
_CGROUPS = Path("/sys/fs/cgroup")
_PARENT = "libpod_parent"
# linux/sockios.h and linux/if.h.
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41


def isolated(command: Sequence[str | Path]) -> list[str | Path]:
    """Return the command that runs `command` with a network, mounts and processes of its own, which end with it."""
    return ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *command]


def loopback() -> None:
    """Bring up 127.0.0.1, which a new network lacks.

    Raises:
        OSError: not allowed.
    """
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP_RUNNING))


def install(folder: Path) -> Path:
    """Write podman's configuration to `folder` and return a program `podman` there that uses it, and nothing else.

    Raises:
        CommandFailedError: Debian's packages could not be fetched.
    """
    engine, network = debian.unpack(_PODMAN), debian.unpack(_NETWORK)
    (folder / "bin").mkdir(parents=True)
    for name in ("iptables", "ip6tables"):  # what Debian's alternatives choose
        (folder / "bin" / name).symlink_to(network / "usr/sbin/xtables-nft-multi")
    (folder / "containers.conf").write_text(configuration(engine, network), encoding="utf-8")
    (folder / "registries.conf").write_text('unqualified-search-registries = ["docker.io"]\n', encoding="utf-8")
    (folder / "policy.json").write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}), encoding="utf-8")
    libraries = ":".join(str(root / path) for root in (engine, network) for path in _LIBRARIES)
    podman = folder / "bin/podman"
    podman.write_text(
        f"""#!/bin/sh
folder={folder}
export LD_LIBRARY_PATH={libraries} XTABLES_LIBDIR={network}/usr/lib/x86_64-linux-gnu/xtables
export CONTAINERS_CONF="$folder/containers.conf" CONTAINERS_REGISTRIES_CONF="$folder/registries.conf"
export PATH="$folder/bin:$PATH"
exec {engine}/usr/bin/podman --storage-driver overlay --root "$folder/root" --runroot "$folder/run" \\
    --tmpdir "$folder/run/engine" --network-config-dir "$folder/networks" "$@"
""",
        encoding="utf-8",
    )
    podman.chmod(0o755)
    return podman


def configuration(engine: Path, network: Path) -> str:
    """Return containers.conf for what is unpacked in `engine` and `network`.

    It asks for no more open files than a process without CAP_SYS_RESOURCE may have, and for nothing of systemd.
    """
    return f"""
[engine]
cgroup_manager = "cgroupfs"
conmon_path = ["{engine}/usr/bin/conmon"]
events_logger = "file"
helper_binaries_dir = ["{network}/usr/lib/podman", "{engine}/usr/libexec/podman"]
lock_type = "file"
runtime = "runc"
[engine.runtimes]
runc = ["{engine}/usr/sbin/runc"]
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
init_path = "{engine}/usr/bin/catatonit"
[network]
network_backend = "netavark"
"""


def remove_cgroups() -> None:
    """Remove the empty control groups that podman leaves behind; those that hold a process stay."""
    for parent in (*_CGROUPS.glob(f"*/{_PARENT}"), *_CGROUPS.glob(_PARENT)):
        for group in sorted((path for path in parent.rglob("*") if path.is_dir()), reverse=True):
            group.rmdir()
        parent.rmdir()
