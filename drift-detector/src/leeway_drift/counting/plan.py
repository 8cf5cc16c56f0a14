"""What is counted of the rows of a version; a profile makes it."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Float32Array

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ColumnPlan:
    """How one column is counted: by ``edges`` if it is numeric, else by ``categories``.

    Attributes:
        edges: strictly increasing cut points of a numeric column, None for a categorical one.
        categories: listed values of a categorical column.
        bounds: smallest and largest plausible value of a numeric column, both inclusive.
    """

    edges: Float32Array | None = None
    categories: tuple[str, ...] = ()
    bounds: tuple[float, float] = (-math.inf, math.inf)

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.categories if self.edges is None else self.edges) + 1

    @property
    def unit(self) -> float:
        """Resolution of sums of distances beyond the end edges: a power of two, about 2^-20 of the edges' range."""
        if self.edges is None or self.edges.size == 0:
            return 1.0
        _, exponent = math.frexp(float(self.edges[-1]) - float(self.edges[0]))
        return math.ldexp(1.0, exponent - 20)

    @property
    def cells(self) -> list[object]:
        """What tells its bins, and which of its values are bad, from another's; JSON-safe and exact."""
        if self.edges is None:
            return ["categories", *self.categories]
        return ["edges", *(float(edge).hex() for edge in self.edges), *(float(bound).hex() for bound in self.bounds)]


@dataclass(frozen=True, slots=True, eq=False)
class RelationPlan:
    """Which pair of features is counted together, in groups of their bins.

    Attributes:
        left: name of a feature.
        right: name of another.
        left_groups: int64 ``[bins of left]``, the table's row of each bin.
        right_groups: int64 ``[bins of right]``, the table's column of each bin.
    """

    left: str
    right: str
    left_groups: Integers
    right_groups: Integers

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the table."""
        return int(self.left_groups.max()) + 1, int(self.right_groups.max()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How the rows of a version are counted.

    Attributes:
        features: by name.
        outputs: by name.
        relations: by ``left~right``.
    """

    features: Mapping[str, ColumnPlan]
    outputs: Mapping[str, ColumnPlan]
    relations: Mapping[str, RelationPlan] = field(default_factory=dict)

    @property
    def cells(self) -> str:
        """SHA-256 in hex of the features' bins and of what is bad in them: where it is equal, counts compare."""
        described = {name: column.cells for name, column in self.features.items()}
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    def shared_with(self, other: "Plan") -> "Plan":
        """Features alone, those that another plan has by the same name and kind."""
        return Plan(
            {
                name: column
                for name, column in self.features.items()
                if name in other.features and (column.edges is None) == (other.features[name].edges is None)
            },
            {},
        )
