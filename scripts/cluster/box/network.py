"""The box's network namespace and its addresses.

The node is one end of a veth pair, the host the other; the host has routes to pods, Services and load balancers
through it. The box has no default route: nothing outside the machine can be reached from it.
"""

import functools
import ipaddress
import shutil
from dataclasses import dataclass
from pathlib import Path

from cluster.fetch import debian
from cluster.shell import run

_NAMESPACES = Path("/run/netns")
_MAXIMUM_CLUSTERS = 64
# For machines without iproute2: its package and the libraries it is linked to.
_IPROUTE = (
    "iproute2", "libbpf1", "libbsd0", "libcap2", "libelf1", "libmd0", "libmnl0", "libpcre2-8-0", "libselinux1",
    "libtirpc3", "zlib1g",
)  # fmt: skip


@dataclass(frozen=True)
class Addresses:
    """The address plan of the cluster with this index: every cluster of a machine has its own."""

    index: int

    @property
    def node(self) -> str:
        """The node's address, which is also the API server's."""
        return f"10.200.{self.index}.1"

    @property
    def host(self) -> str:
        """The host's end of the link."""
        return f"10.200.{self.index}.2"

    @property
    def pods(self) -> str:
        """CIDR of pods."""
        return f"10.201.{self.index}.0/24"

    @property
    def services(self) -> str:
        """CIDR of Services."""
        return f"10.202.{self.index}.0/24"

    @property
    def load_balancers(self) -> str:
        """CIDR that Services of type LoadBalancer get their addresses from."""
        return f"10.203.{self.index}.0/28"

    @property
    def api_service(self) -> str:
        """The Service `kubernetes`: the first address of the range."""
        return str(next(ipaddress.ip_network(self.services).hosts()))

    @property
    def dns(self) -> str:
        """The cluster DNS: the tenth address, by custom."""
        return str(ipaddress.ip_network(self.services)[10])


def free_index() -> int:
    """The lowest index whose addresses no cluster of this machine has.

    Raises:
        RuntimeError: all are taken.
    """
    taken = _ip("-o", "-4", "addr", "show")
    for index in range(_MAXIMUM_CLUSTERS):
        if f" {Addresses(index).host}/" not in taken:
            return index
    raise RuntimeError(f"{_MAXIMUM_CLUSTERS} clusters stand on this machine already; take one down with make down")


def exists(name: str) -> bool:
    """Whether the network namespace is there."""
    return (_NAMESPACES / name).exists()


def create(name: str, addresses: Addresses) -> None:
    """Make the namespace, the link and the routes.

    Raises:
        CommandFailedError: the machine refuses; the message is `ip`'s own.
    """
    host_link, node_link = f"{name}0", "node0"
    _ip("netns", "add", name)
    _ip("link", "add", host_link, "type", "veth", "peer", "name", node_link, "netns", name)
    _ip("addr", "add", f"{addresses.host}/30", "dev", host_link)
    _ip("link", "set", host_link, "up")
    _ip("-n", name, "link", "set", "lo", "up")
    _ip("-n", name, "addr", "add", f"{addresses.node}/30", "dev", node_link)
    _ip("-n", name, "link", "set", node_link, "up")
    for cidr in (addresses.pods, addresses.services, addresses.load_balancers):
        _ip("route", "add", cidr, "via", addresses.node, "dev", host_link)
    for cidr in (addresses.services, addresses.load_balancers):
        # A local process needs a route before kube-proxy's rules rewrite the destination.
        _ip("-n", name, "route", "add", cidr, "dev", node_link)


def remove(name: str) -> None:
    """Remove link, routes and namespace, as far as they are there."""
    if any(f" {name}0@" in link for link in links()):
        _ip("link", "del", f"{name}0")
    if exists(name):
        _ip("netns", "del", name)


def links() -> list[str]:
    """The host's network links, one line each."""
    return _ip("-o", "link", "show").splitlines()


def _ip(*arguments: str) -> str:
    return run([*_ip_program(), *arguments])


@functools.cache
def _ip_program() -> tuple[str, ...]:
    if found := shutil.which("ip"):
        return (found,)
    return unpacked_ip()


def unpacked_ip() -> tuple[str, ...]:
    """Return the command line of Debian's `ip` out of the cache."""
    root = debian.unpack(_IPROUTE)
    libraries = f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"
    return ("env", f"LD_LIBRARY_PATH={libraries}", f"{root}/bin/ip")
