"""What a drill's status documents say of its fault; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Seen:
    """A detector that raised an alarm after the fault began.

    Attributes:
        detector: as `detector/reference`.
        windows: wholly faulty ones, until and with the one that raised the alarm; 0 is the one the fault began in.
        ratio: of score to threshold in that window; None if the document does not say.
        columns: over their thresholds when it was first seen to be raised, the largest score first.
    """

    detector: str
    windows: int
    ratio: float | None
    columns: tuple[str, ...]


@dataclass
class Findings:
    """Collects status documents while a drill goes on: columns are told of the last judgement only."""

    begin: float
    _history: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _columns: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def take(self, status: Mapping[str, Any]) -> None:
        """Take a document."""
        for window in status["history"]:
            self._history[window["end"]] = window
        for detector in status["detectors"]:
            name = f"{detector['detector']}/{detector['reference']}"
            # By the alarm and not by the window: that of data quality slides and ends elsewhere.
            if detector["detected"] and seconds(detector["window"]["end"]) > self.begin:
                over = (column["name"] for column in detector["columns"] if (column["score_ratio"] or 0) >= 1)
                self._columns.setdefault(name, tuple(over))

    @property
    def healthy(self) -> list[Mapping[str, Any]]:
        """Windows that ended before the fault began, in order of time."""
        return [window for window in self._ordered() if seconds(window["end"]) <= self.begin]

    @property
    def faulty(self) -> list[Mapping[str, Any]]:
        """Windows with the fault in them; the first perhaps in a part of it only."""
        return [window for window in self._ordered() if seconds(window["end"]) > self.begin]

    def seen(self) -> list[Seen]:
        """Detectors that had no alarm when the fault began and raised one since, the first of them first."""
        already = set(self.healthy[-1]["detected"]) if self.healthy else set()
        found: dict[str, Seen] = {}
        whole = 0
        for window in self.faulty:
            whole += seconds(window["start"]) >= self.begin
            for detector in window["detected"]:
                if detector not in already and detector not in found:
                    ratio, columns = window["ratios"].get(detector), self._columns.get(detector, ())
                    found[detector] = Seen(detector, whole, ratio, columns)
        return list(found.values())

    def _ordered(self) -> list[Mapping[str, Any]]:
        return sorted(self._history.values(), key=lambda window: seconds(window["end"]))


def episodes(windows: Sequence[Mapping[str, Any]], *, without: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Alarms that began in these windows: each as the window's end and the `detector/reference` that raised it."""
    left_out = set(without)
    began, before = [], set[str]()
    for window in windows:
        now = {name for name in window["detected"] if name not in left_out}
        began += [(window["end"], name) for name in sorted(now - before)]
        before = now
    return began


def seconds(text: str) -> float:
    """Seconds since the epoch of a time as documents write it."""
    return datetime.fromisoformat(text).timestamp()
