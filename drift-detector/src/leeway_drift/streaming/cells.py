"""What shows whether two versions get the same inputs: rows counted in the same cells, judged by the same bounds."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from leeway_drift.columns import Rows
from leeway_drift.counting.counts import Counts
from leeway_drift.counting.plan import Plan


@dataclass(frozen=True, slots=True)
class Quality:
    """Rows of requests, and those of them that are bad.

    Attributes:
        n: rows.
        bad: rows with a value that is missing, of the wrong type, outside the profile's bounds or not among its
            categories. Some of that is ordinary: it is for comparing arms that get the same traffic.
    """

    n: int = 0
    bad: int = 0

    @classmethod
    def of(cls, plan: Plan, rows: Rows) -> Self:
        """Judge rows by a plan's features."""
        return cls(rows.count, bad_rows(plan, rows))

    def __add__(self, other: Self) -> Self:
        """Of the union."""
        return type(self)(self.n + other.n, self.bad + other.bad)


def bad_rows(plan: Plan, rows: Rows) -> int:
    """How many rows have a value that is missing, of the wrong type, not plausible, or not listed."""
    bad = np.zeros(rows.count, dtype=np.bool_)
    for name, column in plan.features.items():
        if column.edges is not None and name in rows.numeric:
            values = rows.column(name)
            lowest, highest = column.bounds
            bad |= ~((values >= lowest) & (values <= highest))  # NaN is neither
        elif column.edges is None and name in rows.categorical:
            listed = frozenset(column.categories)
            bad |= np.fromiter((value not in listed for value in rows.column(name)), np.bool_, rows.count)
        else:
            return rows.count
    return int(bad.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The bins of an older version's profile, for the rows of a newer one.

    Attributes:
        digest: of the older version's plan.
        plan: of the features that both versions have.
        whole: whether these are all that the older version has, so that quality is judged alike, too.
    """

    digest: str
    plan: Plan
    whole: bool

    @classmethod
    def of(cls, older: Plan, digest: str, newer: Plan) -> Self:
        """Of two versions' plans, and the digest of the older one's."""
        shared = older.shared_with(newer)
        return cls(digest, shared, len(shared.features) == len(older.features))

    def count(self, rows: Rows) -> "CommonCounts":
        """Count rows of requests."""
        return CommonCounts(self, Counts.of_request(self.plan, rows), Quality.of(self.plan, rows))

    def read(self, document: Any) -> "CommonCounts":
        """Read what ``CommonCounts.to_json`` wrote in these cells; a MalformedCounts or TypeError otherwise."""
        return CommonCounts(self, Counts.from_json(self.plan, document["counts"]), Quality(*document["quality"]))


@dataclass(frozen=True, slots=True, eq=False)
class CommonCounts:
    """Rows of a newer version's requests in an older one's cells.

    Attributes:
        cells: of the older one.
        counts: of the features that both have.
        quality: by the same.
    """

    cells: Cells
    counts: Counts
    quality: Quality

    def adds_to(self, other: "CommonCounts") -> bool:
        """Whether both are in the same cells."""
        return self.cells.digest == other.cells.digest and self.counts.features.keys() == other.counts.features.keys()

    def __add__(self, other: "CommonCounts") -> "CommonCounts":
        """Of the union; both must be in the same cells."""
        return CommonCounts(self.cells, self.counts + other.counts, self.quality + other.quality)

    def to_json(self) -> dict[str, Any]:
        """JSON-safe Python objects."""
        return {
            "cells": self.cells.digest,
            "counts": self.counts.to_json(),
            "quality": [self.quality.n, self.quality.bad],
        }
