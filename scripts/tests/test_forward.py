"""What `make monitoring` opens is reachable, is opened again when it ends, and is closed at the end."""

import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cluster import forward
from cluster.addons.kube import Kube
from cluster.forward import Forward, Service
from cluster.progress import wait_until

# Takes one connection per line that it answers, and ends after the one that says so: as kubectl does with the pod.
KUBECTL = f"""#!{sys.executable}
import socket, sys
if "service/absent" in sys.argv:
    sys.exit('services "absent" not found')
with socket.create_server(("127.0.0.1", int(sys.argv[-1].partition(":")[0]))) as server:
    while True:
        with server.accept()[0] as connection:
            if connection.recv(16) == b"end":
                break
            connection.sendall(" ".join(sys.argv[1:]).encode())
"""


@pytest.fixture
def kube(tmp_path: Path) -> Kube:
    (tmp_path / "kubectl").write_text(KUBECTL, encoding="utf-8")
    (tmp_path / "kubectl").chmod(0o755)
    return Kube(tmp_path / "kubeconfig", tmp_path)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def ask(opened: Forward, what: bytes = b"hello") -> str:
    with socket.create_connection(("127.0.0.1", int(opened.url.rpartition(":")[2])), timeout=10) as channel:
        channel.sendall(what)
        return channel.recv(4096).decode()


def test_a_service_is_opened_at_its_own_port(kube: Kube, port: int):
    with Forward(kube, Service("Prometheus", "monitoring", "prometheus", port)) as opened:
        opened.wait()
        assert opened.url == f"http://localhost:{port}"
        assert ask(opened).split()[1:] == [
            "port-forward", "--namespace=monitoring", "service/prometheus", f"{port}:{port}",
        ]  # fmt: skip


def test_another_port_is_taken_where_somebody_has_it(kube: Kube, taken: int):
    with Forward(kube, Service("Prometheus", "monitoring", "prometheus", taken)) as opened:
        opened.wait()
        assert opened.url != f"http://localhost:{taken}"
        assert ask(opened).endswith(f":{taken}")


def test_it_is_closed_on_leaving(kube: Kube, port: int):
    with Forward(kube, Service("Prometheus", "monitoring", "prometheus", port)) as opened:
        opened.wait()
    with closing(socket.socket()) as channel:
        assert channel.connect_ex(("127.0.0.1", port)) != 0


def test_what_ends_is_opened_again_at_the_same_address(kube: Kube, port: int):
    with Forward(kube, Service("Prometheus", "monitoring", "prometheus", port)) as opened:
        opened.wait()
        assert opened.mend() is False
        url = opened.url
        ask(opened, b"end")
        wait_until(opened.mend, seconds=10, what="its end")
        opened.wait()
        assert opened.url == url
        assert ask(opened)


def test_a_service_that_is_not_there_is_an_error_that_names_it(kube: Kube, port: int):
    with (
        Forward(kube, Service("Alertmanager", "monitoring", "absent", port)) as opened,
        pytest.raises(RuntimeError, match='Alertmanager: services "absent" not found'),
    ):
        opened.wait()


def test_every_service_has_a_line_with_its_address(kube: Kube, port: int):
    service = Service("Prometheus", "monitoring", "prometheus", port, "promtool query instant {url} up")
    with Forward(kube, service) as opened:
        (line,) = forward.lines([opened])
    assert line == f"Prometheus   http://localhost:{port}   promtool query instant http://localhost:{port} up"


def grafana(namespace: str, *ports: int) -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "name": "grafana"},
        "spec": {"ports": [{"port": port} for port in ports]} if ports else {},
    }


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], []),
        ([grafana("a", 80, 8080), grafana("b", 3000)], [("a", 80)]),
        ([grafana("headless"), grafana("b", 3000)], [("b", 3000)]),
    ],
    ids=["none", "the first", "one without ports"],
)
def test_a_grafana_is_shown_where_there_is_one(items: list[dict[str, Any]], expected: list[tuple[str, int]]):
    assert [(found.namespace, found.port) for found in forward.grafana({"items": items})] == expected
