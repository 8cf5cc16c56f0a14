"""Numbers as a panel writes them, and the colours of its thresholds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

COLOURS = {
    "green": "#73bf69",
    "orange": "#ff9830",
    "red": "#f2495c",
    "blue": "#5794f2",
    "text": "#ccccdc",
    "transparent": "none",
}
"""Grafana's names of colours that the dashboards use, in its dark theme."""

_SECONDS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_LARGE = ((1e9, " Bil"), (1e6, " Mil"), (1e3, " K"))
_BYTES = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))
# From here on three digits are no fraction.
_WHOLE = 100
_SCALES = {"s": _SECONDS, "bytes": _BYTES}
_PLAIN = {"none": (1, ""), "percent": (1, " %"), "percentunit": (100, " %")}
_COUNTS = {"short": "", "reqps": " req/s", "cps": " c/s", "rowsps": " rows/s"}


def written(value: float, unit: str, decimals: int | None = None) -> str:
    """A value in Grafana's unit, such as `12.5 %` for 0.125 in `percentunit`.

    Raises:
        KeyError: the unit is none that the dashboards use.
    """
    if math.isnan(value):
        return "NaN"
    if unit in _SCALES:
        return _scaled(value, _SCALES[unit], decimals)
    if unit in _PLAIN:
        factor, ending = _PLAIN[unit]
        return _short(factor * value, decimals) + ending
    return _large(value, decimals) + _COUNTS[unit]


def _short(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:,.{decimals}f}"
    return f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.3g}"


def _large(value: float, decimals: int | None) -> str:
    for size, name in _LARGE:
        if abs(value) >= size:
            return f"{_short(value / size, decimals)}{name}"
    return _short(value, decimals)


def _scaled(value: float, sizes: Sequence[tuple[float, str]], decimals: int | None) -> str:
    nothing = [one for one in sizes if one[0] == 1]
    size, name = next((one for one in sizes if abs(value) >= one[0]), sizes[-1]) if value else nothing[0]
    return f"{_short(value / size, decimals)} {name}"


def colour(value: float, thresholds: Mapping[str, Any]) -> str:
    """The colour of a value by Grafana's thresholds: that of the last step that it reaches."""
    name = "text"
    for step in thresholds["steps"]:
        if step["value"] is None or value >= step["value"]:
            name = step["color"]
    return COLOURS[name]
