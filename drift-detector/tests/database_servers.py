"""Real database servers of the operating system, run by the repository's scripts in an environment of their own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def server(name: str) -> Iterator[str]:
    """Run ``postgresql`` or ``mariadb`` and yield the URL of an empty database."""
    uv = subprocess.run(
        [REPOSITORY / "scripts/bootstrap.sh"], capture_output=True, text=True, check=True
    ).stdout.strip()
    command = [uv, "run", "--quiet", "--frozen", "--no-active", "python", "-m", "databases", name]
    folder = REPOSITORY / "scripts"
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the server's program printed why to standard error"
        yield url
