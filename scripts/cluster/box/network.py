"""The box's network namespace and its addresses.

The node is one end of a veth pair, the host the other; the host has routes to pods, Services and load balancers
through it. The box has no default route: nothing outside the machine can be reached from it.
"""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cluster.shell import run

_NAMESPACES = Path("/run/netns")
_MAXIMUM_CLUSTERS = 64


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
    taken = run(["ip", "-o", "-4", "addr", "show"])
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
    run(["ip", "netns", "add", name])
    run(["ip", "link", "add", host_link, "type", "veth", "peer", "name", node_link, "netns", name])
    run(["ip", "addr", "add", f"{addresses.host}/30", "dev", host_link])
    run(["ip", "link", "set", host_link, "up"])
    run(["ip", "-n", name, "link", "set", "lo", "up"])
    run(["ip", "-n", name, "addr", "add", f"{addresses.node}/30", "dev", node_link])
    run(["ip", "-n", name, "link", "set", node_link, "up"])
    for cidr in (addresses.pods, addresses.services, addresses.load_balancers):
        run(["ip", "route", "add", cidr, "via", addresses.node, "dev", host_link])
    for cidr in (addresses.services, addresses.load_balancers):
        # A local process needs a route before kube-proxy's rules rewrite the destination.
        run(["ip", "-n", name, "route", "add", cidr, "dev", node_link])


def remove(name: str) -> None:
    """Remove link, routes and namespace, as far as they are there."""
    if f"{name}0" in run(["ip", "-o", "link", "show"]):
        run(["ip", "link", "del", f"{name}0"])
    if exists(name):
        run(["ip", "netns", "del", name])
