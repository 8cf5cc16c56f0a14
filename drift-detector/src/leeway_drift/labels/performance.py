"""How well a version predicted what turned out to be true, by the code that measured the profile's windows."""

import numpy as np
import numpy.typing as npt

from leeway_drift.labels.target import Target, Task
from leeway_drift.statistics.performance import performance_metrics

Float64Array = npt.NDArray[np.float64]

CLIP = 1e-7
"""Probabilities are taken to be at least this large, so that one float32 0 cannot make a loss infinite."""


def performance(target: Target, scores: Float64Array, labels: Float64Array) -> dict[str, float]:
    """Measure every metric of a task.

    Args:
        target: what was predicted.
        scores: probabilities ``[rows, classes]``, or predicted values ``[rows, 1]``.
        labels: class indices or values ``[rows]``.

    Returns:
        Those of ``performance_metrics``, and ``macro_f1`` of a multiclass task; a metric that these rows cannot tell
        (the AUC of one class) is left out.
    """
    if labels.size == 0:
        return {}
    measured = performance_metrics(target.task, labels, scores)
    if target.task is Task.MULTICLASS:
        measured["macro_f1"] = macro_f1(np.argmax(scores, axis=1), labels)
    return {name: value for name, value in measured.items() if np.isfinite(value)}


def macro_f1(said: npt.NDArray[np.int64], labels: Float64Array) -> float:
    """Mean over the classes of ``2 TP / (2 TP + FP + FN)``, ``[rows]`` each.

    As scikit-learn has it: over the classes that occur or are said, not those that neither does.
    """
    present = np.union1d(said, labels)
    hits = np.array([np.sum((said == index) & (labels == index)) for index in present])
    either = np.array([np.sum(said == index) + np.sum(labels == index) for index in present])
    return float(np.mean(2 * hits / either))


def losses(target: Target, scores: Float64Array, labels: Float64Array) -> Float64Array:
    """What each label costs its prediction, ``[rows]``: log loss in nats, or squared error of a regression."""
    if target.task is Task.REGRESSION:
        return (scores[:, 0] - labels) ** 2
    hit = scores[np.arange(labels.size), labels.astype(np.int64)]
    return -np.log(np.clip(hit, CLIP, 1.0))
