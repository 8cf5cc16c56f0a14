"""What each calibrated detector scores, for one window or for a batch of them: calibrated and judged by this code."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from leeway_drift.counting.counts import ColumnPlan, Counts, Integers, Plan
from leeway_drift.statistics.association import surprise
from leeway_drift.statistics.distances import DISTANCES, Histogram

Floats = npt.NDArray[np.float64]
Scores = dict[tuple[str, str], Floats]
"""By (column, statistic)."""

MINIMUM_VALUES = 50
"""Values of a column without which a window has no score for it."""

_NUMERIC, _CATEGORICAL = ("ks", "wasserstein"), ("tvd",)  # what only a column of that kind can have

TRAILING_WINDOWS = 7
"""Windows before a window that make its trailing reference."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """What one detector scores.

    Attributes:
        detector: its name.
        reference: ``training`` or ``trailing``.
        over: which columns.
        numeric: statistics of a numeric column (or a relation) that are scored.
        categorical: statistics of a categorical column that are scored.
        shown: statistics that are reported and not scored; those that a column cannot have are left out.
    """

    detector: str
    reference: Literal["training", "trailing"]
    over: Literal["features", "outputs", "relations"]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name in documents."""
        return f"{self.detector}/{self.reference}"


SCORINGS = (
    Scoring("abrupt", "trailing", "features", ("wasserstein", "psi"), ("psi",)),
    Scoring("slow", "training", "features", ("js",), ("js",), ("psi", "ks", "tvd", "wasserstein")),
    Scoring("relation", "training", "relations", ("surprise",)),
    Scoring("prediction", "training", "outputs", ("js",), (), ("psi", "tvd", "ks", "wasserstein")),
    Scoring("prediction", "trailing", "outputs", ("wasserstein", "psi")),
    Scoring("tabular", "training", "features", ("ks",), ("tvd",)),
)
"""All of them; they share the target of false alarms equally."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Counts of windows, or of references to compare them with, in arrays whose leading axes are the windows."""

    features: Mapping[str, Histogram]
    outputs: Mapping[str, Histogram]
    relations: Mapping[str, Integers]

    @classmethod
    def of(cls, counts: Counts) -> Self:
        """Of one window or reference, without leading axes."""
        return cls(
            {name: Histogram.of(column) for name, column in counts.features.items()},
            {name: Histogram.of(column) for name, column in counts.outputs.items()},
            dict(counts.relations),
        )

    @classmethod
    def stack(cls, windows: Iterable[Counts]) -> Self:
        """Of several windows, along a leading axis."""
        parts = list(windows)
        return cls(
            {name: Histogram.stack(part.features[name] for part in parts) for name in parts[0].features},
            {name: Histogram.stack(part.outputs[name] for part in parts) for name in parts[0].outputs},
            {name: np.stack([part.relations[name] for part in parts]) for name in parts[0].relations},
        )

    def combine(self, function: Callable[[Integers], Integers]) -> Self:
        """Apply a function to every array."""

        def histograms(columns: Mapping[str, Histogram]) -> dict[str, Histogram]:
            return {
                name: Histogram(function(column.bins), function(column.below), function(column.above))
                for name, column in columns.items()
            }

        return type(self)(
            histograms(self.features),
            histograms(self.outputs),
            {name: function(table) for name, table in self.relations.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The columns that are scored, and the scale of each.

    Attributes:
        plan: how they are counted.
        scales: standard deviation in the reference of each numeric column, by name.
        context: features that are not scored: calendar fields and ids.
    """

    plan: Plan
    scales: Mapping[str, float]
    context: frozenset[str]

    def columns(self, scoring: Scoring) -> Iterator[tuple[str, ColumnPlan]]:
        """The features or outputs that a detector scores."""
        plans = self.plan.outputs if scoring.over == "outputs" else self.plan.features
        return ((name, plan) for name, plan in plans.items() if scoring.over == "outputs" or name not in self.context)


def scores(scoring: Scoring, scored: Scored, windows: Batch, references: Batch, *, shown: bool = False) -> Scores:
    """Score windows against references with the same (or broadcasting) leading axes.

    Args:
        scoring: which columns and statistics.
        scored: how the columns are counted.
        windows: to be scored.
        references: what each is compared with.
        shown: whether to add the statistics that are only reported.

    Returns:
        Scores of the windows' leading axes; NaN where the window or its reference has too few values.
    """
    if scoring.over == "relations":
        return {
            (name, statistic): _with_enough(
                surprise(table, references.relations[name]),
                table.sum(axis=(-2, -1)),
                references.relations[name].sum(axis=(-2, -1)),
            )
            for name, table in windows.relations.items()
            for statistic in scoring.numeric
        }
    sides = [getattr(side, scoring.over) for side in (windows, references)]
    result: Scores = {}
    for name, plan in scored.columns(scoring):
        window, reference = (side[name] for side in sides)
        for statistic in _statistics(scoring, plan, shown=shown):
            distance = DISTANCES[statistic](window, reference, plan, scored.scales.get(name, 0.0))
            result[name, statistic] = _with_enough(distance, window.total, reference.total)
    return result


def _statistics(scoring: Scoring, plan: ColumnPlan, *, shown: bool) -> list[str]:
    scored, foreign = (scoring.categorical, _NUMERIC) if plan.edges is None else (scoring.numeric, _CATEGORICAL)
    return [*scored, *(name for name in scoring.shown if shown and name not in foreign)]


def _with_enough(distance: Floats, values: Integers, reference: Integers) -> Floats:
    return np.where((values >= MINIMUM_VALUES) & (reference >= MINIMUM_VALUES), distance, np.nan)
