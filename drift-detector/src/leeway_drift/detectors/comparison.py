"""What every detector with a calibrated threshold does: score the columns, take the worst, say it in a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import ColumnScore, Judgement, Reference, Verdict, Window
from leeway_drift.profile.measure import Measured, measure
from leeway_drift.profile.model import Profile
from leeway_drift.statistics.scoring import MINIMUM_VALUES, TRAILING_WINDOWS, Scoring


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares the counts of a window with a reference.

    Attributes:
        profile: of the windows that will come.
        scoring: what is scored.
    """

    profile: Profile
    scoring: Scoring

    @property
    def name(self) -> str:
        """As in metrics and alerts."""
        return self.scoring.detector

    @property
    def reference(self) -> Reference:
        """What it compares a window with."""
        return Reference(self.scoring.reference)

    def judge(self, window: Window, trailing: Sequence[Window]) -> Judgement:
        """Judge a closed window."""
        before = trailing[-TRAILING_WINDOWS:]
        if self.reference is Reference.TRAILING and len(before) < TRAILING_WINDOWS:
            return self._insufficient(f"{len(before)} of the {TRAILING_WINDOWS} windows it is compared with are there")
        rows = window.counts.answered if self.scoring.over == "outputs" else window.counts.rows
        if rows < MINIMUM_VALUES:
            return self._insufficient(f"{rows} rows, expected at least {MINIMUM_VALUES}")
        compared = self.profile.reference if self.reference is Reference.TRAINING else _sum(before)
        measured = measure(self.profile, self.scoring, window.counts, compared)
        if not measured:
            return self._insufficient(f"the profile has no {self.scoring.over} to judge")
        columns = tuple(ColumnScore(item.name, item.statistics, item.ratio) for item in measured)
        worst = measured[0]
        if worst.ratio is None:
            return self._insufficient(f"none of the {self.scoring.over} has {MINIMUM_VALUES} values", columns)
        small = rows < self.profile.window_rows
        return Judgement(
            self.name,
            self.reference,
            Verdict.OVER if worst.ratio >= 1 else Verdict.WITHIN,
            worst.ratio,
            self.profile.calibrated and not small,
            self._reason(worst, rows if small else None),
            columns,
        )

    def _reason(self, worst: Measured, small: int | None) -> str:
        said = (
            f"{worst.name}: {worst.worst} {worst.statistics[worst.worst]:.3g} against {self.reference} is "
            f"{worst.ratio:.2f} of the threshold"
        )
        if not self.profile.calibrated:
            return f"{said}; not calibrated: a conventional threshold"
        if small is not None:
            return f"{said}; not calibrated: {small} rows, the threshold is for {self.profile.window_rows}"
        return said

    def _insufficient(self, reason: str, columns: tuple[ColumnScore, ...] = ()) -> Judgement:
        return Judgement(
            self.name, self.reference, Verdict.INSUFFICIENT, None, self.profile.calibrated, reason, columns
        )


def _sum(windows: Sequence[Window]) -> Counts:
    total = windows[0].counts
    for window in windows[1:]:
        total = total + window.counts
    return total
