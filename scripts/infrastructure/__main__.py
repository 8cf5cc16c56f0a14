"""The commands behind the Makefile: python -m infrastructure program|schemas|costs|apply."""

import argparse
import signal
import sys

from cluster import prerequisites
from infrastructure import costs, live, program, stand_in


def main() -> int:
    """Print where terraform is or what environments cost, read schemas anew, or prove the platform on a cluster."""
    parser = argparse.ArgumentParser(prog="infrastructure", description=__doc__)
    parser.add_argument("command", choices=["program", "schemas", "costs", "apply"])
    try:
        command = parser.parse_args().command
        if command == "program":
            sys.stderr.write("terraform: from PATH, or OpenTofu from its Go module (some minutes the first time)\n")
            print(program.find())
        elif command == "apply":
            prerequisites.check()
            # An end that is asked for is an end like any other: the cluster goes.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
            print(live.prove())
        elif command == "costs":
            print(costs.table(costs.environments()))
        else:
            print("\n".join(str(file) for file in stand_in.write_schemas()))
    except (RuntimeError, OSError, ValueError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
