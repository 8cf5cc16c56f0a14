"""The secret key of hashed inputs, kept in the data folder."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from leeway_drift.labels.privacy import SALT_BYTES


def read_salt(folder: Path) -> bytes:
    """Read the salt, made at the first start; without the file that holds it, no old hash can be matched again.

    Raises:
        ValueError: the file is there, and is no salt.
        OSError: it can be neither read nor made.
    """
    path = folder / "salt"
    if not path.exists():
        _make(path)
    salt = path.read_bytes()
    if len(salt) != SALT_BYTES:
        raise ValueError(f"{path}: {len(salt)} bytes, expected {SALT_BYTES}; restore it from its backup")
    return salt


def _make(path: Path) -> None:
    """Whole or not at all, and never in the place of one that another process has made meanwhile."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # readable by its owner alone
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SALT_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
