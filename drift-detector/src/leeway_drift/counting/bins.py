"""Which bin of a profile a value is in: the reference and every window are counted by this code.

Everything is integer or float32 comparison, so that numpy 1.24 and 2.x give equal bits and the counts of two windows
add up to the counts of their union.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Float32Array

QUANTILE_BINS = 32
"""Equal-mass bins a numeric column is cut into; with 32 the Kolmogorov-Smirnov distance is off by at most 1/32."""

MAX_CATEGORIES = 64
"""Categories that are counted one by one; the rarer rest is counted together."""

NULL = -1
"""Code of a missing value."""

Codes = npt.NDArray[np.int16]
"""Bin of each value of a column, ``NULL`` where it is missing."""


def numeric_edges(values: Float32Array) -> Float32Array:
    """Cut points of a numeric column, so that reference quantiles and atoms get bins of their own.

    The first edge is the smallest value and the last the next float32 above the largest: what lies outside the
    reference falls into the underflow or overflow bin. A value that holds more than 1/32 of all rows (an atom, such
    as the zeros of a rain gauge) gets a bin that holds this value alone; quantile bins without that are blind to a
    change beside the atom.

    Args:
        values: the column, shape ``[n]``, finite and without nulls.

    Returns:
        Strictly increasing finite edges, at most ``2 * QUANTILE_BINS``; none if there are no values.
    """
    if values.size == 0:
        return np.empty(0, dtype=np.float32)
    ordered = np.sort(values)
    ranks = np.arange(1, QUANTILE_BINS) * ordered.size // QUANTILE_BINS
    distinct, occurrences = np.unique(ordered, return_counts=True)
    atoms = distinct[occurrences * QUANTILE_BINS > ordered.size]
    closed = np.append(atoms, ordered[-1])
    infinity = np.float32(np.inf)
    with np.errstate(over="ignore"):  # nothing finite lies above the largest float32; that edge is left out below
        above = np.nextafter(closed, infinity)
    cuts = np.concatenate([ordered[:1], ordered[ranks], atoms, above])
    edges: Float32Array = np.unique(cuts[np.isfinite(cuts)])
    return edges


def frequent_categories(values: Iterable[str]) -> list[str]:
    """The ``MAX_CATEGORIES`` most frequent values, in alphabetical order; of equally frequent ones the first."""
    by_frequency = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    return sorted(category for category, _ in by_frequency[:MAX_CATEGORIES])


def code_numeric(values: Float32Array, edges: Float32Array) -> Codes:
    """Bin of each number among ``len(edges) + 1``; value v is in bin i if ``edges[i-1] <= v < edges[i]``.

    Args:
        values: shape ``[n]``; infinities fall into the end bins, NaN becomes ``NULL``.
        edges: strictly increasing.
    """
    codes = np.searchsorted(edges, values, side="right").astype(np.int16)
    codes[np.isnan(values)] = NULL
    return codes


def code_categorical(values: Iterable[str | None], categories: Sequence[str]) -> Codes:
    """Bin of each string among ``len(categories) + 1``; the last is for every value that is not listed."""
    codes: dict[str | None, int] = {category: index for index, category in enumerate(categories)}
    codes[None] = NULL
    unlisted = len(categories)
    return np.array([codes.get(value, unlisted) for value in values], dtype=np.int16)


def count_codes(codes: Codes, size: int) -> npt.NDArray[np.int64]:
    """Values per bin, ``[size]``, without the missing ones."""
    return np.bincount(codes[codes != NULL], minlength=size).astype(np.int64, copy=False)
