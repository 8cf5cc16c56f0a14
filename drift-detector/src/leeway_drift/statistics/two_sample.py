"""Two-sample tests on raw values, equal to SciPy's in numbers and in need of numpy alone.

Their p-values assume independent rows, which logged requests are not: they are reported, and gate nothing.
"""

import math

import numpy as np
import numpy.typing as npt

from leeway_drift.counting.counts import Integers

Floats = npt.NDArray[np.float64]

_EXACT_ROWS = 140
"""Rows up to which the Kolmogorov distribution is computed exactly; above, Pelz and Good's series is off by 3e-6."""

_EXACT_NEAR_ZERO = 1.4
"""``n d^1.5`` up to which it is exact for more rows, too. SciPy switches at the same points, so that numbers agree."""

_MOST_EXACT_ROWS = 600
"""Rows up to which the exact computation does not overflow; above, the two differ by less than 1e-7."""

_TWO_SIDED_IS_ONE_SIDED = 2.2
"""``n d^2`` from which both sides cannot be exceeded at once, within 1e-7: Simard and L'Ecuyer (2011), section 3."""


def ks_two_sample(reference: npt.NDArray[np.floating], sample: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Kolmogorov-Smirnov test of two samples.

    Args:
        reference: ``[n]``, sorted ascending, without NaN.
        sample: ``[m]`` in any order, without NaN.

    Returns:
        The distance D, ties included, and the p-value of D under the distribution for ``round(nm / (n + m))`` rows, as
        ``scipy.stats.ks_2samp(method="asymp")`` has it.

    Raises:
        ValueError: one of them is empty.
    """
    if reference.size == 0 or sample.size == 0:
        raise ValueError(f"{reference.size} and {sample.size} values, expected at least one of each")
    ordered = np.sort(sample)
    # The functions differ most at a value of the sample: just before it, or at it.
    ranks = np.arange(ordered.size + 1) / ordered.size
    at = np.searchsorted(reference, ordered, side="right") / reference.size
    before = np.searchsorted(reference, ordered, side="left") / reference.size
    own_at = ranks[np.searchsorted(ordered, ordered, side="right")]
    own_before = ranks[np.searchsorted(ordered, ordered, side="left")]
    distance = float(max(np.abs(at - own_at).max(), np.abs(before - own_before).max()))
    rows = round(reference.size * sample.size / (reference.size + sample.size))
    return distance, kolmogorov_sf(max(rows, 1), distance)


def chi2_two_sample(reference: Integers, sample: Integers) -> tuple[float, float]:
    """Chi-squared test of homogeneity of two rows of counts, as ``scipy.stats.chi2_contingency`` has it.

    Args:
        reference: counts ``[categories]``.
        sample: counts of the same categories; those that neither has are left out.

    Returns:
        Pearson's statistic, with Yates' correction if two categories are left, and its p-value; 0 and 1 if fewer are.

    Raises:
        ValueError: one of them is empty, or their lengths differ.
    """
    if reference.shape != sample.shape or reference.sum() == 0 or sample.sum() == 0:
        raise ValueError(f"counts {reference.tolist()!s:.80} and {sample.tolist()!s:.80}, expected some of both")
    table = np.stack([reference, sample])
    table = table[:, table.sum(axis=0) > 0].astype(np.float64)
    freedom = table.shape[1] - 1
    if freedom == 0:
        return 0.0, 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    difference = np.abs(table - expected)
    if freedom == 1:
        difference -= np.minimum(0.5, difference)
    statistic = float((difference**2 / expected).sum())
    return statistic, chi2_sf(statistic, freedom)


def chi2_sf(statistic: float, freedom: int) -> float:
    """Probability that chi-squared exceeds ``statistic``: finite sums for whole and half shapes (Abramowitz 26.4.4)."""
    half = statistic / 2
    if half <= 0:
        return 1.0
    odd = freedom % 2
    shapes = np.arange(freedom // 2) + odd / 2
    logarithms = [shape * math.log(half) - half - math.lgamma(shape + 1) for shape in shapes.tolist()]
    tail = math.erfc(math.sqrt(half)) if odd else 0.0
    return min(1.0, tail + math.fsum(math.exp(logarithm) for logarithm in logarithms))


def kolmogorov_sf(rows: int, distance: float) -> float:
    """Probability that the two-sided distance of ``rows`` values to their distribution exceeds ``distance``.

    Marsaglia, Tsang and Wang (2003) for few rows, Pelz and Good (1976) for many, and twice the one-sided probability
    where that is as good (Simard and L'Ecuyer 2011).
    """
    if distance >= 1:
        return 0.0
    if 2 * rows * distance <= 1:
        return 1.0
    if distance >= 0.5 or rows * distance**2 >= _TWO_SIDED_IS_ONE_SIDED:  # noqa: PLR2004 - half of all
        return min(1.0, 2 * _one_sided_sf(rows, distance))
    near_zero = rows <= _MOST_EXACT_ROWS and rows * distance**1.5 <= _EXACT_NEAR_ZERO
    exact = rows <= _EXACT_ROWS or near_zero
    cdf = _marsaglia_cdf(rows, distance) if exact else _pelz_good_cdf(rows, distance)
    return min(1.0, max(0.0, 1 - cdf))


def _one_sided_sf(rows: int, distance: float) -> float:
    """Birnbaum and Tingey (1951), term by term in logarithms."""
    last = math.floor(rows * (1 - distance))
    index = np.arange(last + 1, dtype=np.float64)
    down = 1 - distance - index / rows
    index, down = index[down > 0], down[down > 0]
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, rows + 1)))])
    chosen = index.astype(np.int64)
    binomials = factorials[rows] - factorials[chosen] - factorials[rows - chosen]
    logarithms = binomials + (index - 1) * np.log(distance + index / rows) + (rows - index) * np.log(down)
    return float(distance * np.exp(logarithms).sum())


def _marsaglia_cdf(rows: int, distance: float) -> float:
    """Power of a matrix; all its entries are positive, so nothing cancels."""
    k = math.floor(rows * distance) + 1
    size = 2 * k - 1
    h = k - rows * distance
    matrix = np.tri(size, size, 1)
    matrix[:, 0] -= h ** np.arange(1, size + 1)
    matrix[-1, :] -= h ** np.arange(size, 0, -1)
    if 2 * h > 1:
        matrix[-1, 0] += (2 * h - 1) ** size
    steps = np.arange(size)[:, np.newaxis] - np.arange(size)[np.newaxis, :] + 1
    factorials = np.cumprod(np.concatenate([[1.0], np.arange(1.0, size + 1)]))
    matrix = np.where(steps > 0, matrix / factorials[np.maximum(steps, 0)], matrix)
    power = np.linalg.matrix_power(matrix, rows)[k - 1, k - 1]
    return float(power * math.exp(math.lgamma(rows + 1) - rows * math.log(rows)))


def _pelz_good_cdf(rows: int, distance: float) -> float:
    """The limiting distribution and three terms in ``1 / sqrt(rows)``."""
    z = math.sqrt(rows) * distance
    z2, z4, z6 = z**2, z**4, z**6
    pi2 = math.pi**2
    k = np.arange(0, 20, dtype=np.float64) + 0.5
    whole = np.arange(1, 20, dtype=np.float64)
    halves = np.exp(-(k**2) * pi2 / (2 * z2))
    wholes = np.exp(-(whole**2) * pi2 / (2 * z2))
    k2 = k**2
    root = math.sqrt(math.pi / 2)
    term0 = 2 * root / z * halves.sum()
    term1 = root / (3 * z4) * ((pi2 * k2 - z2) * halves).sum()
    inner = 6 * z6 + 2 * z4 + pi2 * (2 * z4 - 5 * z2) * k2 + pi2**2 * (1 - 2 * z2) * k2**2
    term2 = root / (36 * z**7) * (inner * halves).sum() - pi2 * root / (18 * z**3) * (whole**2 * wholes).sum()
    inner = (
        -30 * z6
        - 90 * z**8
        + pi2 * (135 * z4 - 96 * z6) * k2
        + pi2**2 * (212 * z4 - 60 * z2) * k2**2
        + pi2**3 * (5 - 30 * z2) * k2**3
    )
    inner_wholes = 3 * pi2 * whole**2 * z2 - pi2**2 * whole**4
    term3 = root / (3240 * z**10) * (inner * halves).sum() + root / (108 * z6) * (inner_wholes * wholes).sum()
    return float(term0 + term1 / math.sqrt(rows) + term2 / rows + term3 / rows**1.5)
