"""What make calls.

python -m machine package   writes build/server/leeway-server-VERSION.tar.gz and says its SHA-256
python -m machine releases  writes into ansible/ what Terraform tells a machine
"""

import sys
import tempfile
from pathlib import Path

from cluster import paths
from machine import described, server_package


def main(arguments: list[str]) -> int:
    """Do what the first argument says.

    Raises:
        CommandFailedError: a program that it needs failed.
    """
    match arguments:
        case ["package"]:
            file, digest = server_package.build(paths.REPOSITORY / "build/server")
            print(f"{digest}  {file.relative_to(paths.REPOSITORY)}")
        case ["releases"]:
            with tempfile.TemporaryDirectory() as scratch:
                for path, text in described.files(Path(scratch)).items():
                    (described.ROLE / path).write_text(text)
        case _:
            print("expected: package or releases", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
