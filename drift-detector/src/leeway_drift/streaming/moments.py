"""Count, sum and sum of squares: all that a comparison of two means needs, and mergeable."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Moments:
    """Of finite values.

    Attributes:
        n: how many.
        sum: of them.
        sumsq: of their squares.
    """

    n: int = 0
    sum: float = 0.0
    sumsq: float = 0.0

    @classmethod
    def of(cls, values: npt.NDArray[np.floating]) -> Self:
        """Moments of the finite ones among ``values``, in double precision."""
        doubles = values[np.isfinite(values)].astype(np.float64)
        return cls(int(doubles.size), float(doubles.sum()), float(np.square(doubles).sum()))

    def __add__(self, other: Self) -> Self:
        """Moments of the union."""
        return type(self)(self.n + other.n, self.sum + other.sum, self.sumsq + other.sumsq)
