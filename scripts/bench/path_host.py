"""What capture and KServe's agent cost by themselves: processes on this machine, without gateway and cluster.

The server alone, the server that captures, and the server behind KServe's agent. Each has a server of its own; both
kinds of events go to a sink that only acknowledges.
"""

import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.path_client import Measured, load
from cluster import paths
from cluster.fetch import golang

PATIENCE = 30.0
INFER = "/v2/models/flights/infer"
ALONE, CAPTURE, AGENT = "server", "server, capturing", "agent and server"


@dataclass
class Way:
    """One way, and what was measured on it, one value a round.

    Attributes:
        port: where requests go.
        processes: ids of its own processes by name; their CPU time is counted.
        rates: requests a second on several connections.
        medians: p50 on one connection, in seconds.
        tails: p99 on one connection, in seconds.
        cpu: CPU seconds a request by process, on several connections.
    """

    port: int
    processes: Mapping[str, int]
    rates: list[float] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)
    tails: list[float] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, body: bytes, *, connections: int, seconds: float) -> None:
        """One round."""
        single = load(self.port, INFER, body, connections=1, seconds=seconds / 2)
        self.medians.append(single.quantile(0.5))
        self.tails.append(single.quantile(0.99))
        before = {name: _cpu_seconds(process) for name, process in self.processes.items()}
        several: Measured = load(self.port, INFER, body, connections=connections, seconds=seconds)
        self.rates.append(several.rate)
        for name, process in self.processes.items():
            used = (_cpu_seconds(process) - before[name]) / len(several.latencies)
            self.cpu.setdefault(name, []).append(used)


def measure(bundle: Path, *, rounds: int, seconds: float, connections: int) -> str:
    """Measures all ways.

    Args:
        bundle: of the flights model.
        rounds: in each of which every way has its turn.
        seconds: of a round on several connections, half as many on one.
        connections: several.

    Returns:
        A table in Markdown.
    """
    body = json.dumps(json.loads((bundle / "golden.json").read_text())["cases"][0]["request"]).encode()
    with ExitStack() as running:
        ways = _start(running, bundle)
        for way in ways.values():
            load(way.port, INFER, body, connections=connections, seconds=1)  # warm
        for number in range(rounds):
            turn = list(ways.values())[number % len(ways) :] + list(ways.values())[: number % len(ways)]
            for way in turn:
                way.measure(body, connections=connections, seconds=seconds)
    return _table(ways, connections)


def _start(running: ExitStack, bundle: Path) -> dict[str, Way]:
    sink = _free_port()
    running.enter_context(_process(sys.executable, "-m", "bench.path_sink", str(sink)))
    url = f"http://127.0.0.1:{sink}/"
    ways = {}
    for name in (ALONE, CAPTURE, AGENT):
        port = _free_port()
        captures = {"LEEWAY_CAPTURE_URL": url, "LEEWAY_NAMESPACE": "bench", "LEEWAY_INFERENCESERVICE": "flights-a"}
        command = [_server(), "--model-name=flights", f"--model-dir={bundle}", f"--http-port={port}"]
        command += ["--host=127.0.0.1", f"--metrics-port={_free_port()}"]
        environment = captures if name == CAPTURE else {}
        ways[name] = Way(port, {"server": running.enter_context(_process(*command, **environment))})
    server, port = ways[AGENT], _free_port()
    program = (
        golang.build("kserve", [f"github.com/kserve/kserve/cmd/{name}" for name in ("manager", "agent")]) / "agent"
    )
    flags = f"--log-url {url} --source-uri= --log-mode all --inference-service flights-a --namespace bench"
    flags += " --endpoint 1.0.0 --component predictor --metadata-headers X-Request-Id --logger-tls-skip-verify=false"
    flags += f" --component-port {server.port} --port {port}"
    probe = json.dumps({"httpGet": {"path": "/v2/health/ready", "port": server.port, "scheme": "HTTP"}})
    agent = running.enter_context(_process(str(program), *shlex.split(flags), SERVING_READINESS_PROBE=probe))
    ways[AGENT] = Way(port, {**server.processes, "agent": agent})
    for way in ways.values():
        _wait_until_ready(way.port)
    return ways


def _table(ways: Mapping[str, Way], connections: int) -> str:
    base = ways[ALONE]
    lines = [
        f"| way | requests/s on {connections} connections | of the first | p50 / p99 on one, ms | CPU a request, us |",
        "|---|---|---|---|---|",
    ]
    for name, way in ways.items():
        ratio = statistics.median(rate / alone for rate, alone in zip(way.rates, base.rates, strict=True))
        cpu = ", ".join(f"{process} {statistics.median(used) * 1e6:.0f}" for process, used in way.cpu.items())
        p50, p99 = statistics.median(way.medians) * 1e3, statistics.median(way.tails) * 1e3
        lines.append(
            f"| {name} | {statistics.median(way.rates):,.0f} ({min(way.rates):,.0f} to {max(way.rates):,.0f})"
            f" | {ratio:.2f} | {p50:.2f} / {p99:.2f} | {cpu} |"
        )
    return "\n".join(lines)


def _server() -> str:
    """The command of the server in its own environment."""
    done = subprocess.run(
        [paths.uv(), "run", "--quiet", "--frozen", "python", "-c", "import sys; print(sys.executable)"],
        cwd=paths.REPOSITORY / "model/serving",
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return str(Path(done.stdout.strip()).with_name("leeway-serve"))


@contextmanager
def _process(*command: str, **environment: str) -> Iterator[int]:
    """The id of a process that is killed at the end; it is asked nothing, and says nothing."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=os.environ | environment, stdout=quiet, stderr=quiet) as running:
        try:
            yield running.pid
        finally:
            running.kill()


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime, proc(5)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready"):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)  # not listening yet, or 503
    raise TimeoutError(f"port {port} did not get ready within {PATIENCE:g} s")
