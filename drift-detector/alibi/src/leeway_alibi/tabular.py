"""`tabular`: Alibi-Detect's TabularDrift, one feature at a time so that each is tested without its nulls."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from alibi_detect.cd import TabularDrift

from leeway_alibi.methods import InsufficientError, Measurement
from leeway_alibi.table import Table

Column = npt.NDArray[Any]


class Tabular:
    """Kolmogorov-Smirnov for numbers, chi-squared for categories, each with its p-value, which gates nothing.

    The score of a numeric feature is the KS distance, that of a categorical one the total variation distance: unlike
    the chi-squared statistic it does not grow with the number of rows.
    """

    name = "tabular"
    floor = 0.1
    rows = 1000
    refits = True

    def usable(self, rows: Table) -> Table:
        """All of them: each feature leaves out its own nulls."""
        return rows

    def fit(self, reference: Table) -> "FittedTabular":
        """Take the reference as it is."""
        return FittedTabular(reference)


class FittedTabular:
    """Compares samples with the reference, feature by feature."""

    def __init__(self, reference: Table) -> None:
        self._reference = [reference.present(index) for index in range(len(reference.features))]

    def measure(self, sample: Table) -> Sequence[Measurement]:
        """Measure every feature that has values on both sides."""
        measured = []
        for index, (feature, reference) in enumerate(zip(sample.features, self._reference, strict=True)):
            values = sample.present(index)
            if not (values.size and reference.size):
                continue
            if feature.categories is None:
                distance, p_value = ks(reference, values)
                measured.append(Measurement(feature.name, {"ks": distance, "ks_p": p_value}, "ks"))
            else:
                statistic, p_value = chi2(reference, values)
                variation = total_variation(reference, values, feature.categories)
                statistics = {"tvd": variation, "chi2": statistic, "chi2_p": p_value}
                measured.append(Measurement(feature.name, statistics, "tvd"))
        if not measured:
            raise InsufficientError("every value of every feature is missing")
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


def _test(reference: Column, sample: Column, options: dict[str, Any]) -> tuple[float, float]:
    with warnings.catch_warnings():
        # It warns that it takes every feature to be numeric, which is what is asked of it without options.
        warnings.filterwarnings("ignore", message="No `categories_per_feature`")
        detector = TabularDrift(reference[:, np.newaxis], **options)
    data = detector.predict(sample[:, np.newaxis], drift_type="feature")["data"]
    return float(data["distance"][0]), float(data["p_val"][0])
