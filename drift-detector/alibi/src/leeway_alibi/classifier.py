"""`classifier`: Alibi-Detect's ClassifierDrift; a model that can tell the window from the reference has found drift.

It looks at all features at once, so it sees what no single feature shows. Where the rows of a window share what no
others have, as flights of a day share its weather, it tells any window from any other; calibration notices that.
"""

import warnings
from typing import Self

import numpy as np
import numpy.typing as npt
from alibi_detect.cd import ClassifierDrift
from sklearn.ensemble import HistGradientBoostingClassifier

from leeway_alibi.methods import InsufficientError, Measurement, Thresholds
from leeway_alibi.table import Table
from leeway_drift.statistics.max_t import Spread

REFERENCE_ROWS = 2000
"""Rows of the reference it learns from; a fit for each calibrated block has to stay well under a second."""

SAMPLE_ROWS = 500
"""Complete rows of a window it learns from."""

MIN_ROWS = 50
"""Complete rows below which three folds say nothing."""

FLOOR = Thresholds({("", "ks"): Spread(0.0, 0.1)}, 1.0, calibrated=False)
"""Conventional, for a reference that teaches nothing."""

_FOLDS = 3


class Classifier:
    """Gradient-boosted trees, three folds; the score is the KS distance of the out-of-fold predictions.

    Args:
        reference: complete rows.
    """

    def __init__(self, reference: Table) -> None:
        numeric = reference.numbers.shape[1]
        model = HistGradientBoostingClassifier(
            max_iter=30,
            max_leaf_nodes=8,
            min_samples_leaf=10,
            early_stopping=False,
            categorical_features=[index >= numeric for index in range(len(reference.features))],
            random_state=0,
        )
        self._detector = ClassifierDrift(_matrix(reference), model, backend="sklearn", n_folds=_FOLDS, seed=0)

    @classmethod
    def fit(cls, reference: Table) -> Self:
        """Take at most ``REFERENCE_ROWS`` complete rows of a reference, evenly spaced.

        Raises:
            InsufficientError: there are too few.
        """
        return cls(_complete(reference).thinned(REFERENCE_ROWS))

    def measure(self, sample: Table, rows: int) -> Measurement:
        """Measure at most ``rows`` complete rows of a sample, evenly spaced.

        Raises:
            InsufficientError: there are too few.
        """
        usable = _complete(sample).thinned(rows)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="ks_2samp: Exact calculation unsuccessful")  # p gates nothing
            data = self._detector.predict(_matrix(usable), return_probs=False, return_model=False)["data"]
        return Measurement("", {"ks": float(data["distance"]), "ks_p": float(data["p_val"])}, "ks")


def _complete(rows: Table) -> Table:
    """The rows in which nothing is missing: a null is the feed's matter, and easily told from a number.

    Raises:
        InsufficientError: too few; the message names the column that most are missing in.
    """
    complete = rows.complete()
    if len(complete) < MIN_ROWS:
        worst, nulls = rows.most_missing()
        raise InsufficientError(
            f"{len(complete)} of {len(rows)} rows are complete, expected at least {MIN_ROWS}; "
            f"{worst} is missing in {nulls}"
        )
    return complete


def _matrix(table: Table) -> npt.NDArray[np.float32]:
    # Trees split numbers by order, so that the largest float32 stands for what is infinite, which they do not accept.
    numbers = np.nan_to_num(table.numbers)
    return np.concatenate([numbers, table.codes.astype(np.float32)], axis=1)
