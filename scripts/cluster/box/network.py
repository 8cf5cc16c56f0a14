"""The network namespaces of a cluster's nodes, and its addresses.

The node is one end of a veth pair, the host the other; the host has routes to pods, Services and load balancers
through it. A second node hangs on the first by a pair of its own: to the host, to the API server and to the other pods
it goes through the first. Neither has a default route: nothing outside the machine can be reached from them.
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
_TO_SECOND = "node1"  # the first node's end of the link to the second
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
    def link(self) -> str:
        """CIDR of the link between node and host."""
        return f"10.200.{self.index}.0/30"

    @property
    def second_link(self) -> str:
        """CIDR of the link between the first node and the second."""
        return f"10.200.{self.index}.4/30"

    @property
    def first_of_second(self) -> str:
        """The first node's end of the link to the second."""
        return f"10.200.{self.index}.5"

    @property
    def second(self) -> str:
        """The second node's address."""
        return f"10.200.{self.index}.6"

    @property
    def pods(self) -> str:
        """CIDR of pods on the first node."""
        return f"10.201.{self.index}.0/24"

    @property
    def second_pods(self) -> str:
        """CIDR of pods on the second node."""
        return f"10.204.{self.index}.0/24"

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


def join(first: str, second: str, addresses: Addresses) -> None:
    """Make the second node's namespace, its link to the first, which stands, and the routes of all three sides.

    Raises:
        CommandFailedError: the machine refuses; the message is `ip`'s own.
    """
    _ip("netns", "add", second)
    _ip("-n", first, "link", "add", _TO_SECOND, "type", "veth", "peer", "name", "node0", "netns", second)
    _ip("-n", first, "addr", "add", f"{addresses.first_of_second}/30", "dev", _TO_SECOND)
    _ip("-n", first, "link", "set", _TO_SECOND, "up")
    _ip("-n", second, "link", "set", "lo", "up")
    _ip("-n", second, "addr", "add", f"{addresses.second}/30", "dev", "node0")
    _ip("-n", second, "link", "set", "node0", "up")
    _ip("-n", first, "route", "add", addresses.second_pods, "via", addresses.second, "dev", _TO_SECOND)
    for cidr in (addresses.link, addresses.pods):
        _ip("-n", second, "route", "add", cidr, "via", addresses.first_of_second, "dev", "node0")
    for cidr in (addresses.services, addresses.load_balancers):
        _ip("-n", second, "route", "add", cidr, "dev", "node0")
    for cidr in _of_second(addresses):
        _ip("route", "add", cidr, "via", addresses.node, "dev", f"{first}0")


def leave(first: str, second: str, addresses: Addresses) -> None:
    """Take away what `join` made, as far as it is there; the first node goes on."""
    # The pair by its own name: with its namespace alone it would go at some later moment.
    if exists(first) and f" {_TO_SECOND}@" in _ip("-n", first, "-o", "link", "show"):
        _ip("-n", first, "link", "del", _TO_SECOND)
    for route in routes_to_second(addresses):
        _ip("route", "del", *route.split())
    if exists(second):
        _ip("netns", "del", second)


def routes_to_second(addresses: Addresses) -> list[str]:
    """The host's routes to the second node and its pods, one line each."""
    return [line for cidr in _of_second(addresses) for line in _ip("route", "show", cidr).splitlines()]


def _of_second(addresses: Addresses) -> tuple[str, str]:
    return addresses.second_link, addresses.second_pods


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
