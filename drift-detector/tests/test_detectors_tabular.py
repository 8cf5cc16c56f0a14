"""Tests of raw rows. The expected values are SciPy 1.17's: ``ks_2samp(method="asymp")`` and ``chi2_contingency``."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.detectors.tabular import chi2_two_sample, ks_two_sample, tabular_statistics
from leeway_drift.statistics.two_sample import chi2_sf, kolmogorov_sf

samples = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("statistic", "freedom", "p"),
    [(3.841459, 1, 0.05), (5.991465, 2, 0.05), (18.307038, 10, 0.05), (0.0, 3, 1.0), (200.0, 3, 4.2243e-43)],
)
def test_chi_squared_distribution(statistic: float, freedom: int, p: float):
    assert chi2_sf(statistic, freedom) == pytest.approx(p, rel=1e-4)


@pytest.mark.parametrize(
    ("rows", "distance", "p"),
    [
        (5, 0.3, 0.664),
        (20, 0.05, 0.9999999767980384),
        (100, 0.12, 0.1033037490181987),
        (141, 0.0461356783919598, 0.9112759462546746),
        (599, 0.04, 0.28558430858964257),
        (909, 0.05, 0.02051448649563306),
        (909, 0.08, 1.654812497065484e-05),
        (5000, 0.01, 0.6954557253913853),
    ],
)
def test_kolmogorov_distribution(rows: int, distance: float, p: float):
    assert kolmogorov_sf(rows, distance) == pytest.approx(p, abs=1e-8)


@given(st.integers(1, 2000), st.floats(0.001, 0.999))
def test_kolmogorov_distribution_is_a_probability_that_falls(rows: int, distance: float):
    closer, further = kolmogorov_sf(rows, distance), kolmogorov_sf(rows, min(1.0, distance * 1.05))
    assert 0 <= further <= closer + 1e-6 <= 1 + 1e-6


@given(samples, samples)
def test_distance_is_the_largest_difference_of_the_distribution_functions(one: list[float], other: list[float]):
    a, b = np.array(one), np.array(other)
    exact = max(abs(np.mean(a <= x) - np.mean(b <= x)) for x in np.concatenate([a, b]))
    distance, p = ks_two_sample(np.sort(a), b)
    assert distance == pytest.approx(exact, abs=1e-12)
    assert 0 <= p <= 1


def test_two_categories_are_corrected_for_continuity_and_absent_ones_left_out():
    statistic, p = chi2_two_sample(np.array([30, 0, 20]), np.array([10, 0, 40]))
    assert statistic == pytest.approx(15.041667, abs=1e-6)
    assert p == pytest.approx(1.0517e-4, rel=1e-3)
    assert chi2_two_sample(np.array([4, 0]), np.array([9, 0])) == (0.0, 1.0)


def test_one_missing_value_changes_nothing():
    random = np.random.default_rng(0)
    reference = {"x": random.normal(0, 1, 500).astype(np.float32), "c": random.integers(0, 3, 500).astype(np.int16)}
    window = {"x": random.normal(1, 1, 200).astype(np.float32), "c": random.integers(0, 3, 200).astype(np.int16)}
    holed = {"x": np.append(window["x"], np.float32(np.nan)), "c": np.append(window["c"], np.int16(-1))}
    assert tabular_statistics(reference, holed) == tabular_statistics(reference, window)
    assert tabular_statistics(reference, window)["x"][1] < 1e-9


def test_column_without_values_has_no_statistic():
    empty = {"x": np.full(5, np.nan, dtype=np.float32), "c": np.full(5, -1, dtype=np.int16)}
    full = {"x": np.ones(5, dtype=np.float32), "c": np.zeros(5, dtype=np.int16)}
    assert tabular_statistics(full, empty) == {}


@pytest.mark.parametrize("empty", [ks_two_sample, chi2_two_sample])
def test_nothing_cannot_be_compared(empty: Callable[[np.ndarray, np.ndarray], object]):
    with pytest.raises(ValueError, match="expected"):
        empty(np.empty(0), np.ones(3))


def test_tests_of_many_rows_stay_finite():
    assert math.isfinite(kolmogorov_sf(100_000, 0.004))
