"""The acceptance bars of the tests, row by row: what they were chosen by, and what every change must keep to."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from leeway_operators.evidence.findings import GATES
from leeway_operators.simulate.bars import (
    DAY,
    HOUR,
    IMPATIENT,
    SHIPPED,
    Bar,
    Simulation,
    Start,
    asked,
    begin,
    tempted,
    two_versions,
    until,
    wrongly,
)
from leeway_operators.simulate.batch import broken, harmed, harmed_at, passed
from leeway_operators.simulate.rivals import PeekedZ
from leeway_operators.simulate.traffic import Arm, Traffic, constant, jump
from leeway_operators.simulate.watching import Scenario

_LOSS = 0.0667
"""Of 0 and 1, with a standard deviation of .25."""


def every_simulation() -> Sequence[Simulation]:
    """All rows."""
    return [
        *false_rollbacks(),
        *all_gates(),
        harness(),
        *found_harm(),
        passes(),
        *false_passes(),
        *world_drift(),
        *bursts(),
        late_harm(),
        *labels(),
        *sample_ratio(),
        *late_labels(),
    ]


def false_rollbacks() -> list[Simulation]:
    """Rows 1 and 2: a version as good as stable, over a day of looks, at both alphas."""
    simulations = []
    for rate in (0.0, 0.001, 0.01, 0.05):
        for rps in (1.0, 10.0, 100.0, 1000.0):
            tick = 10.0 if (rate, rps) in {(0.01, 10.0), (0.01, 100.0)} else 30.0
            traffic = two_versions(rps, constant(rate), constant(rate))
            simulations.append(
                Simulation(
                    scenario=Scenario(traffic=traffic, duration=DAY, tick=tick, hold=HOUR),
                    start=asked(begin("errors"), *(harmed_at(alpha) for alpha in (IMPATIENT, SHIPPED))),
                    bars=tuple(
                        Bar(
                            row=1 + question,
                            what=(
                                f"equal over 24 h, alpha {alpha:g}: errors {rate:g}, {rps:g}/s, "
                                f"ticks of {tick:g} s: rolled back"
                            ),
                            must=alpha,
                            unit="share",
                            figure=wrongly,
                            question=question,
                        )
                        for question, alpha in enumerate((IMPATIENT, SHIPPED))
                    ),
                )
            )
    return simulations


def all_gates() -> list[Simulation]:
    """Row 2 again, with every gate on, one budget for all, and every precondition watched."""
    arm = Arm(errors=constant(0.01), slow=constant(0.05), loss=0.2, score=0.2)
    # Sample ratio, balance of inputs and data quality are three tests, at 0.01 each.
    questions = (("rolled back", SHIPPED), ("held for its routing, three preconditions at 0.01", 0.03))
    simulations = []
    for rps in (5.0, 50.0):
        traffic = Traffic(rps=rps, stable=arm, candidate=arm, label_share=0.2)
        simulations.append(
            Simulation(
                scenario=Scenario(traffic=traffic, duration=DAY, tick=30.0, hold=HOUR, ratio=True, detected=True),
                start=asked(begin(*GATES, alpha=SHIPPED), harmed, broken),
                bars=tuple(
                    Bar(
                        row=2,
                        what=f"equal over 24 h, all gates, alpha {SHIPPED:g}: {rps:g}/s, ticks of 30 s: {words}",
                        must=must,
                        unit="share",
                        figure=wrongly,
                        question=question,
                    )
                    for question, (words, must) in enumerate(questions)
                ),
                rollouts=1000,
            )
        )
    return simulations


def harness() -> Simulation:
    """Row 3: the same streams fool a test that is not made for looking often."""
    traffic = two_versions(10, constant(0.01), constant(0.01))
    return Simulation(
        scenario=Scenario(traffic=traffic, duration=DAY, hold=HOUR),
        start=PeekedZ.of,
        bars=(
            Bar(
                row=3,
                what="equal over 24 h, errors 0.01, 10/s: a peeked z test rolls back (so the streams do tempt)",
                must=0.40,
                unit="share",
                figure=tempted,
                least=True,
            ),
        ),
    )


def found_harm() -> list[Simulation]:
    """Rows 4 to 6: what harm costs before it is found."""
    cells: tuple[tuple[int, float, float, Literal["requests", "seconds"], float], ...] = (
        (4, 0.05, 10.0, "requests", 250.0),
        (4, 0.05, 100.0, "requests", 420.0),
        (4, 0.05, 1000.0, "requests", 3100.0),
        (5, 0.5, 1.0, "seconds", 300.0),
        (5, 0.5, 10.0, "seconds", 60.0),
        (5, 0.5, 100.0, "seconds", 60.0),
        (5, 0.5, 1000.0, "seconds", 60.0),
        (6, 0.02, 10.0, "requests", 1000.0),
        (6, 0.02, 100.0, "requests", 1000.0),
    )
    return [
        Simulation(
            scenario=Scenario(traffic=two_versions(rps, constant(0.01), constant(0.01 + harm)), duration=2 * HOUR),
            start=asked(begin("errors"), harmed),
            bars=(
                Bar(
                    row=row,
                    what=f"errors 0.01, candidate +{harm:g}, {rps:g}/s: median {unit} until rollback",
                    must=must,
                    unit=unit,
                    figure=until(unit),
                ),
            ),
            rollouts=1000,
        )
        for row, harm, rps, unit, must in cells
    ]


def passes() -> Simulation:
    """Row 7: what it costs a good version to pass."""
    return Simulation(
        scenario=Scenario(traffic=two_versions(100, constant(0.01), constant(0.01)), duration=3 * HOUR),
        start=_pass(),
        bars=tuple(
            Bar(
                row=7,
                what=f"equal, errors 0.01, margin 0.01, 100/s: {name} requests until Pass",
                must=must,
                unit="requests",
                figure=until("requests", share=share),
            )
            for name, share, must in (("median", 0.5, 2100.0), ("p95", 0.95, 5500.0))
        ),
        rollouts=1000,
    )


def false_passes() -> list[Simulation]:
    """Row 8: a version that is worse by the margin does not pass."""
    return [
        Simulation(
            scenario=Scenario(traffic=two_versions(rps, constant(rate), constant(rate + 0.01)), duration=HOUR),
            start=_pass(),
            bars=(_share(8, f"errors {rate:g}, candidate worse by the margin of 0.01, {rps:g}/s, 1 h: passed", 0.05),),
        )
        for rate in (0.0, 0.001, 0.01, 0.05)
        for rps in (10.0, 100.0)
    ]


def world_drift() -> list[Simulation]:
    """Row 9: both versions fail more from one moment on, read together and one tick apart."""
    at = 450.0
    return [
        Simulation(
            scenario=Scenario(
                traffic=two_versions(rps, jump(0.001, 0.1, at), jump(0.001, 0.1, at - ahead)), duration=HOUR
            ),
            start=asked(begin("errors"), harmed),
            bars=(_share(9, f"both from 0.001 to 0.1, {rps:g}/s, {words}: rolled back", 0.01),),
        )
        for ahead, words in ((0.0, "read together"), (10.0, "the candidate read a tick ahead"))
        for rps in (10.0, 100.0, 1000.0)
    ]


def bursts() -> list[Simulation]:
    """Row 10: errors that come in bursts, in one arm at a time."""
    return [
        Simulation(
            scenario=Scenario(traffic=two_versions(rps, constant(0.01), constant(0.01), burst), duration=6 * HOUR),
            start=asked(begin("errors"), harmed),
            bars=(_share(10, f"equal over 6 h, errors 0.01 in bursts of ICC {burst:g}, {rps:g}/s: rolled back", 0.08),),
        )
        for burst in (0.01, 0.1)
        for rps in (10.0, 100.0)
    ]


def late_harm() -> Simulation:
    """Row 11: two hours without fault do not hide what comes then."""
    at = 2 * HOUR
    traffic = two_versions(100, constant(0.01), jump(0.01, 0.06, at))
    return Simulation(
        scenario=Scenario(traffic=traffic, duration=at + HOUR),
        start=asked(begin("errors"), harmed),
        bars=(
            Bar(
                row=11,
                what="errors 0.01, candidate +0.05 after 2 h, 100/s: median seconds from then until rollback",
                must=240.0,
                unit="seconds",
                figure=until("seconds", after=at),
            ),
        ),
        rollouts=1000,
    )


def labels() -> list[Simulation]:
    """Row 12: loss per labelled request, 100 of each arm in a tick."""
    start = asked(begin("labels", margin=0.02), passed)

    def judged(excess: float) -> Scenario:
        stable, candidate = Arm(errors=constant(0), loss=_LOSS), Arm(errors=constant(0), loss=_LOSS + excess)
        traffic = Traffic(rps=20, stable=stable, candidate=candidate)
        return Scenario(traffic=traffic, duration=6 * HOUR, weight=0.5, detected=True)

    costs = Bar(
        row=12,
        what="equal, labels with margin 0.02, spread 0.25, half the traffic: median labels until Pass",
        must=3500.0,
        unit="labels",
        figure=until("labels"),
    )
    wrong = _share(12, "labels, candidate worse by the margin of 0.02, 6 h: passed", 0.05)
    return [
        Simulation(scenario=judged(0.0), start=start, bars=(costs,), rollouts=1000),
        Simulation(scenario=judged(0.02), start=start, bars=(wrong,)),
    ]


def late_labels() -> list[Simulation]:
    """Row 12 again, with weights and losses that change before any label comes; last, as seeds go by place."""

    def judged(excess: float) -> Simulation:
        stable, candidate = Arm(errors=constant(0), loss=0.05), Arm(errors=constant(0), loss=0.05 + excess)
        traffic = Traffic(rps=5, stable=stable, candidate=candidate, hardness=lambda time: 0.3 * time / (2 * HOUR))
        what = (
            "loss of both from 0.05 to 0.35 over 2 h, half an hour each at 5 to 50 %, 5/s, "
            f"all labels together at the end, {f'candidate +{excess:g}' if excess else 'equal'}: rolled back"
        )
        bar = _share(12, what, SHIPPED)
        if excess:
            bar = replace(bar, must=0.95, figure=tempted, least=True)
        return Simulation(
            scenario=Scenario(
                traffic=traffic, duration=2 * HOUR, tick=60.0, hold=HOUR / 2, detected=True, labels_at=2 * HOUR
            ),
            start=asked(begin("labels", alpha=SHIPPED), harmed),
            bars=(bar,),
        )

    return [judged(0.0), judged(0.05)]


def sample_ratio() -> list[Simulation]:
    """Row 13: requests that do not follow the weights."""
    traffic = two_versions(10, constant(0.01), constant(0.01))
    start = asked(begin("errors"), broken)
    wrong = _share(13, "equal over 24 h, 10/s, ticks of 30 s: sample ratio called wrong", 0.01)
    costs = Bar(
        row=13,
        what="the candidate gets half the odds, 10/s: median requests until that is called wrong",
        must=60.0,
        unit="requests",
        figure=until("requests"),
    )
    followed = Scenario(traffic=traffic, duration=DAY, tick=30.0, hold=HOUR, ratio=True)
    halved = Scenario(traffic=traffic, duration=HOUR, ratio=True, routed=0.5)
    return [
        Simulation(scenario=followed, start=start, bars=(wrong,)),
        Simulation(scenario=halved, start=start, bars=(costs,), rollouts=1000),
    ]


def _pass() -> Start:
    return asked(begin("errors", margin=0.01), passed)


def _share(row: int, what: str, must: float) -> Bar:
    return Bar(row=row, what=what, must=must, unit="share", figure=wrongly)
