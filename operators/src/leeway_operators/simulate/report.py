"""What came of the rollouts: a page for the terminal, and a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from leeway_operators.core.strategy import Strategy
from leeway_operators.simulate.rollouts import Outcomes
from leeway_operators.simulate.shares import interval

_BAR = 44
_MARKS = 12
_STEPS = (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200)
"""Seconds that a person likes to read."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Shares that were promoted and rolled back by a time."""

    seconds: float
    promoted: float
    rolled_back: float


def marks(outcomes: Outcomes, at_most: int) -> list[float]:
    """Round times, evenly spaced, until 99 % of the rollouts that decided had done so; seconds."""
    decided = ~outcomes.undecided
    end = float(np.quantile(outcomes.seconds[decided], 0.99)) if decided.any() else float(outcomes.seconds.max())
    step = next((step for step in _STEPS if step * at_most >= end), end / at_most)
    return [step * number for number in range(1, ceil(end / step) + 1)]


def curve(outcomes: Outcomes, times: Sequence[float]) -> tuple[Curve, ...]:
    """The two shares by each of some times."""
    return tuple(
        Curve(
            seconds=time,
            promoted=float(np.mean(outcomes.promoted & (outcomes.seconds <= time))),
            rolled_back=float(np.mean(outcomes.rolled_back & (outcomes.seconds <= time))),
        )
        for time in times
    )


def page(strategy: Strategy, outcomes: Outcomes, *, traffic: str, seed: int) -> str:
    """Everything in words; `traffic` describes what was simulated."""
    of = outcomes.seconds.size
    held = "rolled back" if strategy.on_deadline == "Rollback" else "held"
    lines = [
        f"{of:,} simulated rollouts, seed {seed}",
        f"  strategy  {steps_text(strategy)}",
        f"  tests     {_tests_text(strategy)}",
        f"  traffic   {traffic}",
        "",
        _share_line("promoted", outcomes.promoted),
        _share_line("rolled back", outcomes.rolled_back),
        _share_line("neither", outcomes.undecided)
        + f"   by the deadline of {duration_text(strategy.deadline.total_seconds())}: {held}",
        "",
        *_figures(outcomes),
        "",
        f"{'after':>8} {'█ promoted  ░ not decided  ▒ rolled back':<{_BAR}}  promoted  rolled back",
        *(_bar(point) for point in curve(outcomes, marks(outcomes, _MARKS))),
    ]
    return "\n".join(lines)


def steps_text(strategy: Strategy) -> str:
    """`5 % for 2m, 25 % for 2m, 50 %`."""
    parts = []
    for step in strategy.steps:
        hold = f" for {duration_text(step.hold.total_seconds())}" if step.hold else ""
        parts.append(("shadow" if step.shadow else f"{step.weight} %") + hold)
    return ", ".join(parts) + f"; {strategy.min_requests:,} requests before a step advances"


def _tests_text(strategy: Strategy) -> str:
    look = duration_text(strategy.interval.total_seconds())
    return f"alpha {strategy.alpha_rollback:g} to roll back, {strategy.alpha_promote:g} to promote, a look every {look}"


def duration_text(seconds: float) -> str:
    """`1h30m`, `6m40s`, `45s`: the two largest units."""
    if seconds < 1.0:
        return f"{seconds * 1000:.0f}ms"
    whole = round(seconds)
    days, hours, minutes, rest = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    parts = [f"{n}{unit}" for n, unit in ((days * 24 + hours, "h"), (minutes, "m"), (rest, "s")) if n]
    return "".join(parts[:2]) or "0s"


def percent(share: float) -> str:
    """Two digits where they matter."""
    value = 100.0 * share
    return f"{value:.0f} %" if value in {0.0, 100.0} else f"{value:.1f} %"


def _share_line(name: str, flags: np.typing.NDArray[np.bool_]) -> str:
    low, high = interval(int(flags.sum()), flags.size)
    return f"{name:<12} {percent(float(flags.mean())):>7}   ({percent(low)} to {percent(high)})"


def _figures(outcomes: Outcomes) -> list[str]:
    rows = [f"{'':<34} {'median':>9} {'p95':>9}"]
    for name, flags in (("promotion", outcomes.promoted), ("rollback", outcomes.rolled_back)):
        if not flags.any():
            continue
        for what, values, text in (
            ("time until", outcomes.seconds, duration_text),
            ("the candidate's requests until", outcomes.requests, _count),
            ("  of them failed", outcomes.failed, _count),
        ):
            median, high = np.quantile(values[flags], [0.5, 0.95])
            title = what if what.startswith(" ") else f"{what} {name}"
            rows.append(f"{title:<40} {text(float(median)):>9} {text(float(high)):>9}")
    rows[0] = f"{'':<40} {'median':>9} {'p95':>9}"
    return rows if len(rows) > 1 else ["no rollout was decided"]


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _bar(point: Curve) -> str:
    promoted, rolled_back = round(point.promoted * _BAR), round(point.rolled_back * _BAR)
    bar = "█" * promoted + "░" * (_BAR - promoted - rolled_back) + "▒" * rolled_back
    return f"{duration_text(point.seconds):>8} {bar}  {percent(point.promoted):>8} {percent(point.rolled_back):>12}"
