"""Data quality: values that are missing, unlisted, out of range, of the wrong type, or all the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from leeway_drift.detectors.interface import ColumnScore, Judgement, Reference, Verdict, Window
from leeway_drift.profile.measure import Measured, measure_quality
from leeway_drift.profile.model import Profile
from leeway_drift.profile.quality import QUALITY_ROWS

_KINDS = {
    "missing_ratio": "missing",
    "unseen_ratio": "not among the categories of training",
    "out_of_range_ratio": "out of range",
    "wrong_ratio": "absent or of the wrong type",
    "top_value_ratio": "one and the same value",
}


@dataclass(frozen=True, slots=True)
class DataQuality:
    """Holds every feature and output to the limits that its profile learned.

    Attributes:
        profile: of the windows that will come.
    """

    profile: Profile

    @property
    def name(self) -> str:
        """As in metrics and alerts."""
        return "data_quality"

    @property
    def reference(self) -> Reference:
        """What it compares a window with."""
        return Reference.TRAINING

    def judge(self, window: Window, trailing: Sequence[Window]) -> Judgement:  # noqa: ARG002 - it needs none
        """Judge a closed window, or a sliding one of at least ``QUALITY_ROWS`` rows."""
        rows = window.counts.rows
        if rows < QUALITY_ROWS:
            reason = f"{rows} rows, expected at least {QUALITY_ROWS}"
            return Judgement(self.name, self.reference, Verdict.INSUFFICIENT, None, self.profile.calibrated, reason)
        measured = measure_quality(self.profile, window.counts)
        worst = measured[0]
        ratio = worst.ratio or 0.0
        return Judgement(
            self.name,
            self.reference,
            Verdict.OVER if ratio >= 1 else Verdict.WITHIN,
            ratio,
            self.profile.calibrated,
            _reason(worst),
            tuple(ColumnScore(item.name, item.statistics, item.ratio) for item in measured),
        )


def _reason(worst: Measured) -> str:
    if not worst.worst:
        return "no column has a limit that it could exceed"
    share = worst.statistics[worst.worst]
    return f"{worst.name}: {share:.1%} {_KINDS[worst.worst]}, {worst.ratio:.2f} of the limit"
