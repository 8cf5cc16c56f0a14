"""What one version did in one tick, per slot: filled event by event, counted in bulk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Rows, stack
from leeway_drift.counting.counts import Counts
from leeway_drift.counting.plan import Plan
from leeway_drift.labels.target import ROUNDING
from leeway_drift.reading.events import Kind
from leeway_drift.streaming.cells import Cells, CommonCounts, Quality
from leeway_drift.streaming.moments import Moments
from leeway_drift.streaming.sample import Random, Sample

MAX_OUTPUTS = 100
"""Columns of answers whose moments are kept."""

MAX_SERVED_TICKS = 10_000
"""Ticks to whose predictions the labels of one tick may belong, a day's worth; those of further ones do not count."""

_BULK_EVENTS = 512
_BULK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Output:
    """One column of the answers.

    Attributes:
        moments: of its finite values.
        outside: of these, values that no probability has.
    """

    moments: Moments = Moments()  # noqa: RUF009 - frozen
    outside: int = 0

    @classmethod
    def of(cls, values: npt.NDArray[np.floating]) -> Self:
        """Of values ``[rows]``."""
        outside = (values < -ROUNDING) | (values > 1 + ROUNDING)  # NaN is neither
        return cls(Moments.of(values), int((outside & np.isfinite(values)).sum()))

    def __add__(self, other: Self) -> Self:
        """Of the union."""
        return type(self)(self.moments + other.moments, self.outside + other.outside)


