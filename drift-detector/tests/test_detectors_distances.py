"""Distances of counts are those of the formulas, and close to those of the raw values that were counted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.counting.bins import code_numeric, numeric_edges
from leeway_drift.counting.columns import ColumnCounts
from leeway_drift.counting.counts import ColumnPlan
from leeway_drift.statistics.association import mutual_information, surprise
from leeway_drift.statistics.distances import (
    Histogram,
    jensen_shannon,
    kolmogorov_smirnov,
    psi,
    total_variation,
    wasserstein,
)

RANDOM = np.random.default_rng(3)
REFERENCE = RANDOM.normal(0, 1, 4000).astype(np.float32)
PLAN = ColumnPlan(numeric_edges(REFERENCE))

bins = st.lists(st.integers(0, 500), min_size=4, max_size=4).filter(any)


def counted(values: np.ndarray) -> Histogram:
    codes = code_numeric(values.astype(np.float32), PLAN.edges)
    return Histogram.of(ColumnCounts.of_numbers(PLAN, values.astype(np.float32), codes))


def histogram(counts: list[int]) -> Histogram:
    return Histogram(np.array(counts), np.array(0), np.array(0))


def exact_wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of the sorted samples, repeated to equal size."""
    size = math.lcm(one.size, other.size)
    return float(
        np.abs(np.repeat(np.sort(one), size // one.size) - np.repeat(np.sort(other), size // other.size)).mean()
    )


def test_values_of_the_formulas():
    p, q = histogram([30, 70, 0]), histogram([50, 40, 10])
    smoothed = [(a + 0.5) / 101.5 for a in (30, 70, 0)], [(a + 0.5) / 101.5 for a in (50, 40, 10)]
    assert psi(p, q) == pytest.approx(sum((a - b) * math.log(a / b) for a, b in zip(*smoothed, strict=True)))
    assert total_variation(p, q) == pytest.approx(0.3)
    assert kolmogorov_smirnov(p, q) == pytest.approx(0.2)
    assert jensen_shannon(histogram([5, 0]), histogram([0, 9])) == pytest.approx(1.0)


@given(bins, bins)
def test_distances_are_symmetric_bounded_and_zero_of_equals(one: list[int], other: list[int]):
    for distance, largest in ((jensen_shannon, 1), (total_variation, 1), (kolmogorov_smirnov, 1), (psi, math.inf)):
        there, back = distance(histogram(one), histogram(other)), distance(histogram(other), histogram(one))
        assert 0 <= there <= largest + 1e-12
        assert there == pytest.approx(back, abs=1e-12)
        assert distance(histogram(one), histogram(one)) == pytest.approx(0, abs=1e-7)


@given(bins, bins, bins)
def test_a_batch_is_scored_as_its_windows_are(a: list[int], b: list[int], reference: list[int]):
    batch = Histogram(np.array([a, b]), np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64))
    for distance in (jensen_shannon, total_variation, kolmogorov_smirnov, psi):
        alone = [float(distance(histogram(window), histogram(reference))) for window in (a, b)]
        assert distance(batch, histogram(reference)).tolist() == pytest.approx(alone)


@pytest.mark.parametrize(
    ("values", "tolerance"),
    [
        (RANDOM.normal(0.3, 1, 1000), 0.05),
        (RANDOM.normal(0, 2, 1000), 0.1),
        (RANDOM.normal(9, 0.5, 1000), 0.2),
        (RANDOM.normal(-9, 0.5, 1000), 0.2),
    ],
    ids=["shifted", "wider", "far above", "far below"],
)
def test_wasserstein_distance_of_counts_is_close_to_that_of_the_values(values: np.ndarray, tolerance: float):
    found = wasserstein(counted(values), counted(REFERENCE), PLAN, 1.0)
    assert found == pytest.approx(exact_wasserstein(values, REFERENCE), abs=tolerance)


def test_wasserstein_distance_is_in_units_of_the_scale_and_unknown_without_one():
    shifted, reference = counted(REFERENCE + 1), counted(REFERENCE)
    assert wasserstein(shifted, reference, PLAN, 2.0) == pytest.approx(wasserstein(shifted, reference, PLAN, 1.0) / 2)
    assert np.isnan(wasserstein(shifted, reference, PLAN, 0.0))


def test_kolmogorov_smirnov_distance_of_counts_is_a_bin_below_the_exact_one_at_most():
    values = RANDOM.normal(0.25, 1, 1000)
    grid = np.sort(np.concatenate([values, REFERENCE]))
    exact = np.abs(
        np.searchsorted(np.sort(values), grid, side="right") / 1000
        - np.searchsorted(np.sort(REFERENCE), grid, side="right") / 4000
    ).max()
    assert exact - 1 / 32 <= kolmogorov_smirnov(counted(values), counted(REFERENCE)) <= exact + 1e-12


def test_surprise_is_blind_to_margins_and_sees_the_association():
    reference = np.array([[800, 200], [300, 700]])
    warmer = reference * np.array([[3], [1]])
    drier = reference * np.array([[1, 4]])
    swapped = reference[::-1]
    assert surprise(warmer, reference) == pytest.approx(0, abs=1e-3)
    assert surprise(drier, reference) == pytest.approx(0, abs=1e-3)
    assert surprise(swapped, reference) > 0.3


@given(st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=3), min_size=2, max_size=2))
def test_surprise_is_finite_whatever_is_empty(rows: list[list[int]]):
    reference = np.array([[0, 5, 0], [40, 0, 0]])
    assert 0 <= surprise(np.array(rows), reference) < math.inf


def test_independent_columns_have_no_mutual_information():
    assert mutual_information(np.outer([100, 300], [200, 100, 100]) // 100) == 0.0
    assert mutual_information(np.array([[500, 0], [0, 500]])) == pytest.approx(math.log(2), abs=0.01)
    assert mutual_information(np.zeros((2, 2), dtype=np.int64)) == 0.0
