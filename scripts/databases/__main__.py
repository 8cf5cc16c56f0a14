"""Run a database server until standard input ends: ``python -m databases postgresql|mariadb|redis``; prints its URL."""

import argparse
import sys

from cluster.shell import CommandFailedError
from databases.servers import SERVERS, ServerFailedError


def main() -> None:
    """Start, say where, wait, stop."""
    parser = argparse.ArgumentParser(prog="databases", description="A throw-away database server for tests.")
    parser.add_argument("server", choices=SERVERS)
    options = parser.parse_args()
    try:
        with SERVERS[options.server]() as url:
            print(url, flush=True)
            sys.stdin.read()
    except (CommandFailedError, ServerFailedError) as error:
        raise SystemExit(f"databases: {error}") from error


if __name__ == "__main__":
    main()
