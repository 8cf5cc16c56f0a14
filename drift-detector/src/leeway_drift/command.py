"""The command ``leeway-drift``: serve, profile, export."""

import argparse
import sys
from collections.abc import Sequence

from leeway_drift.report import command as profile
from leeway_drift.service import export
from leeway_drift.service import main as serve


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the subcommands; its result is the exit code."""
    parser = argparse.ArgumentParser(prog="leeway-drift", description="Leeway's drift detector.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for part in (serve, profile, export):
        part.add_command(commands)
    options = parser.parse_args(arguments)
    sys.exit(options.run(options))


if __name__ == "__main__":
    main()
