"""The acceptance bars of the tests, row by row: what they were chosen by, and what every change must keep to."""

from collections.abc import Sequence

from leeway_operators.evidence.findings import GATES
from leeway_operators.simulate.bars import (
    DAY,
    HOUR,
    IMPATIENT,
    SHIPPED,
    Bar,
    Figure,
    Start,
    asked,
    begin,
    tempted,
    two_versions,
    until,
    wrongly,
)
from leeway_operators.simulate.batch import broken, harmed, passed
from leeway_operators.simulate.rivals import PeekedZ
from leeway_operators.simulate.traffic import Arm, Traffic, constant, jump
from leeway_operators.simulate.watching import Scenario

_LOSS = 0.0667
"""Of 0 and 1, with a standard deviation of .25."""


def every_bar() -> Sequence[Bar]:
    """All rows, in order."""
    return [
        *false_rollbacks(1, IMPATIENT),
        *false_rollbacks(2, SHIPPED),
        *all_gates(),
        *harness(),
        *found_harm(),
        *passes(),
        *false_passes(),
        *world_drift(),
        *bursts(),
        *late_harm(),
        *labels(),
        *sample_ratio(),
    ]


def false_rollbacks(row: int, alpha: float) -> list[Bar]:
    """A version as good as stable, over a day of looks."""
    bars = []
    for rate in (0.0, 0.001, 0.01, 0.05):
        for rps in (1.0, 10.0, 100.0, 1000.0):
            tick = 10.0 if (rate, rps) in {(0.01, 10.0), (0.01, 100.0)} else 30.0
            setting = f"errors {rate:g}, {rps:g}/s, ticks of {tick:g} s"
            traffic = two_versions(rps, constant(rate), constant(rate))
            bars.append(
                Bar(
                    row=row,
                    what=f"equal over 24 h, alpha {alpha:g}: {setting}: rolled back",
                    must=alpha,
                    unit="share",
                    measure=wrongly(Scenario(traffic=traffic, duration=DAY, tick=tick, hold=HOUR), _harm(alpha)),
                )
            )
    return bars


def all_gates() -> list[Bar]:
    """Row 2 again, with every gate on, one budget for all, and both preconditions watched."""
    arm = Arm(errors=constant(0.01), slow=constant(0.05), loss=0.2, score=0.2)
    bars = []
    for rps in (5.0, 50.0):
        traffic = Traffic(rps=rps, stable=arm, candidate=arm, label_share=0.2)
        scenario = Scenario(traffic=traffic, duration=DAY, tick=30.0, hold=HOUR, ratio=True, detected=True)
        for words, question in (("rolled back", harmed), ("held for its routing", broken)):
            bars.append(
                Bar(
                    row=2,
                    what=f"equal over 24 h, all gates, alpha {SHIPPED:g}: {rps:g}/s, ticks of 30 s: {words}",
                    must=SHIPPED,
                    unit="share",
                    measure=wrongly(scenario, asked(question, begin(*GATES, alpha=SHIPPED))),
                    rollouts=1000,
                )
            )
    return bars


def harness() -> list[Bar]:
    """The same streams fool a test that is not made for looking often."""
    traffic = two_versions(10, constant(0.01), constant(0.01))
    return [
        Bar(
            row=3,
            what="equal over 24 h, errors 0.01, 10/s: a peeked z test rolls back (so the streams do tempt)",
            must=0.40,
            unit="share",
            measure=tempted(Scenario(traffic=traffic, duration=DAY, hold=HOUR), PeekedZ.of),
            least=True,
        )
    ]


def found_harm() -> list[Bar]:
    """What harm costs before it is found."""
    cells: tuple[tuple[int, float, float, Figure, float], ...] = (
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
        Bar(
            row=row,
            what=f"errors 0.01, candidate +{harm:g}, {rps:g}/s: median {unit} until rollback",
            must=must,
            unit=unit,
            measure=until(
                Scenario(traffic=two_versions(rps, constant(0.01), constant(0.01 + harm)), duration=2 * HOUR),
                _harm(),
                unit,
            ),
            rollouts=1000,
        )
        for row, harm, rps, unit, must in cells
    ]


def passes() -> list[Bar]:
    """What it costs a good version to pass."""
    scenario = Scenario(traffic=two_versions(100, constant(0.01), constant(0.01)), duration=3 * HOUR)
    return [
        Bar(
            row=7,
            what=f"equal, errors 0.01, margin 0.01, 100/s: {name} requests until Pass",
            must=must,
            unit="requests",
            measure=until(scenario, _pass(), "requests", share=share),
            rollouts=1000,
        )
        for name, share, must in (("median", 0.5, 2100.0), ("p95", 0.95, 5500.0))
    ]


