"""Load over HTTPS by Debian's wrk, a client that costs a tenth of what it asks for."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cluster.fetch import debian
from cluster.https import Endpoint
from cluster.shell import run

_PACKAGES = ("wrk", "libluajit-5.1-2", "libssl3", "libgcc-s1")
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
# wrk takes the name for TLS from its URL and asks the system for the address: in a mount namespace of its own, so that
# the machine's hosts file stays as it is.
_BY_NAME = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'


@dataclass(frozen=True)
class Load:
    """What clients saw.

    Attributes:
        requests: all of them, answered with 200.
        seconds: from the first to the last.
        p50: median of the latency in seconds.
        p99: quantile of the latency in seconds.
    """

    requests: int
    seconds: float
    p50: float
    p99: float


def load(endpoint: Endpoint, path: str, bodies: Path, *, connections: int, seconds: int) -> Load:
    """Post to the endpoint for some seconds, from each connection one request after the other.

    Args:
        endpoint: its certificate is not checked here; ``Endpoint.post`` does that.
        path: of the URL.
        bodies: a file with one a line, taken in turn.
        connections: kept open.
        seconds: whole ones, as wrk has them.

    Raises:
        RuntimeError: an answer was not 200, or there was none.
        CommandFailedError: wrk could not be had or started.
    """
    tree = debian.unpack(_PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        hosts = Path(folder) / "hosts"
        hosts.write_text(f"{endpoint.address} {endpoint.hostname}\n", encoding="utf-8")
        size = ["--threads=1", f"--connections={connections}", f"--duration={seconds}s"]
        script = [f"--script={Path(__file__).with_suffix('.lua')}", f"https://{endpoint.hostname}/", "--", path]
        printed = run(
            ["unshare", "--mount", "sh", "-c", _BY_NAME, "sh", hosts, tree / "usr/bin/wrk", *size, *script, bodies],
            env={"LD_LIBRARY_PATH": str(tree / _LIBRARIES)},
            timeout=seconds + 30,
        )
    told = json.loads(printed.splitlines()[-1])
    if told["refused"] or told["broken"] or not told["requests"]:
        raise RuntimeError(f"https://{endpoint.hostname}{path}: {told}, expected 200 to every request")
    return Load(told["requests"], told["seconds"], told["p50"], told["p99"])
