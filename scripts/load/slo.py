"""Whether a load test met its objective; pure but for reading locust's file."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SENT_AT_LEAST = 0.9
"""Of what was due: below, the machine could not send the load, and the run says nothing about the model."""


@dataclass(frozen=True)
class Result:
    """What locust counted over all answers.

    Attributes:
        requests: sent.
        failures: of them, those without a prediction.
        p50: milliseconds; NaN without requests.
        p95: likewise.
        p99: likewise.
    """

    requests: int
    failures: int
    p50: float
    p95: float
    p99: float

    @property
    def availability(self) -> float:
        """Percent of the requests that got a prediction; NaN without requests."""
        return 100 * (1 - self.failures / self.requests) if self.requests else math.nan


@dataclass(frozen=True)
class Objective:
    """What is promised: percent of requests with a prediction, and the milliseconds that 99 % of them take at most."""

    availability: float
    p99: float

    def misses(self, result: Result, *, due: int) -> Iterator[str]:
        """Say what was missed; no requests, or too few of those that were due, is a miss and not a pass."""
        if result.requests < _SENT_AT_LEAST * due:
            yield f"{result.requests} requests were sent, expected at least {_SENT_AT_LEAST:.0%} of the {due} due"
        if not result.availability >= self.availability:
            yield (
                f"availability {result.availability:.3f} %, expected at least {self.availability:g} %"
                f" ({result.failures} of {result.requests} requests failed)"
            )
        if not result.p99 <= self.p99:
            yield f"p99 {result.p99:.0f} ms, expected at most {self.p99:g} ms"


def read(file: Path) -> Result:
    """Read the line over all requests of locust's `<prefix>_stats.csv`.

    Raises:
        ValueError: there is no such line.
    """
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["Name"] == "Aggregated":
                numbers = (_number(row[column]) for column in ("50%", "95%", "99%"))
                return Result(int(row["Request Count"]), int(row["Failure Count"]), *numbers)
    raise ValueError(f"{file}: expected a line named Aggregated")


def _number(text: str) -> float:
    return float(text) if text not in ("", "N/A") else math.nan
