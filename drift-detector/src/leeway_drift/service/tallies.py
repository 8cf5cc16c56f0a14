"""Counts of what became of predictions and labels: written by the threads that know, read by whoever scrapes."""

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from leeway_drift.labels.joins import Outcome
from leeway_drift.reading.events import Stream
from leeway_drift.streaming.limits import Limits

MAX_VERSIONS = 64
"""Versions counted one by one, unless more are watched; the one that was silent longest makes room."""

FORGOTTEN_SECONDS = Limits().stream_forgotten_seconds
"""Silence after which a version is counted no more, as its stream is watched no more by then."""

DELAY_BUCKETS = (60.0, 600.0, 3600.0, 6 * 3600.0, 86400.0, 3 * 86400.0, 7 * 86400.0, 30 * 86400.0)
"""Seconds from a prediction to its label."""

JOINED = (Outcome.ACCEPTED, Outcome.CORRECTED)
"""Outcomes of labels that belong to a version; the others belong to none, whatever their sender claims."""


class Kept(StrEnum):
    """What became of a predicted row."""

    STORED = "stored"
    """It is in the store."""
    DUPLICATE = "duplicate"
    """It was there already."""
    UNSAMPLED = "unsampled"
    """It is not in the sample."""
    TOO_MANY_ROWS = "too_many_rows"
    """Its request had more rows than are kept of one."""
    QUEUE_FULL = "queue_full"
    """The store is slower than the traffic, and the queue was full."""
    STORE_FAILED = "store_failed"
    """The store could not be written, several times."""


@dataclass(slots=True)
class Tally:
    """Counts of one version, all present from the start.

    Attributes:
        predictions: rows by what became of them.
        labels: by what became of them, those that were joined.
        delays: labels by the bucket of their delay, the last for those above all.
        delay_sum: seconds.
        touched: reading of the clock when it was counted last.
    """

    predictions: dict[Kept, int] = field(default_factory=lambda: dict.fromkeys(Kept, 0))
    labels: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(JOINED, 0))
    delays: list[int] = field(default_factory=lambda: [0] * (len(DELAY_BUCKETS) + 1))
    delay_sum: float = 0.0
    touched: float = 0.0


class Tallies:
    """Counts by version, and of labels that were joined with none.

    Args:
        clock: seconds.
        watched: versions that the detector watches at most; no fewer are counted.
    """

    def __init__(self, clock: Callable[[], float], watched: int = 0) -> None:
        self._clock = clock
        self._limit = max(MAX_VERSIONS, watched)
        self._lock = threading.Lock()
        self._versions: OrderedDict[Stream, Tally] = OrderedDict()
        self._unjoined = {outcome: 0 for outcome in Outcome if outcome not in JOINED}

    def predictions(self, version: Stream, kept: Kept, rows: int) -> None:
        """Count predicted rows."""
        with self._lock:
            self._of(version).predictions[kept] += rows

    def label(self, version: Stream | None, outcome: Outcome) -> None:
        """Count a label; one that was not joined belongs to no version."""
        with self._lock:
            if version is None or outcome not in JOINED:
                self._unjoined[outcome] += 1
            else:
                self._of(version).labels[outcome] += 1

    def delay(self, version: Stream, seconds: float) -> None:
        """Count how long a prediction's first label took."""
        with self._lock:
            tally = self._of(version)
            tally.delays[bisect_left(DELAY_BUCKETS, seconds)] += 1
            tally.delay_sum += seconds

    def forget(self, version: Stream) -> None:
        """Drop the counts of a version that is gone."""
        with self._lock:
            self._versions.pop(version, None)

    def forget_silent(self) -> None:
        """Drop versions that were not counted for long; labels come for a version after it is gone, too."""
        before = self._clock() - FORGOTTEN_SECONDS
        with self._lock:
            for version in [version for version, tally in self._versions.items() if tally.touched <= before]:
                del self._versions[version]

    def versions(self) -> dict[Stream, Tally]:
        """A copy of all counts."""
        with self._lock:
            return {
                version: replace(
                    tally, predictions=dict(tally.predictions), labels=dict(tally.labels), delays=list(tally.delays)
                )
                for version, tally in self._versions.items()
            }

    def unjoined(self) -> dict[Outcome, int]:
        """Labels that belong to no version, by what became of them."""
        with self._lock:
            return dict(self._unjoined)

    def _of(self, version: Stream) -> Tally:
        tally = self._versions.get(version)
        if tally is None:
            if len(self._versions) >= self._limit:
                self._versions.popitem(last=False)
            tally = self._versions[version] = Tally()
        tally.touched = self._clock()
        self._versions.move_to_end(version)
        return tally
