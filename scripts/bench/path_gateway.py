"""What capture costs a prediction on its whole way: client, Envoy with TLS, the agent if any, server, drift detector.

The flights model is served once per way of capture at the same time, and the ways take turns, so that whatever else
the machine does meets them alike. A way's turn ends when the detector has what it is to have: an agent that is behind
is not the next one's burden.
"""

import http
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.path_release import Containers, answered, events, installed
from bench.path_wrk import Load, load
from cluster import demo, paths, up
from cluster.addons.kube import Kube
from cluster.https import Endpoint
from cluster.progress import wait_until

CAPTURES: Mapping[str, Mapping[str, Any]] = {
    "bench-hardly": {"mode": "direct", "sample": 0.001},
    "bench-direct": {"mode": "direct", "sample": 1},
    "bench-kserve": {"mode": "kserve"},
}
_NAMES = {"bench-hardly": "1 in 1000", "bench-direct": "direct", "bench-kserve": "kserve"}
_UNCHANGED_SECONDS = 3.0
_BODIES = 500
_SEEN = ("accepted", "late")  # outcomes of events whose rows were read


@dataclass
class Way:
    """One way of capture, and what was measured on it, one value a round.

    Attributes:
        endpoint: where requests go.
        containers: whose CPU time is counted.
        single: on one connection.
        several: on several.
        cpu: CPU seconds a request by container, on several connections.
    """

    endpoint: Endpoint
    containers: Containers
    single: list[Load] = field(default_factory=list)
    several: list[Load] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)


def measure(cluster: paths.ClusterPaths, *, rounds: int, seconds: int, connections: int) -> str:
    """Measures all ways.

    Args:
        cluster: that `make up` has started.
        rounds: in each of which every way has its turn.
        seconds: of a round on several connections, and half as many on one.
        connections: several.

    Returns:
        A table in Markdown.

    Raises:
        RuntimeError: a request failed.
        CommandFailedError: the cluster refused something.
        TimeoutError: it took too long.
    """
    kube = Kube(cluster.kubeconfig)
    samples = [sample["v2"] for sample in demo.samples(1000)[:_BODIES]]
    with installed(cluster, CAPTURES), tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        bodies.write_text("\n".join(map(json.dumps, samples)) + "\n", encoding="utf-8")
        endpoint = up.endpoint(cluster)
        ways = {name: _way(kube, endpoint, name, samples[0]) for name in CAPTURES}
        for name, way in ways.items():
            load(way.endpoint, _path(name), bodies, connections=connections, seconds=1)  # warm
            _settle(kube, name)
        for number in range(rounds):
            for name in _rotated(list(ways), number):
                _turn(kube, name, ways[name], bodies, seconds=seconds, connections=connections)
        seen = {name: f"{_requests_seen(kube, name):,} of {answered(kube, name):,}" for name in ways}
    return _table(ways, seen, connections)


def _way(kube: Kube, endpoint: Endpoint, name: str, sample: object) -> Way:
    own = Endpoint(f"{name}.leeway.internal", endpoint.address, endpoint.authority)
    status = 0

    def answers() -> bool:
        nonlocal status
        try:
            status, _, _ = own.post(_path(name), sample)
        except OSError:  # Envoy does not know the name yet
            return False
        return status == http.HTTPStatus.OK

    wait_until(answers, seconds=60, what=f"an answer of https://{own.hostname}")
    return Way(own, Containers.on_the_path_of(kube, name))


def _turn(kube: Kube, name: str, way: Way, bodies: Path, *, seconds: int, connections: int) -> None:
    way.single.append(load(way.endpoint, _path(name), bodies, connections=1, seconds=max(1, seconds // 2)))
    _settle(kube, name)
    before = way.containers.cpu_seconds()
    way.several.append(load(way.endpoint, _path(name), bodies, connections=connections, seconds=seconds))
    _settle(kube, name)
    for container, used in way.containers.cpu_seconds().items():
        way.cpu.setdefault(container, []).append((used - before[container]) / way.several[-1].requests)


def _settle(kube: Kube, name: str) -> None:
    """Returns when no more events of this model come: the detector says twice a second what it has."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < _UNCHANGED_SECONDS:
        now = sum(events(kube, name).values())
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(1)  # a poll, which ends with the events


def _requests_seen(kube: Kube, name: str) -> int:
    return sum(count for (kind, outcome), count in events(kube, name).items() if kind == "request" and outcome in _SEEN)


def _table(ways: Mapping[str, Way], seen: Mapping[str, str], connections: int) -> str:
    base = next(iter(ways.values()))
    head = (
        f"| capture | requests/s on {connections} | of the first | p50 / p99, ms | p50 / p99 on one, ms |"
        " CPU a request, us | requests seen |"
    )
    lines = [head, "|---|---|---|---|---|---|---|"]
    for name, way in ways.items():
        rates = [_rate(one) for one in way.several]
        ratio = statistics.median(rate / _rate(first) for rate, first in zip(rates, base.several, strict=True))
        cpu = ", ".join(f"{container} {statistics.median(used) * 1e6:.0f}" for container, used in way.cpu.items())
        lines.append(
            f"| {_NAMES[name]} | {statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f}) | {ratio:.2f}"
            f" | {_quantiles(way.several)} | {_quantiles(way.single)} | {cpu} | {seen[name]} |"
        )
    return "\n".join(lines)


def _quantiles(loads: Sequence[Load]) -> str:
    p50, p99 = (statistics.median(values) * 1e3 for values in zip(*((one.p50, one.p99) for one in loads), strict=True))
    return f"{p50:.1f} / {p99:.1f}"


def _rate(one: Load) -> float:
    return one.requests / one.seconds


def _rotated(names: list[str], number: int) -> list[str]:
    return names[number % len(names) :] + names[: number % len(names)]


def _path(name: str) -> str:
    return f"/v2/models/{name}/infer"
