"""Faults as they happen to real feeds; each is a pure function of rows, and says who should see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drill.flights import Columns

_MILE = 1.609344
_DAY = 86400


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, or merely changes.

    Attributes:
        what: for a person.
        column: where it is.
        seen_by: detectors of which at least one is to see it, as `detector/reference`.
        apply: rows in, rows with the fault out.
        later: seconds by which rows are taken from later in the year; for changes that no function of a row makes.
    """

    what: str
    column: str
    seen_by: tuple[str, ...]
    apply: Callable[[Columns], Columns]
    later: int = 0


def _changed(column: str, change: Callable[[int, Any], Any]) -> Callable[[Columns], Columns]:
    def apply(columns: Columns) -> Columns:
        return columns | {column: [change(row, value) for row, value in enumerate(columns[column])]}

    return apply


def _number(column: str, change: Callable[[float], float]) -> Callable[[Columns], Columns]:
    return _changed(column, lambda _, value: None if value is None else change(value))


def _some(column: str, of_ten: int, value: float | None) -> Callable[[Columns], Columns]:
    """Replace the value in some of every ten rows; spread out, so that each request has its share."""
    return _changed(column, lambda row, kept: value if row % 10 < of_ten else kept)


def _renamed(column: str, names: dict[str, str]) -> Callable[[Columns], Columns]:
    return _changed(column, lambda _, value: names.get(value, value))


FAULTS = {
    "celsius": Fault(
        "temperature in °C where °F is expected", "temp", ("abrupt/trailing", "relation/training"),
        _number("temp", lambda value: (value - 32) / 1.8),
    ),
    "nulls": Fault("30 % of the temperatures missing", "temp", ("data_quality/training",), _some("temp", 3, None)),
    "swap": Fault(
        "the codes of two carriers of like size swapped", "carrier", ("relation/training",),
        _renamed("carrier", {"UA": "B6", "B6": "UA"}),
    ),
    "stuck": Fault(
        "the wind stands still at one value", "wind_speed", ("data_quality/training", "slow/training"),
        _number("wind_speed", lambda _: 8.05546),
    ),
    "season": Fault(
        "ten weeks later in the year: no fault, but another world", "temp", ("abrupt/trailing",),
        lambda columns: columns, later=70 * _DAY,
    ),
    "rename": Fault(
        "a carrier under another name", "carrier", ("data_quality/training",), _renamed("carrier", {"UA": "United"})
    ),
    "sentinel": Fault(
        "-999 for 10 % of the pressures", "pressure", ("data_quality/training",), _some("pressure", 1, -999.0)
    ),
    "zeros": Fault(
        "30 % of the departure delays missing and filled with 0", "dep_delay",
        ("data_quality/training", "abrupt/trailing"), _some("dep_delay", 3, 0.0),
    ),
    "seconds": Fault(
        "departure delay in seconds where minutes are expected", "dep_delay",
        ("data_quality/training", "slow/training", "abrupt/trailing"), _number("dep_delay", lambda value: value * 60),
    ),
    "km": Fault(
        "distance in kilometres where miles are expected", "distance",
        ("slow/training", "abrupt/trailing", "relation/training"), _number("distance", lambda value: value * _MILE),
    ),
}  # fmt: skip
