"""One version of a model in the worker: its reference, the thresholds, and what the methods say of a window."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_alibi.calibration import Blocks, calibrate
from leeway_alibi.classifier import FLOOR, SAMPLE_ROWS, Classifier
from leeway_alibi.methods import InsufficientError, Measurement, Thresholds
from leeway_alibi.table import Table
from leeway_alibi.tabular import Tabular
from leeway_drift.detectors.interface import ColumnScore, Judgement, Reference, Verdict


class Version:
    """Judges windows of one version.

    Args:
        reference: rows in time order.
        block: number of each row's block, int ``[rows]``, ascending; None if the rows are in no order of time.
        tabular: thresholds of ``tabular``, which are the profile's.
        rate: share of windows that ``classifier`` may be over its threshold in nature.
        taught: what ``taught`` of another one with the same reference was.
        fit: makes the classifier.

    Attributes:
        taught: what calibrating ``classifier`` gave, as JSON-safe objects: thresholds, or ``{"reason": …}`` why there
            are none.
    """

    def __init__(
        self,
        reference: Table,
        block: npt.NDArray[np.int32] | None,
        *,
        tabular: Thresholds,
        rate: float,
        taught: Mapping[str, Any] | None = None,
        fit: Callable[[Table], Classifier] = Classifier.fit,
    ) -> None:
        blocks = None if block is None else Blocks(reference, block)
        self._blocks = blocks if blocks is not None and blocks.suffice else None
        self._tabular, self._tabular_thresholds = Tabular(reference), tabular
        self.taught = dict(taught or self._learn(rate))
        self._classifier = self._prepare(reference, fit)

    def judge(self, window: Table, *, rows: int, comparable: bool) -> list[Judgement]:
        """Judge a window by every method.

        Args:
            window: a sample of its rows.
            rows: of the whole window.
            comparable: whether it is as large as those that taught the thresholds.
        """
        judgements = [
            _judgement("tabular", self._tabular_thresholds.calibrated, partial(self._by_tabular, window, rows)),
            _judgement("classifier", self._blocks is not None, partial(self._by_classifier, window)),
        ]
        return judgements if comparable else [replace(judgement, calibrated=False) for judgement in judgements]

    def _learn(self, rate: float) -> dict[str, Any]:
        try:
            return (FLOOR if self._blocks is None else calibrate(self._blocks, rate)).document()
        except _REFUSALS as error:
            return {"reason": _reason(error)}

    def _prepare(self, reference: Table, fit: Callable[[Table], Classifier]) -> tuple[Classifier, Thresholds] | str:
        if "reason" in self.taught:
            return str(self.taught["reason"])
        try:
            return fit(reference), Thresholds.of_document(self.taught)
        except _REFUSALS as error:
            return _reason(error)

    def _by_tabular(self, window: Table, rows: int) -> "Ratios":
        unseen = max(0.0, 1 - len(window) / max(rows, 1))
        return [(self._tabular_thresholds.ratio(one, unseen), one) for one in self._tabular.measure(window)]

    def _by_classifier(self, window: Table) -> "Ratios":
        if isinstance(self._classifier, str):
            raise InsufficientError(self._classifier)
        classifier, thresholds = self._classifier
        rows = SAMPLE_ROWS if self._blocks is None else self._blocks.sample_rows
        if self._blocks is not None and len(window) < rows:
            raise InsufficientError(f"{len(window)} rows of the window were kept, expected at least {rows}")
        measured = classifier.measure(window, rows)
        return [(thresholds.ratio(measured, unseen=0.0), measured)]


Ratios = Sequence[tuple[float | None, Measurement]]
"""What was measured, each with its ratio; None for what has no threshold."""

_REFUSALS = (InsufficientError, ValueError)
"""What costs one method alone; ValueError is what Alibi-Detect says of rows that it cannot measure."""


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, InsufficientError) else f"Alibi-Detect cannot: {error}"


def _judgement(name: str, calibrated: bool, measure: Callable[[], Ratios]) -> Judgement:  # noqa: FBT001 - as Judgement
    insufficient = partial(Judgement, name, Reference.TRAINING, Verdict.INSUFFICIENT, None, calibrated)
    try:
        ratios = measure()
    except _REFUSALS as error:
        return insufficient(_reason(error))
    known = [(ratio, one) for ratio, one in ratios if ratio is not None]
    if not known:
        return insufficient("no feature that has values in this window has a threshold")
    largest, first = max(known, key=lambda pair: pair[0])
    return Judgement(
        detector=name,
        reference=Reference.TRAINING,
        verdict=Verdict.OVER if largest >= 1 else Verdict.WITHIN,
        score_ratio=largest,
        calibrated=calibrated,
        reason=f"{first.column or 'all features together'}: {first.label} {first.score:.3g} is {largest:.2f} of "
        f"its threshold",
        columns=tuple(
            ColumnScore(one.column, dict(one.statistics), ratio)
            for ratio, one in sorted(ratios, key=lambda pair: math.inf if pair[0] is None else -pair[0])
            if one.column
        ),
    )
