"""How good the answers are, how sure that is, and whether it is good enough."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leeway_training.config import Metric, Rule, Threshold
from leeway_training.dataset import Rows
from leeway_training.errors import Problem, Refused

STEP = "quality gate"
_ROUNDS = 200
_SMALLEST = 1e-7  # keeps the logarithm finite where a float32 probability is exactly 0 or 1

Floats = npt.NDArray[np.float64]
Truth = npt.NDArray[np.generic]


def evaluate(task: str, truth: Truth, answers: Floats, weights: Floats | None = None) -> dict[str, float]:
    """Compute the metrics of a task.

    Args:
        task: as in the configuration.
        truth: classes ``[n]``, or numbers for regression.
        answers: probabilities ``[n, classes]``, or numbers ``[n, 1]`` for regression.
        weights: how often each row counts ``[n]``; once by default.
    """
    weights = np.ones(len(truth)) if weights is None else weights
    answers = answers.astype(np.float64)
    if task == "regression":
        return _regression(truth.astype(np.float64), answers[:, 0], weights)
    classes = truth.astype(np.int64)
    hit = np.clip(answers[np.arange(len(classes)), classes], _SMALLEST, 1)
    metrics = {
        "log_loss": _mean(-np.log(hit), weights),
        "accuracy": _mean((answers.argmax(axis=1) == classes).astype(np.float64), weights),
    }
    if task == "binary_classification":
        metrics["auc"] = auc(classes, answers[:, 1], weights)
        metrics["brier"] = _mean((answers[:, 1] - classes) ** 2, weights)
    return dict(sorted(metrics.items()))


def auc(truth: npt.NDArray[np.int64], scores: Floats, weights: Floats) -> float:
    """Compute the weighted area under the ROC curve: P(positive scores higher) + P(tie) / 2 (Mann-Whitney).

    NaN where one of the classes is absent.
    """
    order = np.argsort(scores, kind="stable")
    positive = np.where(truth == 1, weights, 0.0)[order]
    negative = np.where(truth == 1, 0.0, weights)[order]
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)
    positive, negative = np.add.reduceat(positive, starts), np.add.reduceat(negative, starts)
    below = np.cumsum(negative) - negative / 2
    pairs = positive.sum() * negative.sum()
    return float(positive @ below / pairs) if pairs else math.nan


def intervals(task: str, rows: Rows, answers: Floats) -> dict[str, tuple[float, float]]:
    """Estimate 95 % intervals by resampling whole blocks: days, or single rows where there is no time.

    Block bootstrap, since rows of one day share its weather. Rounds in which a metric is not defined (AUC of one class,
    R² of one value) say nothing about it. Deterministic: the generator's seed is fixed.
    """
    order = np.argsort(answers[:, -1], kind="stable")  # sorted once, every round's AUC sorts sorted data
    truth, sorted_answers = rows.labels[order], answers[order]
    blocks, index = np.unique(rows.blocks[order], return_inverse=True)
    generator = np.random.default_rng(0)
    rounds: dict[str, list[float]] = {}
    for _ in range(_ROUNDS):
        counts = np.bincount(generator.integers(len(blocks), size=len(blocks)), minlength=len(blocks))
        for name, value in evaluate(task, truth, sorted_answers, counts[index].astype(np.float64)).items():
            rounds.setdefault(name, []).append(value)
    return {name: (float(low), float(high)) for name, (low, high) in _percentiles(rounds).items()}


@dataclass(frozen=True)
class Baseline:
    """A rule of thumb, judged on the same rows: calibrated on the training period, and its column as a plain score."""

    rule: str
    metrics: Mapping[str, float]
    score_auc: float


def rule_of_thumb(rule: Rule, train: Rows, test: Rows) -> Baseline:
    """Judge a rule: the probability is the training period's rate of positives where the rule says yes, or no."""
    if train.rule is None or test.rule is None:
        raise ValueError("the rows carry no rule column: expected a dataset built with this baseline")
    rates = [_rate(train.labels[(train.rule > rule.greater_than) == answer]) for answer in (False, True)]
    probability = np.where(test.rule > rule.greater_than, rates[1], rates[0])
    metrics = evaluate("binary_classification", test.labels, np.column_stack([1 - probability, probability]))
    score_auc = auc(test.labels.astype(np.int64), test.rule, np.ones(len(test)))
    return Baseline(f"{rule.column} > {rule.greater_than:g}", metrics, score_auc)


def check_gate(gate: Mapping[Metric, Threshold], metrics: Mapping[str, float]) -> None:
    """Hold the metrics of the test period against the gate.

    Raises:
        Refused: each metric that misses its bound.
    """
    problems = []
    for name, bound in gate.items():
        value = metrics[name]
        # Written so that a metric that is not a number fails.
        if bound.at_least is not None and not value >= bound.at_least:
            problems.append(Problem(f"gate.{name}", f"{value:.5f} on the test period", f"at least {bound.at_least:g}"))
        if bound.at_most is not None and not value <= bound.at_most:
            problems.append(Problem(f"gate.{name}", f"{value:.5f} on the test period", f"at most {bound.at_most:g}"))
    if problems:
        raise Refused(STEP, problems)


def _regression(truth: Floats, answers: Floats, weights: Floats) -> dict[str, float]:
    error = answers - truth
    spread = _mean((truth - _mean(truth, weights)) ** 2, weights)
    squared = _mean(error**2, weights)
    return {
        "mae": _mean(np.abs(error), weights),
        "r2": 1 - squared / spread if spread else math.nan,
        "rmse": float(np.sqrt(squared)),
    }


def _mean(values: Floats, weights: Floats) -> float:
    return float(values @ weights / weights.sum())


def _rate(labels: Truth) -> float:
    # Laplace's rule of succession: a side the training period never saw gets 1/2 and not 0/0.
    return float((labels.astype(np.float64).sum() + 1) / (len(labels) + 2))


def _percentiles(rounds: Mapping[str, list[float]]) -> dict[str, tuple[float, float]]:
    return {name: tuple(np.nanpercentile(values, [2.5, 97.5])) for name, values in rounds.items()}
