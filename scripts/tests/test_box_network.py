"""Two nodes' network namespaces on this machine's own kernel: all three sides reach each other, and nothing stays."""

import os
import socket
import sys
from collections.abc import Iterator

import pytest

from cluster import paths
from cluster.box import network
from cluster.shell import CommandFailedError, run

_PORT = 1  # nobody listens: who refuses was reached, and his answer found its way back
_CONNECT = f"import socket, sys; socket.create_connection((sys.argv[1], {_PORT}), timeout=5)"


@pytest.fixture
def addresses() -> network.Addresses:
    """An address plan beyond those that clusters get, another one for each process that tests."""
    return network.Addresses(64 + os.getpid() % 190)


@pytest.fixture
def nodes(addresses: network.Addresses) -> Iterator[tuple[str, str]]:
    """The namespaces of two nodes; the first forwards, as its init has it."""
    if os.geteuid() != 0:
        pytest.skip("needs network namespaces: run as root")
    cluster = paths.ClusterPaths(f"t{os.getpid()}")
    first, second = cluster.name, paths.SecondNodePaths(cluster).name
    try:
        network.create(first, addresses)
        _inside(first, "from pathlib import Path; Path('/proc/sys/net/ipv4/ip_forward').write_text('1')")
        network.join(first, second, addresses)
        yield first, second
    finally:
        network.leave(first, second, addresses)
        network.remove(first)


def _inside(name: str, program: str, *arguments: str) -> str:
    return run(["nsenter", f"--net=/run/netns/{name}", sys.executable, "-c", program, *arguments])


def test_host_first_and_second_node_reach_each_other_by_the_addresses_of_the_plan(
    nodes: tuple[str, str], addresses: network.Addresses
) -> None:
    first, second = nodes

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((addresses.second, _PORT), timeout=5)
    for name, address in ((first, addresses.second), (second, addresses.node), (second, addresses.host)):
        with pytest.raises(CommandFailedError, match="ConnectionRefusedError"):
            _inside(name, _CONNECT, address)


def test_the_second_node_reaches_nothing_outside_the_machine(nodes: tuple[str, str]) -> None:
    with pytest.raises(CommandFailedError, match="Network is unreachable"):
        run(["nsenter", f"--net=/run/netns/{nodes[1]}", "ip", "route", "get", "192.0.2.1"])


def test_a_second_node_that_leaves_takes_its_links_and_routes_along_and_may_come_again(
    nodes: tuple[str, str], addresses: network.Addresses
) -> None:
    first, second = nodes
    assert len(network.routes_to_second(addresses)) == 2
    before = run(["nsenter", f"--net=/run/netns/{first}", "ip", "-o", "link", "show"])
    assert "node1" in before

    network.leave(first, second, addresses)

    assert not network.exists(second)
    assert network.routes_to_second(addresses) == []
    assert "node1" not in run(["nsenter", f"--net=/run/netns/{first}", "ip", "-o", "link", "show"])
    network.join(first, second, addresses)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((addresses.second, _PORT), timeout=5)
