"""Cohorts of equal age: labels come late, and a version may only be compared with another that waited as long."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leeway_drift.labels.performance import Float64Array

DELAY_QUANTILE = 0.9
"""The age that is chosen if none is asked for: by then nine of ten labels that have come had come."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Labelled predictions of one version, in any order.

    Attributes:
        times: of the predictions, int64 ``[rows]`` in microseconds since 1970.
        delays: from the prediction to the first observation of its label, float64 ``[rows]`` in seconds.
        scores: float64 ``[rows, classes]`` or ``[rows, 1]``, as ``Target.scores`` reads them.
        labels: those that stand, float64 ``[rows]``.
        requests: int64 ``[rows]``, equal for the rows of one request.
    """

    times: npt.NDArray[np.int64]
    delays: Float64Array
    scores: Float64Array
    labels: Float64Array
    requests: npt.NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of labels."""
        return self.labels.size

    def where(self, chosen: npt.NDArray[np.generic]) -> "Labelled":
        """The rows that a mask or an index chooses."""
        return Labelled(
            self.times[chosen],
            self.delays[chosen],
            self.scores[chosen],
            self.labels[chosen],
            self.requests[chosen],
        )

    def newest(self, count: int) -> "Labelled":
        """The latest rows by the time of their prediction."""
        return self.where(np.argsort(self.times, kind="stable")[-count:])


def before(age: float, now: int) -> int:
    """The time before which a prediction is at least ``age`` seconds old, in microseconds since 1970."""
    return now - int(age * 1e6) + 1


def cohort(labelled: Labelled, age: float, until: int) -> Labelled:
    """Cut the cohort of an age: predictions at least that old, whose label was first observed within that age.

    Every prediction of every version has then had the same time to be labelled: labels that come fast (the easy
    cases, often) weigh no more in a young version than in an old one. The label is the one that stands now, since a
    correction is nearer to the truth.

    Args:
        labelled: of one version.
        age: in seconds.
        until: ``before(age, now)`` or earlier.
    """
    return labelled.where((labelled.times < until) & (labelled.delays <= age))


def usual_age(delays: Float64Array) -> float:
    """The age by which most labels have come, in whole minutes as seconds; 0 if there are none."""
    if delays.size == 0:
        return 0.0
    return float(np.ceil(np.quantile(delays, DELAY_QUANTILE) / 60) * 60)


def closed_windows(labelled: Labelled, size: int, after: int) -> Iterator[Labelled]:
    """Cut windows of at least ``size`` labels, oldest first; what does not fill one stays open.

    A window ends with all rows of one instant, so that none of them is judged twice or never, and labels that come
    for a time that was judged already are in no window: each window is judged once, however late the next label is.

    Args:
        labelled: of one version.
        size: labels per window.
        after: the time of the last judged prediction, in microseconds since 1970.
    """
    order = np.argsort(labelled.times, kind="stable")
    times = labelled.times[order]
    start = int(np.searchsorted(times, after, side="right"))
    while start + size <= times.size:
        end = int(np.searchsorted(times, times[start + size - 1], side="right"))
        yield labelled.where(order[start:end])
        start = end
