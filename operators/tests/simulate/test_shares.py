from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_operators.simulate.shares import interval, lower_bound, upper_bound


def test_no_case_in_n_is_bounded_by_the_rule_of_three() -> None:
    assert isclose(upper_bound(0, 2000), 1 - 0.05 ** (1 / 2000), rel_tol=1e-6)


def test_known_values() -> None:
    # Clopper and Pearson, 95 %, two-sided: 5 of 100 is .0164 to .1128 (R: binom.test(5, 100)).
    low, high = interval(5, 100)
    assert low == pytest.approx(0.01643, abs=1e-5)
    assert high == pytest.approx(0.11283, abs=1e-5)


@given(st.integers(1, 60).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_bounds_enclose_the_share(counted: tuple[int, int]) -> None:
    count, of = counted
    assert 0 <= lower_bound(count, of) <= count / of <= upper_bound(count, of) <= 1
