"""Concept: whether what the model says still agrees with what turns out to be true, by labels.

The one kind of drift that is harm by itself. A window's metrics are held against their mean over the windows of the
training period, in units of the spread they had there (drift that labels do not show is no reason to retrain).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from leeway_drift.detectors.interface import ColumnScore, Judgement, Reference, Verdict

NAME = "concept"
MIN_LABELS = 500
"""Labels a window has at least; the AUC of fewer says too little."""

LIMIT = 3.0
"""Standard deviations by which a metric may be worse than its mean."""

MIN_WINDOWS = 10
"""Windows of the reference below which a standard deviation is no measure of what is usual."""

_LOWER_IS_WORSE = frozenset({"auc", "f1", "accuracy", "macro_f1"})
_SIGNED = frozenset({"calibration_gap", "bias"})


@dataclass(frozen=True, slots=True)
class ConceptDetector:
    """Judges the metrics of windows of labels.

    Args:
        spread: ``mean``, ``sd`` and ``windows`` by metric, as a profile has them; empty if it knows none.
        window_rows: rows of the windows that the spread was measured on: others spread differently.
        calibrated: whether those windows followed time.
    """

    spread: Mapping[str, Mapping[str, float]]
    window_rows: int = 0
    calibrated: bool = False

    @property
    def name(self) -> str:
        """As in metrics and alerts."""
        return NAME

    @property
    def reference(self) -> Reference:
        """The training period."""
        return Reference.TRAINING

    @property
    def window_labels(self) -> int:
        """Labels of a window to be judged."""
        return max(MIN_LABELS, self.window_rows)

    def judge(self, measured: Mapping[str, float], labels: int) -> Judgement:
        """Judge one window.

        Args:
            measured: its metrics by name, those that it can tell.
            labels: how many it has.
        """
        if labels < self.window_labels:
            return self.insufficient(f"{labels} labels of old enough predictions, needs {self.window_labels}")
        usable = {name: spread for name, spread in self.spread.items() if spread["windows"] >= MIN_WINDOWS}
        if not usable:
            return self.insufficient(f"the profile has no metric over {MIN_WINDOWS} labelled windows or more")
        scores = [
            _score(name, measured[name], spread)
            for name, spread in usable.items()
            if name in measured and spread["sd"] > 0
        ]
        if not scores:
            return self.insufficient("the window tells none of the profile's metrics: it may hold one class only")
        scores.sort(key=lambda score: -(score.score_ratio or 0.0))
        worst = scores[0]
        ratio = worst.score_ratio or 0.0
        value, mean, sd = (worst.statistics[key] for key in ("value", "mean", "sd"))
        return Judgement(
            detector=self.name,
            reference=self.reference,
            verdict=Verdict.OVER if ratio >= 1 else Verdict.WITHIN,
            score_ratio=ratio,
            calibrated=self.calibrated,
            reason=f"{worst.name} is {value:.4g} over {labels} labels; in training {mean:.4g} ± {sd:.2g}",
            columns=tuple(scores),
        )

    def insufficient(self, reason: str) -> Judgement:
        """It cannot say, for this reason."""
        return Judgement(
            detector=self.name,
            reference=self.reference,
            verdict=Verdict.INSUFFICIENT,
            score_ratio=None,
            calibrated=self.calibrated,
            reason=reason,
        )


def _score(name: str, value: float, spread: Mapping[str, float]) -> ColumnScore:
    """How much worse than usual; as good or better is 0, for a metric with a sign either way is worse."""
    difference = value - spread["mean"]
    worse = abs(difference) if name in _SIGNED else max(0.0, -difference if name in _LOWER_IS_WORSE else difference)
    statistics = {"value": value, "mean": spread["mean"], "sd": spread["sd"]}
    return ColumnScore(name, statistics, worse / (LIMIT * spread["sd"]))
