"""Makes images: `python -m images build [NAME…] [--json]` and `python -m images model NAME BUNDLE [--json]`."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from cluster.shell import CommandFailedError
from images.build import IMAGES, Built, ImageTooLargeError, build, build_model


def main() -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="images", description="Makes the images of this repository and of models.")
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="build what changed (needs root)")
    building.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(IMAGES)}; all of them by default")
    model = commands.add_parser("model", help="put a bundle into an image for storageUri oci://…")
    model.add_argument("name", metavar="NAME", help="the model's name")
    model.add_argument("bundle", metavar="BUNDLE", type=Path, help="folder with manifest.json")
    for command in (building, model):
        command.add_argument("--json", action="store_true", help="one JSON object, name → reference, archive, bytes")
    arguments = parser.parse_args()
    built: dict[str, Built] = {}
    try:
        for name, image in _make(arguments):
            built[name] = image
            if not arguments.json:
                print(f"{image.bytes / 1e6:5.0f} MB  {image.reference}  {image.archive}", flush=True)
    except (CommandFailedError, ImageTooLargeError, OSError, ValueError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        fields = {
            name: {"reference": image.reference, "archive": str(image.archive), "bytes": image.bytes}
            for name, image in built.items()
        }
        print(json.dumps(fields))
    return 0


def _make(arguments: argparse.Namespace) -> Iterator[tuple[str, Built]]:
    if arguments.command == "model":
        yield arguments.name, build_model(arguments.bundle, arguments.name)
        return
    for name in arguments.names or IMAGES:
        yield name, build(name)


if __name__ == "__main__":
    sys.exit(main())
