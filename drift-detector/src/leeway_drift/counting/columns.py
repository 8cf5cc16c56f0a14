"""Integer counts of one column: the sum over ticks, windows and replicas is exact, in any order."""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from leeway_drift.columns import Float32Array, Rows
from leeway_drift.counting.bins import NULL, Codes, code_categorical, code_numeric, count_codes
from leeway_drift.counting.errors import MalformedCounts
from leeway_drift.counting.plan import ColumnPlan, Integers

VALUE_BUCKETS = 64
"""Buckets that values are hashed into; the fullest bounds from above how often any one value occurs."""

_MULTIPLIER = np.uint32(2654435769)  # 2^32 over the golden ratio: Knuth, The Art of Computer Programming 3, 6.4
_FURTHEST = 2**21
"""Units beyond an edge at which a distance is cut off, twice the edges' range: one infinity must not make a window."""


@dataclass(frozen=True, slots=True, eq=False)
class ColumnCounts:
    """Counts of one column.

    Attributes:
        bins: int64 ``[plan.size]``, as ``counting.bins`` has them.
        nulls: missing values.
        wrong: values whose type is not the column's, and rows of events that lack the column.
        outside: numbers outside the plan's bounds.
        below: sum of distances below the first edge, in units of the plan.
        above: sum of distances above the last edge, in units of the plan.
        buckets: int64 ``[VALUE_BUCKETS]`` of a numeric column, ``[0]`` of a categorical one.
    """

    bins: Integers
    nulls: int
    wrong: int
    outside: int
    below: int
    above: int
    buckets: Integers

    @classmethod
    def none(cls, plan: ColumnPlan) -> Self:
        """Counts of no rows."""
        buckets = 0 if plan.edges is None else VALUE_BUCKETS
        return cls(np.zeros(plan.size, dtype=np.int64), 0, 0, 0, 0, 0, np.zeros(buckets, dtype=np.int64))

    @classmethod
    def of_numbers(cls, plan: ColumnPlan, values: Float32Array, codes: Codes) -> Self:
        """Count numbers ``[n]`` whose ``codes`` are known."""
        present = values[codes != NULL]
        lower, upper = (np.float32(bound) for bound in plan.bounds)
        below = above = 0
        if plan.edges is not None and plan.edges.size:
            below = _distances(plan.edges[0], present[present < plan.edges[0]], plan.unit)
            above = _distances(plan.edges[-1], present[present > plan.edges[-1]], plan.unit)
        return cls(
            count_codes(codes, plan.size),
            values.size - present.size,
            0,
            int(np.count_nonzero((present < lower) | (present > upper))),
            below,
            above,
            np.bincount(bucket_of(present), minlength=VALUE_BUCKETS).astype(np.int64, copy=False),
        )

    @classmethod
    def of_strings(cls, plan: ColumnPlan, codes: Codes) -> Self:
        """Count strings by their ``codes`` ``[n]``."""
        bins = count_codes(codes, plan.size)
        return cls(bins, codes.size - int(bins.sum()), 0, 0, 0, 0, np.zeros(0, dtype=np.int64))

    @classmethod
    def all_wrong(cls, plan: ColumnPlan, rows: int) -> Self:
        """Counts of rows that lack the column, or have another type in it."""
        nothing = cls.none(plan)
        return cls(nothing.bins, 0, rows, 0, 0, 0, nothing.buckets)

    def __add__(self, other: Self) -> Self:
        """Counts of the union."""
        return type(self)(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))

    @property
    def present(self) -> int:
        """Values that are there and of the right type."""
        return int(self.bins.sum())

    @property
    def total(self) -> int:
        """Values, whatever they are."""
        return self.present + self.nulls + self.wrong

    @property
    def top(self) -> int:
        """Upper bound of how often the most frequent value occurs; exact for a listed category."""
        counted = self.buckets if self.buckets.size else self.bins[:-1]
        return int(counted.max(initial=0))

    def to_json(self) -> dict[str, Any]:
        """JSON-safe Python objects, as ``from_json`` takes them."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value if isinstance(value, int) else value.tolist() for name, value in values.items()}

    @classmethod
    def from_json(cls, plan: ColumnPlan, name: str, document: object) -> Self:
        """Read what ``to_json`` wrote under the same plan.

        Raises:
            MalformedCounts: it is something else.
        """
        names = [item.name for item in fields(cls)]
        if not isinstance(document, Mapping) or set(document) != set(names):
            raise MalformedCounts(f"column {name}: expected an object with {', '.join(names)}")
        nothing = cls.none(plan)
        values: list[Any] = []
        for key in names:
            expected = getattr(nothing, key)
            if isinstance(expected, int):
                values.append(natural(f"column {name}, {key}", document[key]))
            else:
                values.append(naturals(f"column {name}, {key}", document[key], expected.shape))
        return cls(*values)


def bucket_of(values: Float32Array) -> Codes:
    """Bucket of each number: equal numbers share one."""
    hashed = np.ascontiguousarray(values).view(np.uint32) * _MULTIPLIER
    return (hashed >> np.uint32(26)).astype(np.int16)


def code_column(plan: ColumnPlan, name: str, rows: Rows) -> Codes | None:
    """Bins of a column's values ``[rows]``; None if the rows lack it or have another type in it."""
    if plan.edges is not None and name in rows.numeric:
        return code_numeric(rows.column(name), plan.edges)
    if plan.edges is None and name in rows.categorical:
        return code_categorical(rows.column(name).tolist(), plan.categories)
    return None


def count_column(plan: ColumnPlan, name: str, rows: Rows, codes: Codes | None) -> ColumnCounts:
    """Count a column whose codes are known."""
    if codes is None:
        return ColumnCounts.all_wrong(plan, rows.count)
    if plan.edges is None:
        return ColumnCounts.of_strings(plan, codes)
    return ColumnCounts.of_numbers(plan, rows.column(name), codes)


def natural(where: str, value: object) -> int:
    """A count read from JSON; MalformedCounts if it is none."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise MalformedCounts(f"{where}: {reprlib.repr(value):.80}, expected a count")  # repr alone writes all of it
    return value


def naturals(where: str, values: object, shape: tuple[int, ...]) -> Integers:
    """Counts ``[shape]`` read from JSON; MalformedCounts if they are none or of another shape."""
    if not isinstance(values, list) or len(values) != shape[0]:
        raise MalformedCounts(f"{where}: expected a list of {shape[0]}")
    if len(shape) > 1:
        rows = [naturals(where, row, shape[1:]) for row in values]
        return np.stack(rows) if rows else np.zeros(shape, dtype=np.int64)
    return np.array([natural(where, value) for value in values], dtype=np.int64)


def _distances(edge: np.float32, values: Float32Array, unit: float) -> int:
    away = np.abs(values.astype(np.float64) - float(edge)) / unit
    return int(np.minimum(np.rint(away), _FURTHEST).astype(np.int64).sum())
