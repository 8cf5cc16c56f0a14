"""Rows to learn from and rows to judge on, cut so that neighbours in time never lie on both sides."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from leeway_training.config import Candidate, Config
from leeway_training.dataset import Rows
from leeway_training.errors import Problem, Refused
from leeway_training.pipeline import answers_of, fit

FOLDS = 4

Positions = npt.NDArray[np.int64]


def folds(rows: Rows) -> Iterator[tuple[Positions, Positions]]:
    """Positions to learn from and to judge on.

    In time: forward chaining (expanding window). The rows are cut into five stretches of whole days; the first fold
    learns from the first and is judged on the second, the last learns from four and is judged on the fifth.
    Without time: five folds of shuffled rows, each judged once by what was learnt from the other four.
    """
    stretch = _stretches(rows)
    for number in range(0 if rows.times is None else 1, FOLDS + 1):
        judged = stretch == number
        learnt = ~judged if rows.times is None else stretch < number
        yield np.flatnonzero(learnt), np.flatnonzero(judged)


def honest_answers(config: Config, candidate: Candidate, rows: Rows) -> npt.NDArray[np.float64]:
    """Answer each row by a model that has not learnt from it, nor from its day (five-fold cross-fitting).

    A model's answers to the rows it was fitted on are better than any it will give again: as the reference of what it
    says, and of how often it is right, they would make every normal day look like decay.

    Returns:
        Probabilities ``[n, classes]``, or numbers ``[n, 1]`` for regression; a class that a part does not hold gets 0.

    Raises:
        Refused: labels that differ in one part only.
    """
    stretch = _stretches(rows)
    answers = np.zeros((len(rows), 1 if config.classes is None else len(config.classes)))
    for number in np.unique(stretch):
        held = stretch == number
        if len(np.unique(rows.labels[~held])) < 2:  # noqa: PLR2004 - nothing is learnt from one
            where, what = (
                "split.train",
                f"without part {number + 1} of {FOLDS + 1} every {config.target.column} is the same",
            )
            raise Refused("answer by models that have not seen the rows", [Problem(where, what, "labels that differ")])
        model = fit(config, candidate, rows.take(np.flatnonzero(~held)))
        columns = slice(None) if config.classes is None else model.classes_
        answers[np.ix_(held, np.arange(answers.shape[1])[columns])] = answers_of(model, rows.features[held])
    return answers


def _stretches(rows: Rows) -> Positions:
    """Number each row's stretch, 0 to `FOLDS`, of about equal size."""
    if rows.times is None:
        places = np.random.default_rng(0).permutation(len(rows))
        return places * (FOLDS + 1) // len(rows)
    # A day belongs to the stretch that its middle row falls into.
    _, day, counts = np.unique(rows.blocks, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / len(rows)
    return np.minimum((middle * (FOLDS + 1)).astype(np.int64), FOLDS)[day]
