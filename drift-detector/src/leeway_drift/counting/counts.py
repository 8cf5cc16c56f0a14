"""Integer counts of rows in a profile's bins: the sum over ticks, windows and replicas is exact, in any order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Float32Array, Rows
from leeway_drift.counting.bins import count_categorical, count_numeric

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """How one column is counted: by ``edges`` if it is numeric, else by ``categories``."""

    edges: Float32Array | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rows of a version are counted; a profile makes it."""

    features: Mapping[str, ColumnPlan]
    outputs: Mapping[str, ColumnPlan]


@dataclass(frozen=True, slots=True, eq=False)
class ColumnCounts:
    """Counts of one column.

    Attributes:
        bins: int64 ``[len(edges) + 1]`` or ``[len(categories) + 1]``, as ``counting.bins`` has them.
        nulls: missing values.
        wrong: values whose type is not the column's, and rows of events that lack the column.
    """

    bins: Integers
    nulls: int
    wrong: int

    def __add__(self, other: Self) -> Self:
        """Counts of the union."""
        return type(self)(self.bins + other.bins, self.nulls + other.nulls, self.wrong + other.wrong)


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Counts of rows.

    Attributes:
        rows: of requests.
        answered: rows of responses; the two differ where events were lost or requests failed.
        features: by name, of the requests.
        outputs: by name, of the responses.
    """

    rows: int
    answered: int
    features: Mapping[str, ColumnCounts]
    outputs: Mapping[str, ColumnCounts]

    @classmethod
    def none(cls, plan: Plan) -> Self:
        """Counts of no rows, the neutral element of ``+``."""
        return cls(
            0,
            0,
            {name: _nothing(column) for name, column in plan.features.items()},
            {name: _nothing(column) for name, column in plan.outputs.items()},
        )

    @classmethod
    def of_request(cls, plan: Plan, rows: Rows) -> Self:
        """Count what was asked."""
        features = {name: _count(column, name, rows) for name, column in plan.features.items()}
        return cls(rows.count, 0, features, {name: _nothing(column) for name, column in plan.outputs.items()})

    @classmethod
    def of_response(cls, plan: Plan, rows: Rows) -> Self:
        """Count what was answered."""
        outputs = {name: _count(column, name, rows) for name, column in plan.outputs.items()}
        return cls(0, rows.count, {name: _nothing(column) for name, column in plan.features.items()}, outputs)

    def __add__(self, other: Self) -> Self:
        """Counts of the union; both must come from the same plan."""
        return type(self)(
            self.rows + other.rows,
            self.answered + other.answered,
            {name: counts + other.features[name] for name, counts in self.features.items()},
            {name: counts + other.outputs[name] for name, counts in self.outputs.items()},
        )


def _nothing(plan: ColumnPlan) -> ColumnCounts:
    size = len(plan.categories if plan.edges is None else plan.edges) + 1
    return ColumnCounts(np.zeros(size, dtype=np.int64), 0, 0)


def _count(plan: ColumnPlan, name: str, rows: Rows) -> ColumnCounts:
    nothing = _nothing(plan)
    if plan.edges is not None and name in rows.numeric:
        values = rows.column(name)
        present = values[~np.isnan(values)]
        bins = count_numeric(present, plan.edges)
        return ColumnCounts(np.array(bins, dtype=np.int64), values.size - present.size, 0)
    if plan.edges is None and name in rows.categorical:
        strings = [value for value in rows.column(name) if value is not None]
        bins = count_categorical(strings, plan.categories)
        return ColumnCounts(np.array(bins, dtype=np.int64), rows.count - len(strings), 0)
    return ColumnCounts(nothing.bins, 0, rows.count)
