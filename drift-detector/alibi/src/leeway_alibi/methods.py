"""What is measured on a window, and how a score becomes a ratio to its threshold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from leeway_drift.statistics.max_t import Spread


class InsufficientError(Exception):
    """The sample does not allow a measurement; the message says why, for a person."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number that a threshold is put on, and what was measured beside it.

    Attributes:
        column: the feature, or "" for a method that looks at all of them at once.
        statistics: raw values by name.
        label: name of the statistic that is the score; larger is further from the reference.
        by_sampling: what the score is on average if the sample was drawn from the reference itself; 0 where the
            threshold knows, since samples of the same size have taught it.
    """

    column: str
    statistics: Mapping[str, float]
    label: str
    by_sampling: float = 0.0

    @property
    def score(self) -> float:
        """The value that the threshold is put on."""
        return self.statistics[self.label]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Of one method, for one version.

    Attributes:
        spreads: by (column, score's label).
        limit: the threshold of the standardised score.
        calibrated: whether windows in order of time have given it.
    """

    spreads: Mapping[tuple[str, str], Spread]
    limit: float
    calibrated: bool

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what ``document`` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        spreads = {
            (str(column), str(label)): Spread(float(median), float(above))
            for column, label, median, above in document["spreads"]
        }
        return cls(spreads, float(document["limit"]), bool(document["calibrated"]))

    def document(self) -> dict[str, Any]:
        """As JSON-safe objects."""
        spreads = [[*key, spread.median, spread.above] for key, spread in self.spreads.items()]
        return {"spreads": spreads, "limit": self.limit, "calibrated": self.calibrated}

    def ratio(self, measurement: Measurement, unseen: float) -> float | None:
        """The score over its threshold; None for a column that has none.

        Args:
            measurement: of a window's sample.
            unseen: share of the window's rows that are not in the sample. With all of them in it the score is that of
                the window; what a smaller sample adds on average is taken off, with the correction for drawing from a
                finite population.
        """
        spread = self.spreads.get((measurement.column, measurement.label))
        if spread is None:
            return None
        score = measurement.score - measurement.by_sampling * math.sqrt(unseen)
        return max(0.0, spread.standardise(score) / self.limit)
