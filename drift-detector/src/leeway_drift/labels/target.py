"""What a version predicts, and how its stored outputs are read as scores that a label can be held against."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from leeway_drift.columns import column_names
from leeway_drift.statistics.performance import Task

_MAX_CLASSES = 1024
_LARGEST_VALUE = float(np.finfo(np.float32).max)
"""Predictions are float32, and the square of an error of two such is finite."""
ROUNDING = 1e-3
"""How far off a probability may be: it is a float32, and some models round theirs to three digits."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a version predicts.

    Attributes:
        task: its kind.
        columns: of the outputs, in order: the probability of each class (a single column is that of class 1), or the
            predicted value.
        decision_threshold: of a binary classification, the probability of class 1 above which the label is 1.
    """

    task: Task
    columns: tuple[str, ...]
    decision_threshold: float | None = None

    @property
    def classes(self) -> int:
        """Number of classes; 0 for a regression."""
        return 0 if self.task is Task.REGRESSION else max(2, len(self.columns))

    @property
    def expected_label(self) -> str:
        """What a label has to be, for an error message."""
        if self.task is Task.REGRESSION:
            return "a number that a float32 holds"
        return f"the index of a class, an integer from 0 to {self.classes - 1}"

    def allows(self, label: float) -> bool:
        """Whether a label can be true."""
        if self.task is Task.REGRESSION:
            return abs(label) <= _LARGEST_VALUE
        return label in range(self.classes)

    def scores(self, outputs: Mapping[str, object]) -> tuple[float, ...] | None:
        """Read one row's outputs: the probability of every class, or the predicted value alone.

        Returns:
            None if they are not there, are not finite, or are no probabilities.
        """
        values: list[float] = []
        for column in self.columns:
            value = outputs.get(column)
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                return None
            values.append(float(value))
        if self.task is Task.REGRESSION:
            return tuple(values)
        if len(values) == 1:
            values = [1 - values[0], values[0]]
        in_range = all(-ROUNDING <= value <= 1 + ROUNDING for value in values)
        return tuple(values) if in_range and abs(sum(values) - 1) <= len(values) * ROUNDING else None


def target_of(manifest: Mapping[str, Any] | None, output_columns: Iterable[str]) -> Target | None:
    """Find out what a version predicts.

    Args:
        manifest: of its bundle, None if it has none. It came over the network and may hold anything.
        output_columns: of a response; where the manifest says nothing, the names that Leeway's training gives decide:
            ``probabilities`` and ``prediction``.

    Returns:
        None if neither tells.
    """
    declared = _declared(manifest) if manifest is not None else None
    return declared or _named(frozenset(output_columns))


def _declared(manifest: Mapping[str, Any]) -> Target | None:
    try:
        task = Task(manifest["task"])
        output = next(output for output in manifest["outputs"] if output["dtype"] == "FP32")
        width = math.prod(output["shape"][1:])
        if not 1 <= width <= _MAX_CLASSES or (task is not Task.MULTICLASS and width > 2):  # noqa: PLR2004 - two classes
            return None
        threshold = manifest.get("decision_threshold")
        return Target(
            task,
            tuple(column_names(str(output["name"]), width)),
            float(threshold) if isinstance(threshold, (int, float)) and task is Task.BINARY else None,
        )
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError, OverflowError):
        return None


def _named(columns: frozenset[str]) -> Target | None:
    if "prediction" in columns:
        return Target(Task.REGRESSION, ("prediction",))
    if "probabilities" in columns:
        return Target(Task.BINARY, ("probabilities",))
    width = sum(column.startswith("probabilities.") for column in columns)
    names = tuple(column_names("probabilities", width))
    if width < 2 or not columns.issuperset(names):  # noqa: PLR2004 - a classification has two classes or more
        return None
    return Target(Task.BINARY if width == 2 else Task.MULTICLASS, names)  # noqa: PLR2004 - as above
