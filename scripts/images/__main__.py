"""Builds images: `python -m images build [NAME…] [--json]`."""

import argparse
import json
import sys

from cluster.shell import CommandFailedError

from images.build import IMAGES, Built, ImageTooLargeError, build


def main() -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="images", description="Builds the images of this repository.")
    commands = parser.add_subparsers(required=True)
    building = commands.add_parser("build", help="build what changed, print where it is")
    building.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(IMAGES)}; all of them by default")
    building.add_argument("--json", action="store_true", help="one JSON object, name → reference, archive, bytes")
    arguments = parser.parse_args()
    built: dict[str, Built] = {}
    try:
        for name in arguments.names or IMAGES:
            built[name] = build(name)
            if not arguments.json:
                image = built[name]
                print(f"{image.bytes / 1e6:5.0f} MB  {image.reference}  {image.archive}", flush=True)
    except (CommandFailedError, ImageTooLargeError, ValueError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(
            json.dumps(
                {
                    name: {"reference": image.reference, "archive": str(image.archive), "bytes": image.bytes}
                    for name, image in built.items()
                }
            )
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
