"""`make demo-rollout`, `make transcript` and `make prove`."""

import argparse
import os
import sys

from cluster import paths
from cluster.shell import CommandFailedError
from rollouts import demo, prove, transcript
from rollouts.cases import FAULTS
from rollouts.prometheus import QueryError


def main() -> int:
    """Run one of them; 0 if every rollout ended as it should."""
    parser = argparse.ArgumentParser(prog="rollouts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demonstrating = commands.add_parser("demo", help="a good version, then a bad one, under load")
    demonstrating.add_argument("fault", choices=sorted(FAULTS), help="what the bad version does wrong")
    writing = commands.add_parser("transcript", help="a bad version under load, into the README")
    writing.add_argument("fault", choices=sorted(FAULTS), help="what the bad version does wrong")
    proving = commands.add_parser("prove", help="good and faulty versions side by side; goes on where it was ended")
    proving.add_argument("cases", nargs="*", metavar="CASE", help="run these again; by default those without a record")
    options = parser.parse_args()
    cluster = paths.ClusterPaths(os.environ["CLUSTER"])
    try:
        if options.command == "demo":
            demo.run(cluster, FAULTS[options.fault], _say)
            return 0
        if options.command == "transcript":
            transcript.run(cluster, FAULTS[options.fault], _say)
            return 0
        misses = prove.run(cluster, options.cases, _say)
    except (
        CommandFailedError,
        LookupError,
        OSError,
        QueryError,
        TimeoutError,
        ValueError,
        demo.UnexpectedError,
    ) as error:
        sys.stderr.write(f"{options.command}: {error}\n")
        return 1
    for miss in misses:
        _say(f"MISS: {miss}")
    return 1 if misses else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
