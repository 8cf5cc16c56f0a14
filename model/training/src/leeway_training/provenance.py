"""Who made a bundle, when, where and how: what may differ between two equal runs."""

import getpass
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


def provenance(program: str, arguments: Sequence[str] | None, **what: Any) -> dict[str, Any]:
    """Describe this run: ``provenance.json``, which is no part of the digest.

    Args:
        program: the command's name.
        arguments: the command's, those of this process if None.
        what: further entries that are JSON.
    """
    return {
        "schema_version": 1,
        "who": _user(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": _git_commit(),
        "command": [program, *(sys.argv[1:] if arguments is None else arguments)],
        "host": {"name": platform.node(), "machine": platform.machine(), "python": platform.python_version()},
        **what,
    }


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without an account, as containers have
        return None


def _git_commit() -> str | None:
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except FileNotFoundError:  # images carry no git
        return None
    return found.stdout.strip() if found.returncode == 0 else None
