"""Counting a column into the bins of a profile: the reference and every window are counted by this code.

Everything is integer or float32 arithmetic on sorted values, so that numpy 1.24 and 2.x give equal bits and the
counts of two windows add up to the counts of their union.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from leeway_drift.columns import Float32Array

QUANTILE_BINS = 32
"""Equal-mass bins a numeric column is cut into; with 32 the Kolmogorov-Smirnov distance is off by at most 1/32."""

MAX_CATEGORIES = 64
"""Categories that are counted one by one; the rarer rest is counted together."""


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


def count_numeric(values: Float32Array, edges: Float32Array) -> list[int]:
    """Count values into ``len(edges) + 1`` bins; value v is in bin i if ``edges[i-1] <= v < edges[i]``.

    Args:
        values: shape ``[n]``, without nulls; infinities fall into the end bins.
        edges: strictly increasing.
    """
    bins = np.searchsorted(edges, values, side="right")
    return [int(count) for count in np.bincount(bins, minlength=edges.size + 1)]


def frequent_categories(values: Iterable[str]) -> list[str]:
    """The ``MAX_CATEGORIES`` most frequent values, in alphabetical order; of equally frequent ones the first."""
    by_frequency = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    return sorted(category for category, _ in by_frequency[:MAX_CATEGORIES])


def count_categorical(values: Iterable[str], categories: Sequence[str]) -> list[int]:
    """Count values into ``len(categories) + 1`` bins, the last of them for every value that is not listed."""
    counted = Counter(values)
    listed = [counted[category] for category in categories]
    return [*listed, counted.total() - sum(listed)]
