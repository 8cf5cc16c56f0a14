"""`classifier`: Alibi-Detect's ClassifierDrift; a model that can tell the window from the reference has found drift.

It looks at all features at once, so it sees what no single feature shows.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from alibi_detect.cd import ClassifierDrift
from sklearn.ensemble import HistGradientBoostingClassifier

from leeway_alibi.methods import Measurement, complete_rows
from leeway_alibi.table import Table

REFERENCE_ROWS = 2000
"""Rows of the reference it learns from; a fit for each calibrated block has to stay well under a second."""

MIN_ROWS = 50
"""Complete rows below which three folds say nothing."""

_FOLDS = 3


class Classifier:
    """Gradient-boosted trees, three folds; the score is the KS distance of the out-of-fold predictions."""

    name = "classifier"
    floor = 0.1
    rows = 500
    refits = True

    def usable(self, rows: Table) -> Table:
        """The complete ones.

        Raises:
            InsufficientError: fewer than ``MIN_ROWS``.
        """
        return complete_rows(rows, MIN_ROWS)

    def fit(self, reference: Table) -> "FittedClassifier":
        """Take at most ``REFERENCE_ROWS`` complete rows, evenly spaced.

        Raises:
            InsufficientError: there are too few.
        """
        return FittedClassifier(self.usable(reference).thinned(REFERENCE_ROWS))


class FittedClassifier:
    """Compares samples with the reference."""

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

    def measure(self, sample: Table) -> Sequence[Measurement]:
        """Measure all features at once."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="ks_2samp: Exact calculation unsuccessful")  # p gates nothing
            data = self._detector.predict(_matrix(sample), return_probs=False, return_model=False)["data"]
        return [Measurement("", {"ks": float(data["distance"]), "ks_p": float(data["p_val"])}, "ks")]


def _matrix(table: Table) -> npt.NDArray[np.float32]:
    # Trees split numbers by order, so that the largest float32 stands for what is infinite, which they do not accept.
    numbers = np.nan_to_num(table.numbers)
    return np.concatenate([numbers, table.codes.astype(np.float32)], axis=1)
