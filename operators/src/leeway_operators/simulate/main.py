"""leeway-simulate: what a strategy would do, before it is trusted."""

import argparse
import sys
from pathlib import Path
from typing import TextIO

import numpy as np

from leeway_operators.core.strategy import Strategy
from leeway_operators.simulate.picture import svg
from leeway_operators.simulate.report import curve, marks, page, percent
from leeway_operators.simulate.rollouts import Outcomes, try_out
from leeway_operators.simulate.strategy_file import StrategyError, read_strategy
from leeway_operators.simulate.traffic import Arm, Traffic, constant

_POINTS, _MARKS = 120, 12


def main() -> None:
    """Entry point of `leeway-simulate`."""
    sys.exit(run(sys.argv[1:], sys.stdout, sys.stderr))


def run(arguments: list[str], out: TextIO, err: TextIO) -> int:
    """Try a strategy; 0, or 2 with a sentence about what is wrong with the input."""
    options = _parser().parse_args(arguments)
    try:
        strategy = read_strategy(options.strategy)
        traffic = _traffic(options, strategy)
    except StrategyError as error:
        print(f"leeway-simulate: {error}", file=err)
        return 2
    outcomes = try_out(
        strategy,
        traffic,
        rollouts=options.rollouts,
        rng=np.random.default_rng(options.seed),
        progress=lambda share: print(f"\r{share:4.0%} decided", end="", file=err, flush=True) if err.isatty() else None,
    )
    if err.isatty():
        print(end="\r", file=err)
    print(page(strategy, outcomes, traffic=_described(traffic), seed=options.seed), file=out)
    if options.plot is not None:
        options.plot.write_text(svg(curve(outcomes, _times(outcomes)), _described(traffic)), encoding="utf-8")
    return 0


def _times(outcomes: Outcomes) -> list[float]:
    """As many times as a picture has room for."""
    end = marks(outcomes, _MARKS)[-1]
    return [end * point / _POINTS for point in range(1, _POINTS + 1)]


def _traffic(options: argparse.Namespace, strategy: Strategy) -> Traffic:
    required = {gate for gate, settings in strategy.gates.items() if settings.required}
    detected = required & {"predictions", "dataQuality"} or options.score_stable is not None
    if "labels" in required and options.loss_stable is None:
        raise StrategyError("labels are required by the strategy: say how good stable is with --loss-stable")
    stable_score = options.score_stable if options.score_stable is not None else 0.2 if detected else None
    return Traffic(
        rps=options.rps,
        stable=Arm(
            errors=constant(options.error_rate_stable),
            slow=constant(options.slow_rate_stable),
            loss=options.loss_stable,
            score=stable_score,
        ),
        candidate=Arm(
            errors=constant(_or(options.error_rate_candidate, options.error_rate_stable)),
            slow=constant(_or(options.slow_rate_candidate, options.slow_rate_stable)),
            loss=options.loss_stable if options.loss_candidate is None else options.loss_candidate,
            score=stable_score if options.score_candidate is None else options.score_candidate,
        ),
        label_share=options.label_share,
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _described(traffic: Traffic) -> str:
    stable, candidate = traffic.stable, traffic.candidate
    parts = [f"{traffic.rps:g} requests/s", f"errors {_both(stable.errors(0.0), candidate.errors(0.0))}"]
    parts.append(f"slow {_both(stable.slow(0.0), candidate.slow(0.0))}")
    if stable.score is not None and candidate.score is not None:
        parts.append(f"mean score {_both(stable.score, candidate.score)}")
    if stable.loss is not None and candidate.loss is not None:
        labelled = f", {percent(traffic.label_share)} labelled"
        parts.append(f"loss {_both(stable.loss, candidate.loss)}{labelled}")
    return "; ".join(parts)


def _both(stable: float, candidate: float) -> str:
    return percent(stable) if stable == candidate else f"{percent(stable)} → {percent(candidate)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leeway-simulate",
        description="Runs the shipped tests through your strategy, many times, on simulated traffic.",
    )
    parser.add_argument(
        "--strategy", type=Path, required=True, metavar="FILE", help="YAML: a ModelRollout, its strategy, or steps"
    )
    parser.add_argument("--rps", type=_positive, required=True, help="requests per second, both versions together")
    for name, meaning, default in (
        ("error-rate", "share of requests that fail", None),
        ("slow-rate", "share of predictions over the latency gate's bound", 0.05),
    ):
        parser.add_argument(f"--{name}-stable", type=_share, required=default is None, default=default, help=meaning)
        parser.add_argument(f"--{name}-candidate", type=_share, help="the candidate's; as stable's unless given")
    for name, meaning in (
        ("score", "mean prediction that the drift detector sees, 0 to 1"),
        ("loss", "share of labelled predictions that are wrong; labels arrive at once"),
    ):
        parser.add_argument(f"--{name}-stable", type=_share, help=meaning)
        parser.add_argument(f"--{name}-candidate", type=_share, help="the candidate's; as stable's unless given")
    parser.add_argument("--label-share", type=_share, default=1.0, help="share of predictions that get a label")
    parser.add_argument("--rollouts", type=_count, default=500, help="how many to simulate")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same result")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="where to draw the shares over time")
    return parser


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text}: expected a share from 0 to 1")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: expected a number above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected 1 or more")
    return value
