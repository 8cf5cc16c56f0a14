"""Flagger's documented rule, judged on what Prometheus recorded of a candidate; pure.

One metric, `request-success-rate` of at least 99 % over the last minute (only 5xx count against it); checked every 30
seconds; no value is a failed check; failed checks add up, and five of them roll back; each check that holds adds ten
percent of the traffic, and the one at fifty promotes. Its first check comes when there is a whole minute to look at.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

WINDOW_SECONDS = 60.0
INTERVAL_SECONDS = 30.0
SUCCESS = 0.99
FAILED_CHECKS = 5
PASSED_CHECKS = 5  # at 10, 20, 30, 40 and 50 percent


@dataclass(frozen=True)
class Series:
    """One counter: `(seconds since 1970, value)` of each scrape, in order; `failed` if it counts answers of 5xx."""

    failed: bool
    samples: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Judgement:
    """What the rule would have done.

    Attributes:
        verdict: Undecided where the record ends before the rule does.
        seconds: from the first request to the verdict, or to the end of the record.
        failed: failed checks.
        checks: all of them.
    """

    verdict: Literal["Promoted", "RolledBack", "Undecided"]
    seconds: float
    failed: int
    checks: int


def judge(series: Iterable[Series], *, start: float, end: float) -> Judgement:
    """Apply the rule.

    Args:
        series: all request counters of the candidate.
        start: when it first got traffic, seconds since 1970.
        end: of the record.
    """
    record, failed, passed, now = list(series), 0, 0, start
    for now in _checks(start, end):
        if _success(record, now) >= SUCCESS:
            passed += 1
        else:  # a NaN, too: no value
            failed += 1
        if failed == FAILED_CHECKS:
            return Judgement("RolledBack", now - start, failed, failed + passed)
        if passed == PASSED_CHECKS:
            return Judgement("Promoted", now - start, failed, failed + passed)
    return Judgement("Undecided", end - start, failed, failed + passed)


def _checks(start: float, end: float) -> Iterator[float]:
    times = itertools.count(start + WINDOW_SECONDS, INTERVAL_SECONDS)
    return itertools.takewhile(lambda time: time <= end, times)


def _success(record: Sequence[Series], now: float) -> float:
    total = sum(_increase(series, now) for series in record)
    failed = sum(_increase(series, now) for series in record if series.failed)
    return 1 - failed / total if total > 0 else float("nan")


def _increase(series: Series, now: float) -> float:
    """Growth within the window; a decrease is a restart from 0, as `rate()` has it."""
    values = [value for time, value in series.samples if now - WINDOW_SECONDS <= time <= now]
    return sum(after - before if after >= before else after for before, after in itertools.pairwise(values))
