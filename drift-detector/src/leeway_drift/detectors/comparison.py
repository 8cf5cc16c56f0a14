"""What every detector with a calibrated threshold does: score the columns, take the worst, say it in a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import ColumnScore, Judgement, Reference, Verdict, Window
from leeway_drift.profile.measure import Measured, measure
from leeway_drift.profile.model import Profile
from leeway_drift.statistics.scoring import MINIMUM_VALUES, TRAILING_WINDOWS, Scoring

_ENOUGH = 0.9  # of a window: a few lost or failed answers leave it what it was


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
        small = self._small(window, rows)
        return Judgement(
            self.name,
            self.reference,
            Verdict.OVER if worst.ratio >= 1 else Verdict.WITHIN,
            worst.ratio,
            self.profile.calibrated and small is None,
            self._reason(worst, small),
            columns,
        )

    def _small(self, window: Window, rows: int) -> str | None:
        """In what a window falls short of those that taught the threshold: chance or the time of day moves it more."""
        seconds = (window.end - window.start).total_seconds()
        for found, expected, unit in (
            (rows, self.profile.window_rows, "rows"),
            (seconds, self.profile.window_seconds, "s"),
        ):
            if found < _ENOUGH * expected:
                return f"{found:g} {unit}, the threshold is for {expected:g}"
        return None

    def _reason(self, worst: Measured, small: str | None) -> str:
        said = (
            f"{worst.name}: {worst.worst} {worst.statistics[worst.worst]:.3g} against {self.reference} is "
            f"{worst.ratio:.2f} of the threshold"
        )
        if not self.profile.calibrated:
            return f"{said}; not calibrated: a conventional threshold"
        if small is not None:
            return f"{said}; not calibrated: {small}"
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
