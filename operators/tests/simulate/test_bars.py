"""The tests keep to their acceptance bars, measured on the code that ships, with fixed seeds.

Rows and bars are `simulate.rows`; `make simulate` runs all of them, with 2,000 rollouts for each share. Here, rows over
a day of looks are a choice of cells, and each row has as many rollouts as a suite has time for. A share has to keep to
its bar with its upper 95 % bound, so fewer rollouts ask more of it, not less.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from leeway_operators.simulate.bars import Measured, Simulation
from leeway_operators.simulate.rows import every_simulation
from leeway_operators.simulate.table import measure_simulation

ROLLOUTS = {4: 500, 5: 500, 6: 500, 7: 500, 8: 2000, 9: 1000, 10: 1000, 11: 500, 12: 500, 13: 500}
"""By row."""
DAYS = {
    "peeked": 300,
    "errors 0.001, 100/s": 1000,
    "errors 0.01, 10/s": 1000,
    "errors 0.05, 1/s": 1000,
    "all gates": 500,
    "sample ratio": 500,
}
"""Of rows over a day of looks, those that are run here."""
SIMULATIONS = every_simulation()


def rollouts_here(simulation: Simulation) -> int:
    """How many; 0: left to the whole table."""
    bar = simulation.bars[0]
    if "24 h" not in bar.what:
        return ROLLOUTS[bar.row]
    return next((rollouts for cell, rollouts in DAYS.items() if cell in bar.what), 0)


HERE = {index: rollouts_here(simulation) for index, simulation in enumerate(SIMULATIONS) if rollouts_here(simulation)}
BARS = [(index, number) for index in HERE for number in range(len(SIMULATIONS[index].bars))]


@pytest.fixture(scope="module")
def measuring() -> Iterator[dict[int, Future[list[Measured]]]]:
    """All at once, on all cores."""
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield {index: pool.submit(measure_simulation, index, rollouts) for index, rollouts in HERE.items()}


@pytest.mark.parametrize(
    ("index", "number"), BARS, ids=[SIMULATIONS[index].bars[number].what for index, number in BARS]
)
def test_bar_is_kept(index: int, number: int, measuring: dict[int, Future[list[Measured]]]) -> None:
    bar, measured = SIMULATIONS[index].bars[number], measuring[index].result()[number]
    assert bar.holds(measured), f"row {bar.row}: {bar.what}: {measured}, must be {bar.must}"
