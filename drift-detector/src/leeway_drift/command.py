"""The command ``leeway-drift``: serve, profile, export."""

import argparse
import sys
from collections.abc import Sequence

from leeway_drift.report.command import add_command as add_profile
from leeway_drift.service.export import add_command as add_export
from leeway_drift.service.main import add_command as add_serve


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the subcommands; its result is the exit code."""
    parser = argparse.ArgumentParser(prog="leeway-drift", description="Leeway's drift detector.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add_command in (add_serve, add_profile, add_export):
        add_command(commands)
    options = parser.parse_args(arguments)
    sys.exit(options.run(options))


if __name__ == "__main__":
    main()
