"""`tabular`: Alibi-Detect's TabularDrift, one feature at a time so that each is tested without its nulls.

Its distances are those of the detector's own ``tabular``, which gets them from counts, and so are its thresholds.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from alibi_detect.cd import TabularDrift

from leeway_alibi.methods import InsufficientError, Measurement
from leeway_alibi.table import Table
from leeway_drift.statistics.scoring import MINIMUM_VALUES

Column = npt.NDArray[Any]

_KOLMOGOROV_MEAN = math.sqrt(math.pi / 2) * math.log(2)
"""Mean of the Kolmogorov distribution: of sqrt(n) times the KS distance of n rows from what they were drawn from."""


class Tabular:
    """Kolmogorov-Smirnov for numbers, chi-squared for categories, each with its p-value, which gates nothing.

    The score of a numeric feature is the KS distance, that of a categorical one the total variation distance: unlike
    the chi-squared statistic it does not grow with the number of rows.

    Args:
        reference: rows in any order.
    """

    def __init__(self, reference: Table) -> None:
        self._reference = [reference.present(index) for index in range(len(reference.features))]

    def measure(self, sample: Table) -> Sequence[Measurement]:
        """Measure every feature that has enough values on both sides.

        Raises:
            InsufficientError: none has.
        """
        measured = []
        for index, (feature, reference) in enumerate(zip(sample.features, self._reference, strict=True)):
            values = sample.present(index)
            if min(values.size, reference.size) < MINIMUM_VALUES:
                continue
            if feature.categories is None:
                distance, p_value = ks(reference, values)
                by_sampling = _KOLMOGOROV_MEAN / math.sqrt(values.size)
                measured.append(Measurement(feature.name, {"ks": distance, "ks_p": p_value}, "ks", by_sampling))
            else:
                statistic, p_value = chi2(reference, values)
                variation = total_variation(reference, values, feature.categories)
                statistics = {"tvd": variation, "chi2": statistic, "chi2_p": p_value}
                by_sampling = _variation_by_sampling(reference, values.size)
                measured.append(Measurement(feature.name, statistics, "tvd", by_sampling))
        if not measured:
            raise InsufficientError(f"no feature has {MINIMUM_VALUES} values")
        return measured


def ks(reference: Column, sample: Column) -> tuple[float, float]:
    """Alibi-Detect's Kolmogorov-Smirnov distance of two columns without nulls, and its p-value."""
    return _test(reference, sample, {})


def chi2(reference: Column, sample: Column) -> tuple[float, float]:
    """Alibi-Detect's chi-squared statistic of two columns of codes without nulls, and its p-value.

    One category on both sides is no difference: a statistic of 0 with p = 1, where Alibi-Detect, too, says 0 and 1.
    """
    return _test(reference, sample, {"categories_per_feature": {0: None}})


def total_variation(reference: Column, sample: Column, categories: int) -> float:
    """Half the sum of the differences of shares, in 0 … 1; what is not listed counts as one category."""
    shares = [np.bincount(codes, minlength=categories + 1) / codes.size for codes in (reference, sample)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _variation_by_sampling(reference: Column, rows: int) -> float:
    """Mean total variation distance of ``rows`` drawn from the reference: half the mean deviations of all shares."""
    shares = np.bincount(reference) / reference.size
    return float(np.sqrt(shares * (1 - shares) / (2 * math.pi * rows)).sum())


def _test(reference: Column, sample: Column, options: dict[str, Any]) -> tuple[float, float]:
    with warnings.catch_warnings():
        # It warns that it takes every feature to be numeric, which is what is asked of it without options.
        warnings.filterwarnings("ignore", message="No `categories_per_feature`")
        detector = TabularDrift(reference[:, np.newaxis], **options)
    data = detector.predict(sample[:, np.newaxis], drift_type="feature")["data"]
    return float(data["distance"][0]), float(data["p_val"][0])
