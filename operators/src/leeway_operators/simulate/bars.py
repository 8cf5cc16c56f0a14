"""What a row of the table is: a figure, what it must keep to, and the simulation that measures it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.experiment import Experiment, GateSettings, Settings
from leeway_operators.evidence.findings import GateName
from leeway_operators.simulate.shares import lower_bound, upper_bound
from leeway_operators.simulate.traffic import Arm, Rate, Traffic
from leeway_operators.simulate.watching import Answer, Question, Scenario, Shipped, Watcher, quantile, watch

HOUR, DAY = 3600.0, 86400.0
IMPATIENT = 0.05
SHIPPED = 0.01
"""The default `alpha.rollback`."""

Measure = Callable[[int, np.random.Generator], "Measured"]
"""Runs a simulation, for a number of rollouts."""
Start = Callable[[int], Watcher]
"""A watcher that has seen nothing, of so many rollouts."""
Figure = Literal["requests", "labels", "seconds"]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One figure.

    Attributes:
        value: a share, or a median or quantile (infinite where too few rollouts decided).
        bound: of a share, the 95 % bound on the side of the bar; of a quantile the value itself.
        rollouts: it rests on.
    """

    value: float
    bound: float
    rollouts: int


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One thing to keep to.

    A share of wrong decisions keeps to its bar when the upper 95 % bound of what was counted does.

    Attributes:
        row: which of the acceptance bars.
        what: is measured, in which setting.
        must: at most this; with `least`, at least.
        unit: of the figure.
        measure: it.
        rollouts: for the whole table.
    """

    row: int
    what: str
    must: float
    unit: Literal["share", "requests", "labels", "seconds"]
    measure: Measure
    rollouts: int = 2000
    least: bool = False

    def holds(self, measured: Measured) -> bool:
        """Whether it is kept."""
        return measured.bound >= self.must if self.least else measured.bound <= self.must


def begin(*gates: GateName, alpha: float = IMPATIENT, margin: float | None = None) -> Experiment:
    """An experiment with these gates, all required, that knows nothing of stable's history."""
    settings = GateSettings(required=True, margin=margin)
    return Experiment.begin(Settings(alpha_rollback=alpha, alpha_promote=0.05, gates=dict.fromkeys(gates, settings)))


def asked(question: Question, experiment: Experiment) -> Start:
    """The shipped tests, and one question at every look."""
    return lambda rollouts: Shipped.of(rollouts, experiment, question)


def two_versions(rps: float, stable: Rate, candidate: Rate, burst: float = 0.0) -> Traffic:
    """Traffic that differs in errors only."""
    return Traffic(rps=rps, stable=Arm(errors=stable), candidate=Arm(errors=candidate), burst=burst)


def wrongly(scenario: Scenario, start: Start) -> Measure:
    """Share of rollouts in which the answer, that should be no, is ever yes."""
    return _share(scenario, start, upper_bound)


def tempted(scenario: Scenario, start: Start) -> Measure:
    """The same of a watcher that is expected to fall for it."""
    return _share(scenario, start, lower_bound)


def until(scenario: Scenario, start: Start, figure: Figure, *, share: float = 0.5, after: float = 0.0) -> Measure:
    """A quantile of what it took until yes; of seconds, those after a moment."""

    def measure(rollouts: int, rng: np.random.Generator) -> Measured:
        values: NDArray[np.float64] = getattr(_answer(scenario, start, rollouts, rng), figure)
        value = quantile(values, share) - after
        return Measured(value=value, bound=value, rollouts=rollouts)

    return measure


def _share(scenario: Scenario, start: Start, bound: Callable[[int, int], float]) -> Measure:
    def measure(rollouts: int, rng: np.random.Generator) -> Measured:
        answer = _answer(scenario, start, rollouts, rng)
        return Measured(value=answer.count / rollouts, bound=bound(answer.count, rollouts), rollouts=rollouts)

    return measure


def _answer(scenario: Scenario, start: Start, rollouts: int, rng: np.random.Generator) -> Answer:
    return watch(scenario, [start(rollouts)], rollouts=rollouts, rng=rng)[0]