_Mergeable = TypeVar("_Mergeable", Counts, Sample)
_Key = TypeVar("_Key", str, int)
_Sum = TypeVar("_Sum", Moments, Output)


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """What one slot saw and said in one closed tick.

    Attributes:
        requests: events of requests.
        rows: of these requests.
        outputs: by column of the answers.
        quality: of the rows that could be counted.
        losses: of predictions whose label became known in this tick, by the tick in which they were made.
        counts: in the bins of the version's profile, None if there were no events.
        uncounted: whether any event came while there was no profile.
        sample: of the requests' rows, None if none is kept.
        common: of rows of requests, in the cells of the version beside; those of all of them, or it is of no use.
    """

    requests: int
    rows: int
    outputs: Mapping[str, Output]
    quality: Quality
    losses: Mapping[int, Moments]
    counts: Counts | None
    uncounted: bool
    sample: Sample | None
    common: CommonCounts | None

    @property
    def compared(self) -> CommonCounts | None:
        """The rows in the cells of the version beside, None if they were not all counted there."""
        return self.common if self.common is not None and self.common.quality.n == self.rows else None

    def __add__(self, other: "Arm") -> "Arm":
        """What two replicas saw of one slot; what counts rows is exact, sums of answers up to their rounding."""
        outputs = dict(self.outputs)
        for name, output in other.outputs.items():
            _add(outputs, name, output, MAX_OUTPUTS)
        losses = dict(self.losses)
        for tick, moments in other.losses.items():
            _add(losses, tick, moments, MAX_SERVED_TICKS)
        return Arm(
            self.requests + other.requests,
            self.rows + other.rows,
            outputs,
            self.quality + other.quality,
            losses,
            _union(self.counts, other.counts),
            self.uncounted or other.uncounted,
            _union(self.sample, other.sample),
            _together(self.common, other.common),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """A closed tick of a version.

    Attributes:
        index: in the stream's timeline.
        arms: by slot, those alone that had an event.
    """

    index: int
    arms: Mapping[str, Arm]

    @property
    def counts(self) -> Counts | None:
        """Of all slots; None if there are none, or if any event could not be counted."""
        if any(arm.uncounted for arm in self.arms.values()):
            return None
        return reduce(_union, (arm.counts for arm in self.arms.values()), None)

    @property
    def sample(self) -> Sample | None:
        """Of all slots."""
        return reduce(_union, (arm.sample for arm in self.arms.values()), None)


@dataclass(slots=True)
class OpenArm:
    """One slot in a tick that is not closed: events are collected, and counted many at once.

    Numpy's cost is per call: twenty columns of one row take as long as twenty columns of five hundred.

    Attributes:
        requests: as in ``Arm``, as are the others; but for this, ``rows`` and ``losses``, of what is counted already.
        rows: see there.
        outputs: see there.
        quality: see there.
        losses: see there.
        counts: see there.
        uncounted: see there.
        sample: see there.
        common: see there.
    """

    requests: int = 0
    rows: int = 0
    outputs: dict[str, Output] = field(default_factory=dict)
    quality: Quality = field(default_factory=Quality)
    losses: dict[int, Moments] = field(default_factory=dict)
    counts: Counts | None = None
    uncounted: bool = False
    sample: Sample | None = None
    common: CommonCounts | None = None
    _collected: dict[Kind, list[Rows]] = field(default_factory=lambda: {kind: [] for kind in Kind})
    _collected_bytes: int = 0

    def add(self, kind: Kind, rows: Rows, nbytes: int) -> bool:
        """Take an event of ``nbytes``; True if it is time to ``count``."""
        self._collected[kind].append(rows)
        self._collected_bytes += nbytes
        if kind is Kind.REQUEST:
            self.requests += 1
            self.rows += rows.count
        return len(self._collected[kind]) >= _BULK_EVENTS or self._collected_bytes >= _BULK_BYTES

    def add_loss(self, served: int, loss: float) -> None:
        """Take the loss of a prediction that was made in the tick ``served``."""
        _add(self.losses, served, Moments(1, loss, loss * loss), MAX_SERVED_TICKS)

    def count(self, plan: Plan | None, random: Random | None, cells: Cells | None = None) -> None:
        """Count what is collected; without a plan it can never be counted and says so.

        Args:
            plan: of the version's profile.
            random: draws for the sample; None if none is kept.
            cells: of the version beside, None if this one's own do.
        """
        for rows in stack(self._collected[Kind.REQUEST]):
            if plan is not None:
                self._merge(Counts.of_request(plan, rows))
                self.quality += Quality.of(plan, rows)
                if random is not None:
                    self._take_sample(plan, rows, random)
            if cells is not None:
                found = cells.count(rows)
                self.common = _together(self.common, found) or found
        for rows in stack(self._collected[Kind.RESPONSE]):
            if plan is not None:
                self._merge(Counts.of_response(plan, rows))
            self._add_outputs(rows)
        self.uncounted |= plan is None and any(self._collected.values())
        for collected in self._collected.values():
            collected.clear()
        self._collected_bytes = 0

    def forget_counts(self) -> None:
        """Another profile than before: what was counted by that one adds up with nothing."""
        if self.counts is not None:
            self.quality, self.counts, self.uncounted, self.sample, self.common = Quality(), None, True, None, None

    def close(self, plan: Plan | None, random: Random | None, cells: Cells | None = None) -> Arm:
        """Count the rest; this object is of no use afterwards."""
        self.count(plan, random, cells)
        return Arm(
            self.requests,
            self.rows,
            self.outputs,
            self.quality,
            self.losses,
            self.counts,
            self.uncounted,
            self.sample,
            self.common,
        )

    def _merge(self, counts: Counts) -> None:
        self.counts = counts if self.counts is None else self.counts + counts

    def _add_outputs(self, rows: Rows) -> None:
        for index, name in enumerate(rows.numeric):
            _add(self.outputs, name, Output.of(rows.numbers[:, index]), MAX_OUTPUTS)

    def _take_sample(self, plan: Plan, rows: Rows, random: Random) -> None:
        features = rows.select(plan.features)
        if len(features.numeric) + len(features.categorical) < len(plan.features):
            return  # a row without all columns is counted as faulty; detectors on raw rows could not read it
        sample = Sample.of(features, random)
        if self.sample is None:
            self.sample = sample
        elif (sample.rows.numeric, sample.rows.categorical) == (
            self.sample.rows.numeric,
            self.sample.rows.categorical,
        ):
            self.sample += sample


def _add(sums: dict[_Key, _Sum], key: _Key, more: _Sum, limit: int) -> None:
    known = sums.get(key)
    if known is not None:
        sums[key] = known + more
    elif len(sums) < limit:
        sums[key] = more


def _together(one: CommonCounts | None, other: CommonCounts | None) -> CommonCounts | None:
    """The sum; None if they are in different cells, and then ``Arm.compared`` sees that rows are missing."""
    if one is None or other is None:
        return one if other is None else other
    return one + other if one.adds_to(other) else None


def _union(one: _Mergeable | None, other: _Mergeable | None) -> _Mergeable | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other
