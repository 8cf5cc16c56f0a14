"""Column by column tests of raw rows: the statistics that Alibi-Detect's ``TabularDrift`` computes, without it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_drift.counting.bins import NULL
from leeway_drift.statistics.two_sample import chi2_two_sample, ks_two_sample

__all__ = ["chi2_two_sample", "ks_two_sample", "tabular_statistics"]

Column = npt.NDArray[Any]


def tabular_statistics(
    reference_columns: Mapping[str, Column], window_columns: Mapping[str, Column]
) -> dict[str, tuple[float, float]]:
    """Test each column of a window against the reference.

    Args:
        reference_columns: by name float32 ``[n]`` with NaN where missing, or int16 codes of categories with ``NULL``.
        window_columns: the same columns ``[m]``.

    Returns:
        By name the statistic (Kolmogorov-Smirnov distance of numbers, Pearson's chi-squared of categories) and its
        p-value. Missing values are left out first: one NaN changes nothing. A column without any value on one of the
        sides is left out.
    """
    result: dict[str, tuple[float, float]] = {}
    for name, reference in reference_columns.items():
        window = window_columns[name]
        if reference.dtype.kind == "f":
            known, seen = reference[~np.isnan(reference)], window[~np.isnan(window)]
            if known.size and seen.size:
                result[name] = ks_two_sample(np.sort(known), seen)
            continue
        known, seen = reference[reference != NULL], window[window != NULL]
        if known.size and seen.size:
            size = int(max(known.max(), seen.max())) + 1
            counts = [np.bincount(codes, minlength=size).astype(np.int64) for codes in (known, seen)]
            result[name] = chi2_two_sample(counts[0], counts[1])
    return result
