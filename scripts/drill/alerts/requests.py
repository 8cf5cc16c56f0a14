"""What clients of a drill send: flights, some in a request, as they were or with a fault; pure."""

from collections.abc import Mapping
from typing import Any

from drill.faults import Fault
from drill.flights import Flights, v2

Sample = Mapping[str, Any]
"""What is sent at once, as `v2`; with its `label` where it is a single flight whose label is known."""


def requests(flights: Flights, rows: int, fault: Fault | None = None) -> list[Sample]:
    """Return requests of `rows` flights each, with a fault in them or without; the rest that is smaller is left out."""
    written: list[Sample] = []
    for part in flights.batches(rows):
        label = {"label": part.labels[0]} if rows == 1 and part.labels else {}
        written.append({"v2": v2(part.columns if fault is None else fault.apply(part.columns)), **label})
    return written
