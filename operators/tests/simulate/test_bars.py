"""The tests keep to their acceptance bars, measured on the code that ships, with fixed seeds.

Rows and bars are `simulate.rows`; `make simulate` runs all of them, with 2,000 rollouts for each share. Here, rows over
a day of looks are a choice of cells, and each row has as many rollouts as a suite has time for. A share has to keep to
its bar with its upper 95 % bound, so fewer rollouts ask more of it, not less.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from leeway_operators.simulate.bars import Bar, Measured
from leeway_operators.simulate.rows import every_bar
from leeway_operators.simulate.table import measure_bar

ROLLOUTS = {4: 500, 5: 500, 6: 500, 7: 500, 8: 2000, 9: 1000, 10: 1000, 11: 500, 12: 500, 13: 500}
"""By row."""
DAYS = {
    "peeked": 300,
    "errors 0.001, 100/s": 1000,
    "errors 0.01, 10/s": 1000,
    "errors 0.05, 1/s": 1000,
    "5/s, ticks of 30 s: rolled back": 400,
    "50/s, ticks of 30 s: rolled back": 400,
    "5/s, ticks of 30 s: held": 400,
    "sample ratio": 500,
}
"""Of rows over a day of looks, those that are run here."""
BARS = every_bar()


def rollouts_here(bar: Bar) -> int:
    """How many of a row; 0: left to the whole table."""
    if "24 h" not in bar.what:
        return ROLLOUTS[bar.row]
    return next((rollouts for cell, rollouts in DAYS.items() if cell in bar.what), 0)


INDICES = [index for index, bar in enumerate(BARS) if rollouts_here(bar)]


@pytest.fixture(scope="module")
def measuring() -> Iterator[dict[int, Future[Measured]]]:
    """All at once, on all cores."""
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield {index: pool.submit(measure_bar, index, rollouts_here(BARS[index])) for index in INDICES}


@pytest.mark.parametrize("index", INDICES, ids=lambda index: BARS[index].what)
def test_bar_is_kept(index: int, measuring: dict[int, Future[Measured]]) -> None:
    bar, measured = BARS[index], measuring[index].result()
    assert bar.holds(measured), f"row {bar.row}: {bar.what}: {measured}, must be {bar.must}"
