"""Which of several candidates is best, judged only by rows that lie after what each of them has learnt from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leeway_training.config import Candidate, Config
from leeway_training.dataset import Rows
from leeway_training.errors import Problem, Refused
from leeway_training.evaluate import evaluate
from leeway_training.folds import folds
from leeway_training.pipeline import answers_of, fit

STEP = "compare the candidates"


@dataclass(frozen=True)
class Comparison:
    """What one candidate reached on each fold.

    Attributes:
        candidate: the estimator and its parameters.
        scores: the gate's first metric on each fold, in order of time.
    """

    candidate: Candidate
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the folds."""
        return float(np.mean(self.scores))

    @property
    def sd(self) -> float:
        """Standard deviation over the folds (n - 1): how much the candidate depends on when it is asked."""
        return float(np.std(self.scores, ddof=1))


def compare(config: Config, train: Rows, validation: Rows) -> tuple[Comparison, ...]:
    """Judge every candidate on the same folds of training and validation rows; the test rows stay unseen.

    Returns:
        One per candidate, the best first; of equal ones the first declared.

    Raises:
        Refused: a fold without rows of every class, or a candidate that cannot be fitted.
    """
    rows = _joined(train, validation)
    metric, more_is_better = config.ranking
    parts = [(rows.take(learnt), rows.take(judged)) for learnt, judged in folds(rows)]
    if problems := [problem for number, pair in enumerate(parts, 1) for problem in _lacking(number, pair, config)]:
        raise Refused(STEP, problems)
    compared = [
        Comparison(
            candidate,
            tuple(
                evaluate(
                    config.target.task, judged.labels, answers_of(fit(config, candidate, learnt), judged.features)
                )[metric]
                for learnt, judged in parts
            ),
        )
        for candidate in config.model.choices
    ]
    return tuple(sorted(compared, key=lambda one: -one.mean if more_is_better else one.mean))


def _joined(train: Rows, validation: Rows) -> Rows:
    both = (train, validation)
    return Rows(
        pd.concat([part.features for part in both]),
        np.concatenate([part.labels for part in both]),
        np.concatenate([part.blocks for part in both]),
        None if train.times is None or validation.times is None else np.concatenate([train.times, validation.times]),
        pd.concat([part.frame for part in both]),
        None,
    )


def _lacking(number: int, pair: Sequence[Rows], config: Config) -> Iterator[Problem]:
    for what, part in zip(("learns from", "is judged on"), pair, strict=True):
        where = f"fold {number}"
        if config.classes is None:
            if len(np.unique(part.labels)) < 2:  # noqa: PLR2004 - one value cannot be learnt, nor judged by R²
                yield Problem(where, f"{what} {len(part)} rows of one {config.target.column}", "labels that differ")
        elif absent := np.setdiff1d(np.arange(len(config.classes)), part.labels).tolist():
            shown = ", ".join(map(str, absent))
            yield Problem(where, f"{what} no row of class {shown} ({config.target.column})", "rows of every class")
