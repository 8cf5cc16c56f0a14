"""`make monitoring`: Services of the cluster on ports of this machine, until whoever asked for them has seen enough."""

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cluster.addons import monitoring
from cluster.addons.kube import Kube, Manifest
from cluster.progress import wait_until

_HOST = "127.0.0.1"
_OPEN_SECONDS = 30
_ROUND_SECONDS = 1.0


@dataclass(frozen=True)
class Service:
    """A Service of the cluster, by the name that people call what is behind it, and what they do there."""

    title: str
    namespace: str
    name: str
    port: int
    hint: str = ""


PROMETHEUS = Service(
    "Prometheus", monitoring.NAMESPACE, "prometheus", 9090,
    "the API only; promtool query instant {url} 'ALERTS'",
)  # fmt: skip
ALERTMANAGER = Service(
    "Alertmanager", monitoring.NAMESPACE, "alertmanager", 9093,
    "the API only; amtool --alertmanager.url={url} alert query",
)  # fmt: skip


def services(kube: Kube) -> list[Service]:
    """Return what there is to look at: Prometheus, Alertmanager, and Grafana if somebody has installed one."""
    label = "--selector=app.kubernetes.io/name=grafana"
    found = json.loads(kube.kubectl("get", "services", "--all-namespaces", label, "--output=json"))
    return [PROMETHEUS, ALERTMANAGER, *grafana(found)]


def grafana(answer: Manifest) -> list[Service]:
    """Return the first of the Services in `answer` (a list of Kubernetes) that can be reached; none if none can."""
    return [
        Service("Grafana", item["metadata"]["namespace"], item["metadata"]["name"], item["spec"]["ports"][0]["port"])
        for item in answer["items"]
        if item["spec"].get("ports")
    ][:1]


class Forward(AbstractContextManager["Forward"]):
    """One Service on a port of this machine: its own if that is free, any other if not. Closed on leaving the block."""

    def __init__(self, kube: Kube, service: Service) -> None:
        self.service = service
        self._kube = kube
        self._port = _free_port(service.port)
        # A file and not a pipe: nobody reads it while it is open, and a pipe that is full would block kubectl.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed on leaving the block
        self._process = self._start()

    @property
    def url(self) -> str:
        """Where it can be called."""
        return f"http://localhost:{self._port}"

    def wait(self) -> None:
        """Return once it can be called.

        Raises:
            RuntimeError: kubectl gave up; the message is its own.
            TimeoutError: nothing answers.
        """
        wait_until(self._answers, seconds=_OPEN_SECONDS, what=f"{self.service.title} at {self.url}")

    def mend(self) -> bool:
        """Open it again if it has ended, as it does with its pod; return whether it had."""
        if self._process.poll() is None:
            return False
        self._process = self._start()
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [
                self._kube.tools / "kubectl", f"--kubeconfig={self._kube.kubeconfig}", "port-forward",
                f"--namespace={self.service.namespace}", f"service/{self.service.name}",
                f"{self._port}:{self.service.port}",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._said,
        )  # fmt: skip

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            self._said.seek(0)
            raise RuntimeError(f"{self.service.title}: {self._said.read().strip() or 'kubectl port-forward ended'}")
        with socket.socket() as channel:
            return channel.connect_ex((_HOST, self._port)) == 0


def lines(forwards: Sequence[Forward]) -> list[str]:
    """Return a line per open Service for people."""
    rows = [(one.service.title, one.url, one.service.hint.format(url=one.url)) for one in forwards]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"{title:<{widths[0]}}   {url:<{widths[1]}}   {hint}".rstrip() for title, url, hint in rows]


def keep_open(forwards: Sequence[Forward]) -> None:
    """Open again what ends, for ever: the user ends it."""
    while True:
        for forward in forwards:
            if forward.mend():
                print(f"{forward.service.title} was gone; trying again")
        time.sleep(_ROUND_SECONDS)


def _free_port(wanted: int) -> int:
    with socket.socket() as channel:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            channel.bind((_HOST, wanted))
        except OSError:  # somebody has it: the system chooses
            channel.bind((_HOST, 0))
        return int(channel.getsockname()[1])
