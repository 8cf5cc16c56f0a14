"""What a drill tells a person, line by line; pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from drill.faults import Fault
from drill.findings import Findings, seconds

Window = Mapping[str, Any]
Naive = Callable[[Window], list[str]]
"""Columns of a window in which a Kolmogorov-Smirnov test would have raised an alarm."""

_LINE = "{:<16}  {:>5}  {:<5}  {:<29}  {:<28}  {}"
HEADING = "\n".join(
    (
        _LINE.format(
            "", "", "", "largest score \u00f7 threshold", "alarm open, raised by", "Kolmogorov-Smirnov test at"
        ),
        _LINE.format("window until", "rows", "", "(1 is the threshold)", "", "p < 0.05 \u00f7 columns"),
    )
)


class Screen:
    """Tells each window once, when the one after it is there: some detectors take a while to judge.

    Args:
        naive: the verdict that is shown beside that of the detectors.
    """

    def __init__(self, naive: Naive) -> None:
        self._naive = naive
        self._told = 0

    def lines(self, findings: Findings, *, last: bool = False) -> Iterator[str]:
        """Lines of the windows that are new; ``last`` if no more will come."""
        marked = [*((window, "") for window in findings.healthy), *((window, "fault") for window in findings.faulty)]
        for window, mark in marked[self._told : len(marked) if last else -1]:
            self._told += 1
            yield self._line(window, mark)

    def _line(self, window: Window, mark: str) -> str:
        ratios = {name: ratio for name, ratio in window["ratios"].items() if ratio is not None}
        largest = max(ratios, key=lambda name: ratios[name], default="")
        score = f"{largest:<21} {ratios[largest]:7.2f}" if largest else "insufficient"
        alarmed = self._naive(window)
        naive = f"ALARM in {len(alarmed)} columns" if alarmed else "-"
        first, more = next(iter(window["detected"]), "-"), len(window["detected"]) - 1
        raised = f"{first} and {more} more" if more > 0 else first
        return _LINE.format(window["end"][:16], window["rows"], mark, score, raised, naive)


def summary(findings: Findings, fault: Fault, naive: Naive) -> Iterator[str]:
    """Who saw the fault, where and when; and what an ordinary test has to say of it."""
    yield f"{fault.what}:"
    seen = findings.seen()
    for alarm in seen:
        where = f" in {', '.join(alarm.columns[:3])}" if alarm.columns else ""
        when = f"in whole window {alarm.windows} of the fault" if alarm.windows else "in the window it began in"
        ratio = "" if alarm.ratio is None else f", at {alarm.ratio:.2f} of its threshold"
        yield f"  {alarm.detector} raised an alarm{where}, {when}{ratio}"
    if not seen:
        yield "  no detector raised an alarm for it"
    before = sum(bool(window["detected"]) for window in findings.healthy)
    yield f"  before it, detectors had an alarm open in {before} of {len(findings.healthy)} windows"
    counts = [
        f"{sum(bool(naive(window)) for window in windows)} of {len(windows)} windows {name} it"
        for name, windows in (("before", findings.healthy), ("with", findings.faulty))
    ]
    yield f"  a Kolmogorov-Smirnov test alarms in {' and '.join(counts)}"


def naive_by(rows: Callable[[float, float], Any], alarms: Callable[[Any], list[str]]) -> Naive:
    """Make the naive verdict of a window from its rows; each window is tested once.

    Args:
        rows: of a time span, in seconds since the epoch.
        alarms: columns of such rows with an alarm.
    """
    known: dict[str, list[str]] = {}

    def naive(window: Window) -> list[str]:
        if window["end"] not in known:
            known[window["end"]] = alarms(rows(seconds(window["start"]), seconds(window["end"])))
        return known[window["end"]]

    return naive
