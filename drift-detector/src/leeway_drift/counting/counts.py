"""Integer counts of rows in a profile's bins: the sum over ticks, windows and replicas is exact, in any order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from leeway_drift.columns import Rows
from leeway_drift.counting.bins import NULL, Codes
from leeway_drift.counting.columns import ColumnCounts, code_column, count_column, natural, naturals
from leeway_drift.counting.errors import MalformedCounts
from leeway_drift.counting.plan import ColumnPlan, Integers, Plan, RelationPlan

__all__ = ["ColumnCounts", "ColumnPlan", "Counts", "Integers", "MalformedCounts", "Plan", "RelationPlan"]

_OBJECT_NBYTES = 700  # measured with tracemalloc: a ColumnCounts with its two array headers and Python integers


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Counts of rows.

    Attributes:
        rows: of requests.
        answered: rows of responses; the two differ where events were lost or requests failed.
        features: by name, of the requests.
        outputs: by name, of the responses.
        relations: by ``left~right``, int64 tables ``[groups of left, groups of right]`` of rows that have both values.
    """

    rows: int
    answered: int
    features: Mapping[str, ColumnCounts]
    outputs: Mapping[str, ColumnCounts]
    relations: Mapping[str, Integers]

    @classmethod
    def none(cls, plan: Plan) -> Self:
        """Counts of no rows, the neutral element of ``+``."""
        return cls(0, 0, _nothing(plan.features), _nothing(plan.outputs), _no_relations(plan))

    @classmethod
    def of_request(cls, plan: Plan, rows: Rows) -> Self:
        """Count what was asked."""
        codes = {name: code_column(column, name, rows) for name, column in plan.features.items()}
        features = {name: count_column(column, name, rows, codes[name]) for name, column in plan.features.items()}
        relations = {
            name: count_relation(relation, codes[relation.left], codes[relation.right])
            for name, relation in plan.relations.items()
        }
        return cls(rows.count, 0, features, _nothing(plan.outputs), relations)

    @classmethod
    def of_response(cls, plan: Plan, rows: Rows) -> Self:
        """Count what was answered."""
        outputs = {
            name: count_column(column, name, rows, code_column(column, name, rows))
            for name, column in plan.outputs.items()
        }
        return cls(0, rows.count, _nothing(plan.features), outputs, _no_relations(plan))

    def __add__(self, other: Self) -> Self:
        """Counts of the union; both must come from the same plan."""
        return type(self)(
            self.rows + other.rows,
            self.answered + other.answered,
            {name: counts + other.features[name] for name, counts in self.features.items()},
            {name: counts + other.outputs[name] for name, counts in self.outputs.items()},
            {name: table + other.relations[name] for name, table in self.relations.items()},
        )

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes; it depends on the plan, not on how many rows were counted."""
        columns = [*self.features.values(), *self.outputs.values()]
        arrays = sum(column.bins.nbytes + column.buckets.nbytes for column in columns)
        tables = sum(table.nbytes for table in self.relations.values())
        return arrays + tables + _OBJECT_NBYTES * (len(columns) + len(self.relations) + 1)

    def to_json(self) -> dict[str, Any]:
        """JSON-safe Python objects, as ``from_json`` takes them."""
        return {
            "rows": self.rows,
            "answered": self.answered,
            "features": {name: counts.to_json() for name, counts in self.features.items()},
            "outputs": {name: counts.to_json() for name, counts in self.outputs.items()},
            "relations": {name: table.tolist() for name, table in self.relations.items()},
        }

    @classmethod
    def from_json(cls, plan: Plan, document: object) -> Self:
        """Read what ``to_json`` wrote under the same plan.

        Raises:
            MalformedCounts: it is something else, or was written under another plan.
        """
        if not isinstance(document, Mapping):
            raise MalformedCounts(f"counts: {type(document).__name__}, expected an object")
        relations = _named(document, "relations", plan.relations)
        return cls(
            natural("rows", document.get("rows")),
            natural("answered", document.get("answered")),
            _columns(document, "features", plan.features),
            _columns(document, "outputs", plan.outputs),
            {
                name: naturals(f"relation {name}", relations[name], relation.shape)
                for name, relation in plan.relations.items()
            },
        )


def count_relation(plan: RelationPlan, left: Codes | None, right: Codes | None) -> Integers:
    """Table of the rows that have both values; nothing if either column is wrong."""
    shape = plan.shape
    if left is None or right is None:
        return np.zeros(shape, dtype=np.int64)
    both = (left != NULL) & (right != NULL)
    cells = plan.left_groups[left[both]] * shape[1] + plan.right_groups[right[both]]
    return np.bincount(cells, minlength=shape[0] * shape[1]).astype(np.int64, copy=False).reshape(shape)


def _nothing(columns: Mapping[str, ColumnPlan]) -> dict[str, ColumnCounts]:
    return {name: ColumnCounts.none(column) for name, column in columns.items()}


def _no_relations(plan: Plan) -> dict[str, Integers]:
    return {name: np.zeros(relation.shape, dtype=np.int64) for name, relation in plan.relations.items()}


def _named(document: Mapping[str, Any], key: str, expected: Mapping[str, object]) -> Mapping[str, Any]:
    named = document.get(key)
    if not isinstance(named, Mapping) or set(named) != set(expected):
        raise MalformedCounts(f"{key}: expected an object with exactly the plan's {len(expected)} names")
    return named


def _columns(document: Mapping[str, Any], key: str, plans: Mapping[str, ColumnPlan]) -> dict[str, ColumnCounts]:
    named = _named(document, key, plans)
    return {name: ColumnCounts.from_json(plan, name, named[name]) for name, plan in plans.items()}
