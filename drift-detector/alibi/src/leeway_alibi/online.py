"""`cvm_online` and `fet_online`: Alibi-Detect's online detectors, fed a window row by row.

Their own thresholds aim at an expected run time (ERT) between false alarms that holds for independent rows only;
served rows are not (neighbours share the weather). So each window is fed to a fresh state, and what comes out is
judged by a threshold calibrated on blocks of the reference, like every other distance.
"""

import contextlib
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from alibi_detect.cd import CVMDriftOnline, FETDriftOnline

from leeway_alibi.methods import InsufficientError, Measurement, complete_rows
from leeway_alibi.table import Table

ERT = 50
"""Expected rows between false alarms of independent rows. The simulations must be twice ERT times features."""

WINDOW = 30
"""Rows in a detector's own sliding window; a sample of fewer says nothing."""

CVM_REFERENCE_ROWS = 200
"""Rows that `cvm_online` compares with; simulating costs their square."""

FET_REFERENCE_ROWS = 500
"""Rows that `fet_online` compares with."""

SAMPLE_ROWS = 200
"""Rows of a window that are fed, a quarter of a millisecond each."""

_SEEDS = 8

USUAL_SHARE = 0.9
"""`fet_online` watches how often a value is unusual: outside of what this share of the reference holds."""


class CvmOnline:
    """Numeric features by the Cramér-von Mises statistic; the score is its largest multiple of the ERT threshold."""

    name = "cvm_online"
    floor = None
    rows = SAMPLE_ROWS
    refits = False

    def usable(self, rows: Table) -> Table:
        """The complete ones.

        Raises:
            InsufficientError: too few to fill the sliding window.
        """
        return complete_rows(rows, WINDOW)

    def fit(self, reference: Table) -> "FittedCvm":
        """Simulate thresholds.

        Raises:
            InsufficientError: no numeric feature, or too few complete rows.
        """
        return FittedCvm(reference)


class FittedCvm:
    """Feeds samples to the detector."""

    def __init__(self, reference: Table) -> None:
        if not reference.numbers.shape[1]:
            raise InsufficientError("no feature is numeric")
        rows = complete_rows(reference, CVM_REFERENCE_ROWS).thinned(CVM_REFERENCE_ROWS).numbers
        with _seeded():
            self._detector = CVMDriftOnline(
                rows, ert=ERT, window_sizes=[WINDOW], n_bootstraps=_simulations(rows.shape[1]), verbose=False
            )

    def measure(self, sample: Table) -> Sequence[Measurement]:
        """Measure every numeric feature."""
        self._detector.reset_state()
        ratios = []
        for row in sample.numbers:
            data = self._detector.predict(row)["data"]
            ratios.append(data["test_stat"][0] / data["threshold"])
        largest = np.nanmax(np.array(ratios)[WINDOW - 1 :], axis=0)
        return [
            Measurement(feature.name, {"cvm_over_ert": float(ratio)}, "cvm_over_ert")
            for feature, ratio in zip(sample.features, largest, strict=False)  # numeric features come first
        ]


class FetOnline:
    """Unusual values by Fisher's exact test; the score is the share of rows at which a feature is over its threshold.

    A number is unusual outside the central ``USUAL_SHARE`` of the reference, a category if it is none of the most
    frequent ones that together hold as much.
    """

    name = "fet_online"
    floor = None
    rows = SAMPLE_ROWS
    refits = False

    def usable(self, rows: Table) -> Table:
        """The complete ones.

        Raises:
            InsufficientError: too few to fill the sliding window.
        """
        return complete_rows(rows, WINDOW)

    def fit(self, reference: Table) -> "FittedFet":
        """Simulate thresholds.

        Raises:
            InsufficientError: too few complete rows, or no feature has unusual values.
        """
        return FittedFet(reference)


class FittedFet:
    """Feeds samples to the detector."""

    def __init__(self, reference: Table) -> None:
        complete = complete_rows(reference, FET_REFERENCE_ROWS)
        self._usual = _Usual(complete)
        unusual = self._usual.exceeded(complete.thinned(FET_REFERENCE_ROWS))
        self._columns = np.flatnonzero(unusual.any(axis=0) & ~unusual.all(axis=0))
        if not self._columns.size:
            raise InsufficientError("no feature of the reference has a value that is unusual")
        rows = unusual[:, self._columns]
        self._detector = _configured_fet(rows)

    def measure(self, sample: Table) -> Sequence[Measurement]:
        """Measure every feature that has unusual values in the reference."""
        self._detector.reset_state()
        over = []
        with _seeded():  # where a statistic equals its threshold, the detector throws a coin
            for row in self._usual.exceeded(sample)[:, self._columns]:
                data = self._detector.predict(row)["data"]
                over.append(data["test_stat"][0] > data["threshold"])
        shares = np.array(over)[WINDOW - 1 :].mean(axis=0)
        return [
            Measurement(sample.features[column].name, {"fet_over_ert_share": float(share)}, "fet_over_ert_share")
            for column, share in zip(self._columns, shares, strict=True)
        ]


class _Usual:
    """What is usual in each column of a reference without nulls."""

    def __init__(self, reference: Table) -> None:
        tail = (1 - USUAL_SHARE) / 2
        numeric = reference.numbers.shape[1]
        self._bounds = np.quantile(reference.numbers, [tail, 1 - tail], axis=0) if numeric else np.empty((2, 0))
        self._usual_codes = []
        for column, feature in enumerate(reference.features[numeric:]):
            counts = np.bincount(reference.codes[:, column], minlength=(feature.categories or 0) + 1)
            order = np.argsort(-counts, kind="stable")
            before = np.cumsum(counts[order]) - counts[order]
            self._usual_codes.append(order[before < USUAL_SHARE * counts.sum()])

    def exceeded(self, complete: Table) -> npt.NDArray[np.bool_]:
        """Whether a value is unusual, ``[rows, features]``."""
        numbers = (complete.numbers < self._bounds[0]) | (complete.numbers > self._bounds[1])
        codes = [~np.isin(complete.codes[:, index], usual) for index, usual in enumerate(self._usual_codes)]
        return np.column_stack([numbers, *codes])


def _configured_fet(rows: npt.NDArray[np.bool_]) -> FETDriftOnline:
    """The detector with simulated thresholds, its statistic not smoothed.

    Where a simulated quantile falls on a step of the discrete statistic, Alibi-Detect may draw with a probability
    outside of 0 … 1 and raise ValueError, once in eight times when tried; other draws are tried then.
    """
    for seed in range(_SEEDS):
        with _seeded(seed), contextlib.suppress(ValueError):
            return FETDriftOnline(
                rows,
                ert=ERT,
                window_sizes=[WINDOW],
                n_bootstraps=_simulations(rows.shape[1]),
                lam=1.0,
                verbose=False,
            )
    raise InsufficientError(f"Alibi-Detect could not simulate thresholds in {_SEEDS} attempts")


def _simulations(features: int) -> int:
    # Alibi-Detect refuses to estimate a quantile beyond its samples, and drops samples as it goes.
    return max(2000, 4 * ERT * features)


@contextlib.contextmanager
def _seeded(seed: int = 0) -> Iterator[None]:
    """Equal references and samples give equal answers: Alibi-Detect draws from numpy's global generator."""
    np.random.seed(seed)  # noqa: NPY002 - the generator it uses
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN slice")
        yield
