"""How good answers are, once labels are known; metrics that are not defined on a set of rows are left out."""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Task(StrEnum):
    """The kinds of task, as a bundle's manifest names them."""

    BINARY = "binary_classification"
    MULTICLASS = "multiclass_classification"
    REGRESSION = "regression"


_SMALLEST = 1e-7  # keeps the logarithm finite where a float32 probability is exactly 0 or 1


def performance_metrics(task: str, labels: Floats, answers: Floats) -> dict[str, float]:
    """Metrics of some rows.

    Args:
        task: a ``Task``.
        labels: classes or numbers ``[n]``, n > 0, all known.
        answers: probabilities ``[n, classes]``, or numbers ``[n, 1]`` for regression.

    Returns:
        ``mae``, ``rmse`` and ``bias`` (mean of answer - label) for regression. For classification ``log_loss`` and
        ``accuracy``; if there are two classes also ``brier``, ``f1`` (of class 1 at probability 1/2),
        ``calibration_gap`` (mean probability of class 1 - its rate) and ``auc`` (Mann-Whitney).
    """
    if task == Task.REGRESSION:
        error = answers[:, 0] - labels
        return {
            "mae": float(np.abs(error).mean()),
            "rmse": float(np.sqrt((error**2).mean())),
            "bias": float(error.mean()),
        }
    classes = labels.astype(np.int64)
    hit = np.clip(answers[np.arange(classes.size), classes], _SMALLEST, 1.0)
    metrics = {
        "log_loss": float(-np.log(hit).mean()),
        "accuracy": float((answers.argmax(axis=1) == classes).mean()),
    }
    if task == Task.BINARY:
        positive = answers[:, 1]
        metrics["brier"] = float(((positive - classes) ** 2).mean())
        metrics["calibration_gap"] = float(positive.mean() - classes.mean())
        called, true = positive >= 0.5, classes == 1  # noqa: PLR2004 - as the docstring says
        if called.any() or true.any():
            metrics["f1"] = float(2 * np.sum(called & true) / (np.sum(called) + np.sum(true)))
        if 0 < true.sum() < true.size:
            metrics["auc"] = _auc(true, positive)
    return metrics


def _auc(true: npt.NDArray[np.bool_], scores: Floats) -> float:
    """Probability that a positive scores higher than a negative, ties counting half."""
    _, rank, size = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(size) - (size - 1) / 2  # mean rank of each tied group, from 1
    positives = int(true.sum())
    wins = middle[rank][true].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * (true.size - positives)))
