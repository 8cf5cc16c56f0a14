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

Start = Callable[[int], Watcher]
"""A watcher that has seen nothing, of so many rollouts."""
Unit = Literal["share", "requests", "labels", "seconds"]


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


Figure = Callable[[Answer], Measured]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One thing to keep to.

    A share of wrong decisions keeps to its bar when the upper 95 % bound of what was counted does.

    Attributes:
        row: which of the acceptance bars.
        what: is measured, in which setting.
        must: at most this; with `least`, at least.
        unit: of the figure.
        figure: of an answer.
        question: which of the watcher's; its number.
    """

    row: int
    what: str
    must: float
    unit: Unit
    figure: Figure
    question: int = 0
    least: bool = False

    def holds(self, measured: Measured) -> bool:
        """Whether it is kept."""
        return measured.bound >= self.must if self.least else measured.bound <= self.must


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Traffic, who watches it, and the bars that this is measured for.

    Attributes:
        scenario: the traffic.
        start: the watcher.
        bars: what its answers have to keep to.
        rollouts: for the whole table.
    """

    scenario: Scenario
    start: Start
    bars: tuple[Bar, ...]
    rollouts: int = 2000

    def measured(self, rollouts: int, rng: np.random.Generator) -> list[Measured]:
        """Run it; a figure for each bar."""
        answers = watch(self.scenario, [self.start(rollouts)], rollouts=rollouts, rng=rng)
        return [bar.figure(answers[bar.question]) for bar in self.bars]


def begin(*gates: GateName, alpha: float = IMPATIENT, margin: float | None = None) -> Experiment:
    """An experiment with these gates, all required, that knows nothing of stable's history."""
    settings = GateSettings(required=True, margin=margin)
    return Experiment.begin(Settings(alpha_rollback=alpha, alpha_promote=0.05, gates=dict.fromkeys(gates, settings)))


def asked(experiment: Experiment, *questions: Question) -> Start:
    """The shipped tests, with questions at every look."""
    return lambda rollouts: Shipped.of(rollouts, experiment, *questions)


def two_versions(rps: float, stable: Rate, candidate: Rate, burst: float = 0.0) -> Traffic:
    """Traffic that differs in errors only."""
    return Traffic(rps=rps, stable=Arm(errors=stable), candidate=Arm(errors=candidate), burst=burst)


def wrongly(answer: Answer) -> Measured:
    """Share of rollouts in which the answer, that should be no, is ever yes."""
    return Measured(value=answer.count / answer.of, bound=upper_bound(answer.count, answer.of), rollouts=answer.of)


def tempted(answer: Answer) -> Measured:
    """The same of a watcher that is expected to fall for it."""
    return Measured(value=answer.count / answer.of, bound=lower_bound(answer.count, answer.of), rollouts=answer.of)


def until(unit: Literal["requests", "labels", "seconds"], *, share: float = 0.5, after: float = 0.0) -> Figure:
    """A quantile of what it took until yes; of seconds, those after a moment."""

    def figure(answer: Answer) -> Measured:
        values: NDArray[np.float64] = getattr(answer, unit)
        value = quantile(values, share) - after
        return Measured(value=value, bound=value, rollouts=answer.of)

    return figure
