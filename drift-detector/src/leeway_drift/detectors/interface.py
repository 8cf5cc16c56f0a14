"""The interface of every detector: a window and its references in, a judgement out; no state, no I/O, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from leeway_drift.columns import Rows
from leeway_drift.counting.counts import Counts


class Reference(StrEnum):
    """What a window is compared with."""

    TRAINING = "training"
    """The period the model was trained on, as its profile holds it."""
    TRAILING = "trailing"
    """The windows before this one."""


class Verdict(StrEnum):
    """What a detector says of one window."""

    WITHIN = "within"
    """Below the threshold."""
    OVER = "over"
    """At or above the threshold; an alarm only once it persists."""
    INSUFFICIENT = "insufficient"
    """It cannot say, and its reason tells why: never good news."""


@dataclass(frozen=True, slots=True)
class Window:
    """A closed window of one version.

    Attributes:
        start: event time of its begin, inclusive.
        end: event time of its end, exclusive.
        counts: of all its rows.
        sample: a bounded sample of its request rows for detectors that need raw values; None where none is kept.
    """

    start: datetime
    end: datetime
    counts: Counts
    sample: Rows | None = None


@dataclass(frozen=True, slots=True)
class ColumnScore:
    """What a detector measured on one feature, output or relation.

    Attributes:
        name: of the column, or ``left~right`` for a relation of two.
        statistics: raw values by name: ``psi``, ``wasserstein`` (in reference standard deviations), ``ks``, ``tvd``,
            ``missing_ratio`` and so on.
        score_ratio: score over its threshold, 1 is the threshold; None if it has no threshold.
    """

    name: str
    statistics: Mapping[str, float]
    score_ratio: float | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one detector says of one window.

    Attributes:
        detector: its name, as in metrics and alerts.
        reference: what the window was compared with.
        verdict: what it says.
        score_ratio: the largest of its columns' ratios on the scale of its threshold, None if insufficient.
        calibrated: whether the threshold was calibrated on time-ordered windows; if not, nothing may page.
        reason: one sentence for a person: the column and the numbers, or what is missing.
        columns: per column, the largest ratio first.
    """

    detector: str
    reference: Reference
    verdict: Verdict
    score_ratio: float | None
    calibrated: bool
    reason: str
    columns: tuple[ColumnScore, ...] = ()


class Detector(Protocol):
    """Judges windows of versions whose profile it was made for."""

    @property
    def name(self) -> str:
        """As in metrics and alerts."""

    @property
    def reference(self) -> Reference:
        """What it compares a window with."""

    def judge(self, window: Window, trailing: Sequence[Window]) -> Judgement:
        """Judge a closed window.

        Args:
            window: to be judged.
            trailing: the windows before it, oldest first, without those that were judged to be faulty.
        """
