"""`make load-test`: real flights over HTTPS, in the shape of a load, against an objective."""

import argparse
import ipaddress
import sys
import time
from collections.abc import Iterable

from cluster import lifecycle, paths, up
from cluster.addons.kube import Kube
from cluster.https import Endpoint
from cluster.shell import CommandFailedError
from load import scaling
from load.profiles import PROFILES, Shape
from load.running import locust
from load.slo import Objective, read

_HPA_SECONDS = 5.0
_STOP_SECONDS = 60.0
_REPORTS = paths.REPOSITORY / "build/load"


class NotLocalError(RuntimeError):
    """The address is not one of the built-in cluster's: a load is for one's own machine."""


def main() -> int:
    """Run one load test; 0 if the objective was met, 1 if it was missed or the test could not be run."""
    parser = argparse.ArgumentParser(prog="make load-test", description=__doc__)
    parser.add_argument("--profile", default="steady", help=f"one of {', '.join(PROFILES)} (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=50, help="requests per second (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=60, help="length (default: %(default)s)")
    parser.add_argument(
        "--availability", type=float, default=99.9, metavar="PERCENT", help="at least (default: %(default)s)"
    )
    parser.add_argument(
        "--p99", type=float, default=250.0, metavar="MILLISECONDS", help="at most (default: %(default)s)"
    )
    options = parser.parse_args()
    cluster = up.context_from_environment()
    try:
        shape = Shape(options.profile, options.rate, options.seconds)
        misses = measure(cluster, shape, Objective(options.availability, options.p99))
    except (CommandFailedError, NotLocalError, OSError, ValueError) as error:
        sys.stderr.write(f"load-test: {error}\n")
        return 1
    _print(f"MISSED: {miss}" for miss in misses)
    return 1 if misses else 0


def measure(cluster: paths.ClusterPaths, shape: Shape, objective: Objective) -> list[str]:
    """Run the load, print what came of it and return what was missed.

    Raises:
        NotLocalError: the endpoint is not the built-in cluster's.
        CommandFailedError: the cluster is not there, or locust failed.
    """
    endpoint = up.endpoint(cluster)
    check_local(cluster, endpoint)
    folder = _REPORTS / shape.profile
    print(f"{shape.profile}: {shape.requests} requests in {shape.seconds} s to https://{endpoint.hostname}", flush=True)
    watching = scaling.Watch(Kube(cluster.kubeconfig), time.monotonic, every=_HPA_SECONDS)
    with watching as watch, locust(endpoint, shape, folder) as process:
        process.wait(shape.seconds + _STOP_SECONDS)
    scaling.write(watch.trace, folder / "hpa.csv")
    result = read(folder / "run_stats.csv")
    print(
        f"{result.requests} requests, {result.failures} failed: availability {result.availability:.3f} %,"
        f" p50 {result.p50:.0f} ms, p95 {result.p95:.0f} ms, p99 {result.p99:.0f} ms"
    )
    _print(
        f"  {now.second:4d} s  {now.hpa}: {now.replicas} replicas, {now.desired} desired, CPU {now.cpu} %"
        for now in scaling.changes(watch.trace)
    )
    print(f"report: {folder / 'report.html'}")
    return list(objective.misses(result, due=shape.requests))


def check_local(cluster: paths.ClusterPaths, endpoint: Endpoint) -> None:
    """Let a load go to the built-in cluster alone.

    Raises:
        NotLocalError: the address is another's, or there is no such cluster.
    """
    plan = lifecycle.addresses_of(cluster)
    if plan is None or ipaddress.ip_address(endpoint.address) not in ipaddress.ip_network(plan.load_balancers):
        raise NotLocalError(
            f"{endpoint.address}: expected an address of the cluster {cluster.name} that make up has started"
        )


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


if __name__ == "__main__":
    sys.exit(main())
