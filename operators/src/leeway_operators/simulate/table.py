"""Measures every bar and every rival and writes the page: `make simulate`."""

import argparse
import io
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from math import isinf
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from leeway_operators.simulate.bars import Bar, Measured
from leeway_operators.simulate.main import run
from leeway_operators.simulate.report import duration_text
from leeway_operators.simulate.rivalry import RULES, Contest, Score, compete, contests
from leeway_operators.simulate.rows import every_simulation

SEED = 20261122
_QUICK = 200
_CONTEST_ROLLOUTS = 1000
_STRATEGY = "steps: [{weight: 5, hold: 2m}, {weight: 25, hold: 2m}, {weight: 50}]\n"
_ARGUMENTS = ("--rps", "20", "--error-rate-stable", "0.01", "--error-rate-candidate", "0.015")
_UNITS: dict[str, Callable[[float], str]] = {
    "share": lambda value: f"{value:.3f}",
    "requests": lambda value: f"{value:,.0f}",
    "labels": lambda value: f"{value:,.0f}",
    "seconds": lambda value: f"{value:.0f} s",
}


def main() -> None:
    """Entry point of `python -m leeway_operators.simulate.table`."""
    parser = argparse.ArgumentParser(description="Measures the shipped tests and writes the page about it.")
    parser.add_argument("page", type=Path, help="Markdown file whose tables are to be written anew")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} rollouts a row: to see that it works")
    options = parser.parse_args()
    rollouts = _QUICK if options.quick else None
    bars, rivals = measure_all(rollouts, _tell)
    page = options.page.read_text(encoding="utf-8")
    page = replaced(page, "transcript", transcript())
    page = replaced(page, "bars", bars_table(bars))
    page = replaced(page, "rivals", rivals_table(rivals))
    options.page.write_text(page, encoding="utf-8")


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def measure_simulation(index: int, rollouts: int | None) -> list[Measured]:
    """One simulation, with a stream of random numbers of its own: whatever ran before, the figures are the same."""
    simulation = every_simulation()[index]
    return simulation.measured(rollouts or simulation.rollouts, np.random.default_rng([SEED, index]))


def measure_contest(index: int, rollouts: int | None) -> list[Score]:
    """One setting of the rivals, likewise."""
    return compete(contests()[index], rollouts or _CONTEST_ROLLOUTS, np.random.default_rng([SEED, 1000 + index]))


def measure_all(
    rollouts: int | None, tell: Callable[[str], None]
) -> tuple[list[tuple[Bar, Measured]], list[tuple[Contest, list[Score]]]]:
    """Everything, on all cores.

    Args:
        rollouts: per row; None: as many as each row asks for.
        tell: a line per finished row.
    """
    simulations, settings = every_simulation(), contests()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        measuring = [pool.submit(measure_simulation, index, rollouts) for index in range(len(simulations))]
        competing = [pool.submit(measure_contest, index, rollouts) for index in range(len(settings))]
        for number, simulated in enumerate(measuring, start=1):
            simulated.result()
            tell(f"{number} of {len(measuring)} simulations of bars")
        for number, scored in enumerate(competing, start=1):
            scored.result()
            tell(f"{number} of {len(competing)} contests of rules")
    bars = [
        pair
        for simulation, figures in zip(simulations, measuring, strict=True)
        for pair in zip(simulation.bars, figures.result(), strict=True)
    ]
    rivals = [(contest, scores.result()) for contest, scores in zip(settings, competing, strict=True)]
    return sorted(bars, key=lambda pair: pair[0].row), rivals


def bars_table(rows: list[tuple[Bar, Measured]]) -> str:
    """Markdown."""
    lines = ["| # | what | must | measured | 95 % bound | rollouts | |", "|---|---|---|---|---|---|---|"]
    for bar, measured in rows:
        text = _UNITS[bar.unit]
        bound = text(measured.bound) if bar.unit == "share" else ""
        must = f"{'≥' if bar.least else '≤'} {text(bar.must)}"
        verdict = "kept" if bar.holds(measured) else "**missed**"
        cells = (str(bar.row), bar.what, must, text(measured.value), bound, f"{measured.rollouts:,}", verdict)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def rivals_table(rows: list[tuple[Contest, list[Score]]]) -> str:
    """Markdown."""
    lines = [f"| the candidate is | {' | '.join(RULES)} |", "|---" * (len(RULES) + 1) + "|"]
    lines += [
        f"| {contest.what} | {' | '.join(_cell(contest, score) for score in scores)} |" for contest, scores in rows
    ]
    return "\n".join(lines)


def _cell(contest: Contest, score: Score) -> str:
    text = f"{score.rolled_back:.3f}"
    if contest.good:
        return text
    if score.promoted:
        text += f", promoted {score.promoted:.3f}"
    if isinf(score.requests):
        return text
    return f"{text}; {score.requests:,.0f} requests, {duration_text(score.seconds)}"


def transcript() -> str:
    """Of one call of `leeway-simulate`, as Markdown."""
    out = io.StringIO()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "strategy.yaml"
        path.write_text(_STRATEGY, encoding="utf-8")
        run(["--strategy", str(path), *_ARGUMENTS], out, sys.stderr)
    shown = f"$ cat strategy.yaml\n{_STRATEGY}$ leeway-simulate --strategy strategy.yaml {' '.join(_ARGUMENTS)}\n"
    return f"```\n{shown}{out.getvalue()}```"


def replaced(page: str, name: str, table: str) -> str:
    """A page with what lies between the two marks of a name written anew.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- {name}: begin -->\n", f"\n<!-- {name}: end -->"
    if begin not in page or end not in page:
        raise ValueError(f"no marks around {name!r}: expected {begin.strip()} and {end.strip()}")
    return page.split(begin, maxsplit=1)[0] + begin + table + end + page.split(end, 1)[1]


if __name__ == "__main__":
    main()
