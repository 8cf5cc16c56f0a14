"""One version of a model in the worker: its reference, its calibrated methods, and what they say of a window."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from leeway_alibi.calibration import MIN_BLOCK_ROWS, MIN_BLOCKS, Blocks, Thresholds, calibrate
from leeway_alibi.classifier import Classifier
from leeway_alibi.methods import Fitted, InsufficientError, Method
from leeway_alibi.online import CvmOnline, FetOnline
from leeway_alibi.table import Table
from leeway_alibi.tabular import Tabular
from leeway_drift.detectors.interface import ColumnScore, Judgement, Reference, Verdict

METHODS: Mapping[str, Callable[[], Method]] = {
    method.name: method for method in (Tabular, Classifier, CvmOnline, FetOnline)
}
"""The methods by name."""

MIN_ROWS = 50
"""Rows of a window below which nothing is said."""


@dataclass(frozen=True, slots=True)
class _Ready:
    method: Method
    fitted: Fitted
    thresholds: Thresholds


class Version:
    """Judges windows of one version.

    Args:
        reference: rows in time order.
        block: number of each row's block, int ``[rows]``, ascending; None if the rows are in no order of time.
        rate: share of windows that may be over the threshold in nature.
        methods: by name, to judge by.
    """

    def __init__(
        self,
        reference: Table,
        block: npt.NDArray[np.int32] | None,
        rate: float,
        methods: Mapping[str, Callable[[], Method]] = METHODS,
    ) -> None:
        blocks = None if block is None else Blocks(reference, block)
        self._blocks = blocks if blocks is not None and blocks.suffice else None
        self._methods = {name: self._prepare(method(), reference, rate) for name, method in methods.items()}

    def judge(self, window: Table) -> list[Judgement]:
        """Judge a window by every method."""
        return [self._judge(name, window) for name in self._methods]

    def _prepare(self, method: Method, reference: Table, rate: float) -> _Ready | str:
        try:
            if self._blocks is not None:
                fitted = method.fit(reference)
                return _Ready(method, fitted, calibrate(method, fitted, self._blocks, rate))
            if method.floor is None:
                return (
                    f"its thresholds hold for independent rows only, and the reference has no {MIN_BLOCKS} blocks of "
                    f"{MIN_BLOCK_ROWS} rows in time order to calibrate better ones on"
                )
            return _Ready(method, method.fit(reference), Thresholds({}, method.floor, calibrated=False))
        except InsufficientError as error:
            return str(error)
        except ValueError as error:  # Alibi-Detect's refusal of this reference, which costs this method alone
            return f"Alibi-Detect cannot prepare {method.name}: {error}"

    def _judge(self, name: str, window: Table) -> Judgement:
        calibrated = self._blocks is not None
        insufficient = partial(Judgement, name, Reference.TRAINING, Verdict.INSUFFICIENT, None, calibrated)
        ready = self._methods[name]
        if isinstance(ready, str):
            return insufficient(ready)
        method = ready.method
        looked_at, needed = method.rows, MIN_ROWS
        if self._blocks is not None:
            looked_at = needed = self._blocks.sample_rows(method)
        if len(window) < needed:
            return insufficient(f"{len(window)} rows of the window were kept, expected at least {needed}")
        try:
            measured = ready.fitted.measure(method.usable(window).thinned(looked_at))
        except InsufficientError as error:
            return insufficient(str(error))
        except ValueError as error:  # its refusal of this window, which costs this method alone
            return insufficient(f"Alibi-Detect cannot judge by {name}: {error}")
        scores = [(ready.thresholds.ratio(one), one) for one in measured]
        known = [(ratio, one) for ratio, one in scores if ratio is not None]
        if not known:
            return insufficient("no column that has values in this window had enough of them in the reference")
        largest, first = max(known, key=lambda pair: pair[0])
        return Judgement(
            detector=name,
            reference=Reference.TRAINING,
            verdict=Verdict.OVER if largest >= 1 else Verdict.WITHIN,
            score_ratio=largest,
            calibrated=ready.thresholds.calibrated,
            reason=f"{first.column or 'all features together'}: {first.label} {first.score:.3g} is {largest:.2f} of "
            f"its threshold",
            columns=tuple(
                ColumnScore(one.column, dict(one.statistics), ratio)
                for ratio, one in sorted(scores, key=lambda pair: -1 if pair[0] is None else -pair[0])
                if one.column
            ),
        )