def false_passes() -> list[Bar]:
    """A version that is worse by the margin does not pass."""
    return [
        Bar(
            row=8,
            what=f"errors {rate:g}, candidate worse by the margin of 0.01, {rps:g}/s, 1 h: passed",
            must=0.05,
            unit="share",
            measure=wrongly(
                Scenario(traffic=two_versions(rps, constant(rate), constant(rate + 0.01)), duration=HOUR), _pass()
            ),
        )
        for rate in (0.0, 0.001, 0.01, 0.05)
        for rps in (10.0, 100.0)
    ]


def world_drift() -> list[Bar]:
    """Both versions fail more from one moment on, read together and one tick apart."""
    at = 450.0
    return [
        Bar(
            row=9,
            what=f"both from 0.001 to 0.1, {rps:g}/s, {words}: rolled back",
            must=0.01,
            unit="share",
            measure=wrongly(
                Scenario(traffic=two_versions(rps, jump(0.001, 0.1, at), jump(0.001, 0.1, at - ahead)), duration=HOUR),
                _harm(),
            ),
        )
        for ahead, words in ((0.0, "read together"), (10.0, "the candidate read a tick ahead"))
        for rps in (10.0, 100.0, 1000.0)
    ]


def bursts() -> list[Bar]:
    """Errors that come in bursts, in one arm at a time."""
    return [
        Bar(
            row=10,
            what=f"equal over 6 h, errors 0.01 in bursts of ICC {burst:g}, {rps:g}/s: rolled back",
            must=0.08,
            unit="share",
            measure=wrongly(
                Scenario(traffic=two_versions(rps, constant(0.01), constant(0.01), burst), duration=6 * HOUR), _harm()
            ),
        )
        for burst in (0.01, 0.1)
        for rps in (10.0, 100.0)
    ]


def late_harm() -> list[Bar]:
    """Two hours without fault do not hide what comes then."""
    at = 2 * HOUR
    traffic = two_versions(100, constant(0.01), jump(0.01, 0.06, at))
    return [
        Bar(
            row=11,
            what="errors 0.01, candidate +0.05 after 2 h, 100/s: median seconds from then until rollback",
            must=240.0,
            unit="seconds",
            measure=until(Scenario(traffic=traffic, duration=at + HOUR), _harm(), "seconds", after=at),
            rollouts=1000,
        )
    ]


def labels() -> list[Bar]:
    """Loss per labelled request, 100 of each arm in a tick."""

    def judged(excess: float) -> Scenario:
        stable, candidate = Arm(errors=constant(0), loss=_LOSS), Arm(errors=constant(0), loss=_LOSS + excess)
        traffic = Traffic(rps=20, stable=stable, candidate=candidate)
        return Scenario(traffic=traffic, duration=6 * HOUR, weight=0.5, detected=True)

    passes = asked(passed, begin("labels", margin=0.02))

    return [
        Bar(
            row=12,
            what="equal, labels with margin 0.02, spread 0.25, half the traffic: median labels until Pass",
            must=3500.0,
            unit="labels",
            measure=until(judged(0.0), passes, "labels"),
            rollouts=1000,
        ),
        Bar(
            row=12,
            what="labels, candidate worse by the margin of 0.02, 6 h: passed",
            must=0.05,
            unit="share",
            measure=wrongly(judged(0.02), passes),
        ),
    ]


def sample_ratio() -> list[Bar]:
    """Requests that do not follow the weights."""
    traffic = two_versions(10, constant(0.01), constant(0.01))
    followed = Scenario(traffic=traffic, duration=DAY, tick=30.0, hold=HOUR, ratio=True)
    halved = Scenario(traffic=traffic, duration=HOUR, ratio=True, routed=0.5)
    return [
        Bar(
            row=13,
            what="equal over 24 h, 10/s, ticks of 30 s: sample ratio called wrong",
            must=0.01,
            unit="share",
            measure=wrongly(followed, asked(broken, begin("errors"))),
        ),
        Bar(
            row=13,
            what="the candidate gets half the odds, 10/s: median requests until that is called wrong",
            must=60.0,
            unit="requests",
            measure=until(halved, asked(broken, begin("errors")), "requests"),
            rollouts=1000,
        ),
    ]


def _harm(alpha: float = IMPATIENT) -> Start:
    return asked(harmed, begin("errors", alpha=alpha))


def _pass() -> Start:
    return asked(passed, begin("errors", margin=0.01))
