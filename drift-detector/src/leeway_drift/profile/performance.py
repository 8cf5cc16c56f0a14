"""How good the model's answers were, window by window of the reference: the spread that later windows are held to."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_drift.counting.counts import Integers
from leeway_drift.profile.describe import rounded
from leeway_drift.profile.errors import ProfileError
from leeway_drift.statistics.performance import Task, performance_metrics

_LEAST_LABELS = 100
"""Known labels without which a window has no performance."""

_LEAST_WINDOWS = 10
"""Windows without which a metric has no spread."""


def window_performance(
    task: str, labels: npt.NDArray[Any], outputs: Mapping[str, npt.NDArray[Any]], order: Integers, offsets: Integers
) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of each metric over the windows.

    Args:
        task: a ``Task``.
        labels: float ``[rows]``, NaN where unknown: classes or numbers.
        outputs: holds ``probabilities`` ``[rows, classes]``, or ``prediction`` ``[rows]`` or ``[rows, 1]`` for
            regression.
        order: rows in order of time.
        offsets: of the windows in that order.

    Returns:
        Per metric ``mean``, ``sd`` and ``windows``; without those that fewer than ten windows have.

    Raises:
        ProfileError: the task is unknown, the output is missing or a label is no class of it.
    """
    if task not in tuple(Task):
        raise ProfileError(f"task {task!r}, expected one of {', '.join(Task)}")
    name = "prediction" if task == "regression" else "probabilities"
    if name not in outputs:
        raise ProfileError(f"labels are given, but no output {name!r} to hold them against")
    if labels.shape != (order.size,):
        raise ProfileError(f"labels: shape {labels.shape}, expected ({order.size},)")
    answers = outputs[name].reshape(order.size, -1).astype(np.float64)[order]
    truth = labels.astype(np.float64)[order]
    known = ~np.isnan(truth)
    if task != "regression" and answers.shape[1] < 2:  # noqa: PLR2004 - yes and no
        raise ProfileError(f"output {name}: {answers.shape[1]} column, expected the probability of each class")
    if task != "regression" and not np.isin(truth[known], np.arange(answers.shape[1])).all():
        raise ProfileError(f"labels: expected classes from 0 to {answers.shape[1] - 1}, or NaN where unknown")
    values: dict[str, list[float]] = {}
    for start, end in pairwise(offsets.tolist()):
        rows = np.arange(start, end)[known[start:end]]
        if rows.size >= _LEAST_LABELS:
            for metric, value in performance_metrics(task, truth[rows], answers[rows]).items():
                values.setdefault(metric, []).append(value)
    return {
        metric: {
            "mean": rounded(float(np.mean(found))),
            "sd": rounded(float(np.std(found, ddof=1))),
            "windows": len(found),
        }
        for metric, found in sorted(values.items())
        if len(found) >= _LEAST_WINDOWS
    }
