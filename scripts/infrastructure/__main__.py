"""The commands behind the Makefile: python -m infrastructure program|schemas."""

import argparse
import sys

from infrastructure import program, stand_in


def main() -> int:
    """Print where terraform is, building it if need be; or read the providers' schemas anew."""
    parser = argparse.ArgumentParser(prog="infrastructure", description=__doc__)
    parser.add_argument("command", choices=["program", "schemas"])
    try:
        if parser.parse_args().command == "program":
            sys.stderr.write("terraform: from PATH, or OpenTofu from its Go module (some minutes the first time)\n")
            print(program.find())
        else:
            print("\n".join(str(file) for file in stand_in.write_schemas()))
    except (RuntimeError, OSError, ValueError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
