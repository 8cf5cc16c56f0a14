"""The commands behind the Makefile: python -m infrastructure program|schemas|costs."""

import argparse
import sys

from infrastructure import costs, program, stand_in


def main() -> int:
    """Print where terraform is (building it if need be) or what environments cost; or read schemas anew."""
    parser = argparse.ArgumentParser(prog="infrastructure", description=__doc__)
    parser.add_argument("command", choices=["program", "schemas", "costs"])
    try:
        command = parser.parse_args().command
        if command == "program":
            sys.stderr.write("terraform: from PATH, or OpenTofu from its Go module (some minutes the first time)\n")
            print(program.find())
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
