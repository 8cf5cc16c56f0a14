"""Looks at simulated traffic tick by tick, until every question has its answer or the time is over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.experiment import Experiment
from leeway_operators.evidence.ticks import CounterTick, DetectorTick, Moments
from leeway_operators.simulate.batch import Flags, keep, spread
from leeway_operators.simulate.traffic import Traffic

_WORTH_A_COPY = 0.8

Question = Callable[[Experiment], Flags]


class Watcher(Protocol):
    """Something that is shown every tick and answers yes or no in each rollout."""

    def look(self, counters: CounterTick, detector: DetectorTick | None) -> Sequence[Flags]:
        """Yes or no at this look: an array of rollouts per question."""
        ...

    def keep(self, rows: Flags) -> Self:
        """Only these rollouts."""
        ...


@dataclass
class Shipped:
    """The shipped tests, and what is asked of them at every look."""

    experiment: Experiment
    questions: tuple[Question, ...]

    @classmethod
    def of(cls, rollouts: int, experiment: Experiment, *questions: Question) -> Self:
        """Nothing weighed yet."""
        return cls(spread(experiment, rollouts), questions)

    def look(self, counters: CounterTick, detector: DetectorTick | None) -> list[Flags]:
        """Weigh a tick, then ask."""
        self.experiment = self.experiment.with_counters(counters)
        if detector is not None:
            self.experiment = self.experiment.with_detector(detector)
        return [question(self.experiment) for question in self.questions]

    def keep(self, rows: Flags) -> Self:
        """Only these rollouts."""
        return type(self)(keep(rows, self.experiment), self.questions)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Traffic over time.

    Attributes:
        traffic: what arrives, and how both versions answer.
        duration: seconds.
        tick: seconds.
        hold: seconds at each of the weights 5, 10 and 25 %, before 50 %.
        weight: the candidate's share all the time, instead.
        ratio: whether the tests are told the weight, and so look at the sample ratio.
        routed: the odds of reaching the candidate, over what the weight says.
        detected: whether a drift detector watches too.
        labels_at: seconds; the labels of all predictions until then come together. None: each comes at once.
    """

    traffic: Traffic
    duration: float
    tick: float = 10.0
    hold: float = 300.0
    weight: float | None = None
    ratio: bool = False
    routed: float = 1.0
    detected: bool = False
    labels_at: float | None = None

    def weight_at(self, time: float) -> float:
        """The candidate's share."""
        if self.weight is not None:
            return self.weight
        return (0.05, 0.10, 0.25, 0.50)[min(int(time // self.hold), 3)]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """When a question was first answered with yes.

    Attributes:
        seconds: from the beginning, one per rollout; NaN: never.
        requests: that the candidate had got by then; NaN: never.
        labels: of the candidate's, likewise.
    """

    seconds: NDArray[np.float64]
    requests: NDArray[np.float64]
    labels: NDArray[np.float64]

    @property
    def count(self) -> int:
        """Of rollouts with a yes."""
        return int(np.sum(~np.isnan(self.seconds)))

    @property
    def of(self) -> int:
        """How many rollouts there were."""
        return self.seconds.size


def quantile(values: NDArray[np.float64], share: float) -> float:
    """Of all rollouts, where those without a yes count as infinite: a median of the quick ones alone would flatter."""
    return float(np.quantile(np.where(np.isnan(values), np.inf, values), share, method="higher"))


def watch(scenario: Scenario, watchers: Sequence[Watcher], *, rollouts: int, rng: np.random.Generator) -> list[Answer]:
    """Show every watcher the same traffic.

    Returns:
        An answer for each question of each watcher, in order.
    """
    live, time, watching = np.arange(rollouts), 0.0, list(watchers)
    requests, labels = np.zeros(rollouts), np.zeros(rollouts)
    found: list[Answer] = []
    late = _Late()
    while time < scenario.duration and live.size:
        counters, detector = _tick(scenario, time, live.size, rng)
        time += scenario.tick
        requests[live] += counters.requests.candidate
        if detector is not None and scenario.labels_at is not None:
            detector = late.after(detector, come=time >= scenario.labels_at)
        if detector is not None:
            labels[live] += sum(losses.n for losses in detector.candidate.losses)
        answers = [flags for watcher in watching for flags in watcher.look(counters, detector)]
        found = found or [_none(rollouts) for _ in answers]
        for answer, flags in zip(found, answers, strict=True):
            new = live[flags & np.isnan(answer.seconds[live])]
            answer.seconds[new], answer.requests[new], answer.labels[new] = time, requests[new], labels[new]
        open_ = np.any([np.isnan(answer.seconds[live]) for answer in found], axis=0)
        # Going on with the rest alone is quicker, but costs a copy of the state.
        if open_.mean() < _WORTH_A_COPY:
            live, watching = live[open_], [watcher.keep(open_) for watcher in watching]
            late.keep(open_)
    return found


class _Late:
    """Labels that wait until all of them come together, each tick's predictions a block of their own."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Moments, Moments]] = []

    def after(self, tick: DetectorTick, *, come: bool) -> DetectorTick:
        """A tick with the labels that come in it, those of its own predictions the last."""
        self._waiting += zip(tick.candidate.losses, tick.stable.losses, strict=True)
        told: list[tuple[Moments, Moments]] = []
        if come:
            told, self._waiting = self._waiting, []
        return replace(
            tick,
            candidate=replace(tick.candidate, losses=tuple(candidate for candidate, _ in told)),
            stable=replace(tick.stable, losses=tuple(stable for _, stable in told)),
        )

    def keep(self, rows: Flags) -> None:
        """Only these rollouts."""
        self._waiting = [(_of(rows, candidate), _of(rows, stable)) for candidate, stable in self._waiting]


def _of(rows: Flags, moments: Moments) -> Moments:
    n, total, squares = (np.asarray(value)[rows] for value in (moments.n, moments.sum, moments.sumsq))
    return Moments(n=n, sum=total, sumsq=squares)


def _tick(
    scenario: Scenario, time: float, rollouts: int, rng: np.random.Generator
) -> tuple[CounterTick, DetectorTick | None]:
    said = scenario.weight_at(time)
    odds = scenario.routed * said / (1.0 - said)
    counters = scenario.traffic.counters(
        rng, time=time, seconds=scenario.tick, weight=odds / (1.0 + odds), rollouts=rollouts
    )
    detector = scenario.traffic.detector(rng, counters, time=time) if scenario.detected else None
    return replace(counters, weight=said if scenario.ratio else None), detector


def _none(rollouts: int) -> Answer:
    seconds, requests, labels = (np.full(rollouts, np.nan) for _ in range(3))
    return Answer(seconds=seconds, requests=requests, labels=labels)
