"""How well a version predicted what turned out to be true, by the code that measured the profile's windows."""

import numpy as np
import numpy.typing as npt

from leeway_drift.labels.target import Target
from leeway_drift.statistics.performance import Task, performance_metrics

Float64Array = npt.NDArray[np.float64]


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
    """What each label costs its prediction, ``[rows]``, in [0, 1], so that arms can be compared by it.

    The test that compares them is exact only for bounded losses, and no single label, true or not, may decide it: a
    log loss has no bound. Of a classification it is the Brier score (Brier 1950), halved, so that with two classes it
    is ``(probability of class 1 - label)²``; like the log loss it is smallest for true probabilities. Of a regression
    it is the relative error ``|predicted - true| / (|predicted| + |true|)``, 0 if both are 0: it needs no scale, which
    two versions would have to share.

    Args:
        target: what was predicted.
        scores: probabilities ``[rows, classes]``, or predicted values ``[rows, 1]``.
        labels: class indices or values ``[rows]``.
    """
    if target.task is Task.REGRESSION:
        predicted = scores[:, 0]
        size = np.abs(predicted) + np.abs(labels)
        relative: Float64Array = np.divide(np.abs(predicted - labels), size, out=np.zeros_like(size), where=size > 0)
        return relative
    truth = np.zeros_like(scores)
    truth[np.arange(labels.size), labels.astype(np.int64)] = 1
    halved: Float64Array = np.square(scores - truth).sum(axis=1) / 2
    return np.minimum(halved, 1.0)  # probabilities are rounded
