"""The name of a release: what a slot runs, hashed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: object) -> bytes:
    """The one way to write a JSON value: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: the value holds a NaN or an infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def revision_of(spec: Mapping[str, Any]) -> str:
    """First ten hex digits of the SHA-256 of what a slot runs, from a ModelRollout's defaulted spec."""
    release = {key: spec.get(key) for key in ("model", "runtime", "capture")}
    return hashlib.sha256(canonical_json(release)).hexdigest()[:10]
