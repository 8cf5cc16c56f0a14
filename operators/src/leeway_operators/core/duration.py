"""Durations as Kubernetes and the Gateway API write them."""

import re
from datetime import timedelta

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d{1,5})(h|ms|m|s)")


def parse_duration(text: str) -> timedelta:
    """Read a duration such as `90s`, `1h30m` or `500ms` (GEP-2257).

    Raises:
        ValueError: the text is not one.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"duration {text!r}: expected numbers with h, m, s or ms, such as 1h30m")
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))
