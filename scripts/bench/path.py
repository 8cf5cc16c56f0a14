"""What the way of events to the drift detector costs a prediction: `make bench-path`; some five minutes."""

import argparse
import signal
import sys
from pathlib import Path

from bench import path_gateway, path_host
from cluster import lifecycle, up


def main() -> int:
    """Measures and prints two tables."""
    parser = argparse.ArgumentParser(prog="bench.path", description="What capture and KServe's agent cost.")
    parser.add_argument("bundle", type=Path, help="of the flights model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of a round on several connections")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--only", choices=("gateway", "host"))
    options = parser.parse_args()
    # What was installed is uninstalled on the way out, which a signal would not take.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    size = {"rounds": options.rounds, "seconds": options.seconds, "connections": options.connections}
    cluster = up.context_from_environment()
    if options.only != "host" and not lifecycle.is_up(cluster):
        raise SystemExit(f"bench-path: the cluster {cluster.name} is not up; make up starts it")
    if options.only != "gateway":
        print(f"Without gateway and cluster:\n\n{path_host.measure(options.bundle, **size)}\n", flush=True)
    if options.only != "host":
        print(f"Over HTTPS, on the cluster:\n\n{path_gateway.measure(cluster, **size)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
