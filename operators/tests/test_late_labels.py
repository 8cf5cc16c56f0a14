"""Labels that come in one batch, after hours in which both the losses and the shares of the traffic changed.

The whole way of a label: from what the drift detector tells to whether a version is rolled back. Random numbers have
fixed seeds. Every loss is 0 or 1.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from leeway_operators.core.analysis import Arms, looked
from leeway_operators.core.comparing import Compared, compared
from leeway_operators.core.evidence import DetectorReading, Evidence, Missing
from leeway_operators.core.model import Analysis, Arm, Release
from leeway_operators.core.served import Run
from leeway_operators.core.strategy import strategy_of
from leeway_operators.evidence.experiment import Experiment
from leeway_operators.evidence.ticks import DetectorTick
from tests.evidence.rollouts import detected, experiment
from tests.stories import LONG, release
from tests.world import World

BEGAN = 1_767_225_600.0  # 2026-01-01T00:00:00Z
CHANGED, CAME = BEGAN + 3600.0, BEGAN + 7200.0
RUNS: tuple[Run, ...] = Run(begin=BEGAN, end=CHANGED), Run(begin=CHANGED)
SHARES = (0.05, 0.5)
"""Of the candidate, in the first hour and in the second."""
ROLLOUTS = 100
SHIPPED = 0.01
"""The default `alpha.rollback`."""

Losses = dict[float, tuple[int, int]]
"""How many labels of a minute there are, and how many of them are wrong answers."""


Level = Callable[[int], float]
"""Of the losses of stable, by the minute."""


def rising(minute: int) -> float:
    """The world becomes harder to predict, as it does from night to morning."""
    return 0.05 + 0.3 * minute / 120


def falling(minute: int) -> float:
    """And easier again."""
    return rising(119 - minute)


def served(rng: np.random.Generator, per_minute: float, *, level: Level, harm: float) -> Iterator[Losses]:
    """The losses of two hours: the candidate's, then stable's."""
    for excess, shares in ((harm, SHARES), (0.0, [1.0 - share for share in SHARES])):
        losses = {}
        for minute in range(120):
            n = int(rng.poisson(per_minute * shares[minute // 60]))
            losses[BEGAN + 60.0 * minute] = n, int(rng.binomial(n, level(minute) + excess))
        yield losses


def reading(*arms: Losses) -> DetectorReading:
    """One tick, in which all of them came."""

    def arm(version: str, losses: Losses) -> dict[str, Any]:
        return {
            "version": version,
            "requests": 0,
            "rows": 0,
            "outputs": {},
            "quality": {"n": 0, "bad": 0},
            "features": {},
            "losses": [
                {"served": datetime.fromtimestamp(minute, UTC).isoformat(), "n": n, "sum": wrong, "sumsq": wrong}
                for minute, (n, wrong) in losses.items()
                if n
            ],
        }

    none = {"n": 0, "sum": 0.0, "sumsq": 0.0, "bounded": True, "labelled": 0, "flips": 0}
    tick = {
        "start": datetime.fromtimestamp(CAME, UTC).isoformat(),
        "arms": {"candidate": arm("2", arms[0]), "stable": arm("1", arms[1])},
        "pairs": none,
    }
    return DetectorReading(epoch="e", cursor="e:1", coverage={}, ticks=(tick,))


def answer(runs: tuple[Run, ...], *arms: Losses) -> Compared:
    found = compared(
        reading(*arms),
        since=CHANGED,
        candidate="2",
        stable="1",
        epoch="e",
        looked=CHANGED,
        sample=1.0,
        mirrored=False,
        runs=runs,
    )
    assert found.reason is None
    return found


def told(runs: tuple[Run, ...], *arms: Losses) -> DetectorTick:
    return answer(runs, *arms).ticks[0]


def pooled(tick: DetectorTick) -> DetectorTick:
    """All that came in the tick, as if it had been served at once."""

    def sum_of(arm: Any) -> Any:
        totals = {name: sum(getattr(one, name) for one in arm.losses) for name in ("n", "sum", "sumsq")}
        return type(arm)(losses=(type(arm.losses[0])(**totals),))

    return detected(sum_of(tick.candidate), sum_of(tick.stable))


def rolled_back(
    per_minute: float, *, harm: float, seen_as: Callable[[DetectorTick], DetectorTick] = lambda tick: tick
) -> int:
    """How many of the rollouts, once all labels have come."""
    rng, found, begun = np.random.default_rng(20), 0, experiment("labels")
    for _ in range(ROLLOUTS):
        tick = told(RUNS, *served(rng, per_minute, level=rising, harm=harm))
        found += harmed(begun.with_detector(seen_as(tick)))
    return found


def harmed(known: Experiment) -> bool:
    return known.conclude({}).harm == "labels"


@pytest.mark.parametrize("per_minute", [2.0, 30.0, 300.0])
def test_a_good_version_that_served_more_of_the_worse_hour_is_not_rolled_back(per_minute: float) -> None:
    assert rolled_back(per_minute, harm=0.0) <= SHIPPED * ROLLOUTS


def test_over_both_hours_together_it_would_be() -> None:
    """So that the batch does tempt."""
    assert rolled_back(300.0, harm=0.0, seen_as=pooled) == ROLLOUTS


@pytest.mark.parametrize(("per_minute", "harm"), [(10.0, 0.3), (100.0, 0.12)])
def test_a_version_that_is_worse_is_found_in_the_same_batch(per_minute: float, harm: float) -> None:
    assert rolled_back(per_minute, harm=harm) >= 0.9 * ROLLOUTS


@pytest.mark.parametrize("per_minute", [2.0, 300.0])
def test_a_bad_version_that_served_more_of_the_better_hour_does_not_hide_there(per_minute: float) -> None:
    """Its harm is measured as it is, minute by minute; the means of both hours would show a third of it."""
    rng, known = np.random.default_rng(21), experiment("labels")
    for _ in range(20):
        known = known.with_detector(told(RUNS, *served(rng, per_minute, level=falling, harm=0.2)))
    [finding] = known.conclude({}).findings
    assert finding.candidate.mean is not None
    assert finding.stable.mean is not None
    assert finding.candidate.mean - finding.stable.mean < 0.15
    assert finding.estimate == pytest.approx(0.2, abs=0.03)
    assert finding.lower is not None
    assert 0.01 <= finding.lower <= 0.2
    assert "over stable's" in finding.reason
    assert f"; minute by minute: higher by {finding.lower:.3f} to " in finding.reason


def information(of: Experiment) -> float:
    """What all labels together are worth."""
    assert of.losses is not None
    return float(of.losses.means.difference.whole.information)


def test_labels_that_come_one_by_one_are_worth_nearly_as_much_as_together() -> None:
    rng = np.random.default_rng(22)
    singly, runs, every = experiment("labels"), RUNS, (Counter[float](), Counter[float]())
    for _ in range(400):
        slot, minute = int(rng.integers(2)), CHANGED + 60.0 * int(rng.integers(60))
        every[slot][minute] += 1
        arms: list[Losses] = [{}, {}]
        arms[slot] = {minute: (1, 0)}
        found = answer(runs, *arms)
        singly, runs = singly.with_detector(found.ticks[0]), found.runs
    ours, theirs = ({minute: (n, 0) for minute, n in arm.items()} for arm in every)
    together = experiment("labels").with_detector(pooled(told(RUNS, ours, theirs)))
    assert information(singly) >= 0.9 * information(together)


@pytest.mark.parametrize(("remembered", "found"), [(True, "labels"), (False, None)])
def test_few_labels_compare_over_all_the_minutes_of_a_step_that_is_remembered(
    busy: World, *, remembered: bool, found: str | None
) -> None:
    """No minute has labels of both versions: it is the hour between two changes of the weights that compares."""
    minutes = [BEGAN + 60.0 * minute for minute in range(60)]
    ours, theirs = dict.fromkeys(minutes[::2], (1, 1)), dict.fromkeys(minutes[1::2], (9, 0))
    began, changed, came = (datetime.fromtimestamp(time, UTC) for time in (BEGAN, CHANGED, CAME))
    new = Release(version="2", revision="r", storage_uri="s")
    analysis = Analysis(
        began=began,
        step=1,
        step_since=changed,
        evidence_since=changed,
        experiment=experiment("labels").document(),
        runs=(Run(begin=BEGAN, end=CHANGED),) if remembered else (),
    )
    look = looked(
        strategy_of(busy.body["spec"]),
        analysis,
        Evidence(counters=Missing(reason="none"), detector=reading(ours, theirs)),
        Arms(
            candidate=Arm(slot="b", release=new, since=began),
            stable=Arm(slot="a", release=replace(new, version="1"), since=began),
        ),
        weight=0.5,
        sample=1.0,
        now=came,
    )
    assert look.conclusion.harm == found
    assert look.analysis.runs[-1] == Run(begin=CHANGED, end=CAME)


def test_the_spans_that_are_remembered_hold_no_change_of_the_weights(busy: World) -> None:
    release(busy)
    changes, shares = [], busy.shares()
    runs: list[tuple[datetime, ...]] = []
    for _ in range(LONG):
        busy.settle(1)
        if busy.shares() != shares:
            changes.append(busy.now)
            shares = busy.shares()
        known = busy.status.get("analysis", {}).get("runs", ())
        runs = [tuple(datetime.fromisoformat(run[edge]) for edge in ("begin", "end")) for run in known] or runs
    assert len(changes) > len(runs) == 2
    assert all(begin < end for begin, end in runs)
    assert not any(begin <= change <= end for begin, end in runs for change in changes)
