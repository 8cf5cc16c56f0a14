"""How many rows a request brings: rows of one request are not independent."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from leeway_operators.evidence.state import Array, Count, State
from leeway_operators.evidence.ticks import DetectorTick


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch(State):
    """Requests and rows of both arms so far."""

    requests: Count
    rows: Count

    @classmethod
    def begin(cls) -> Self:
        """None yet."""
        return cls(requests=np.zeros(()), rows=np.zeros(()))

    @property
    def size(self) -> Array:
        """Mean rows of a request, 1 at least: what evidence on rows is divided by.

        Where all rows of a request are alike, and requests equally large, that makes a request count once.
        """
        return np.maximum(1.0, self.rows / np.maximum(self.requests, 1.0))

    def after(self, tick: DetectorTick) -> Self:
        """With one more tick; what cannot be is left out."""
        arms = (tick.candidate, tick.stable)
        with np.errstate(invalid="ignore"):
            requests = np.asarray(sum(np.asarray(arm.requests, dtype=np.float64) for arm in arms))
            rows = np.asarray(sum(np.asarray(arm.rows, dtype=np.float64) for arm in arms))
        good = np.isfinite(requests) & np.isfinite(rows) & (requests >= 0) & (rows >= 0)
        return type(self)(
            requests=self.requests + np.where(good, requests, 0.0), rows=self.rows + np.where(good, rows, 0.0)
        )
