"""Shares: the formulas by hand, and each guard."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_operators.evidence.bernoulli import (
    DECAY,
    HARM_SIZES,
    MINIMUM_PASS_TICKS,
    Block,
    NoWorse,
    StableRate,
    Worse,
    log_factors,
)
from leeway_operators.evidence.state import Array
from leeway_operators.evidence.wealth import CAP, MOST_TICKS

ONE, NONE = np.ones(()), np.zeros(())


def block(n_c: float, k_c: float, n_s: float, k_s: float) -> Block:
    return Block(
        candidate_k=np.asarray(k_c), candidate_n=np.asarray(n_c), stable_k=np.asarray(k_s), stable_n=np.asarray(n_s)
    )


def watched(tick: Block, ticks: int, worse: Worse | None = None, rate: StableRate | None = None) -> Worse:
    """Evidence of harm after so many equal ticks."""
    worse, rate = worse or Worse.begin(), rate or StableRate.begin(None)
    for _ in range(ticks):
        worse = worse.after(tick, rate, NONE, temper=ONE, ceiling=math.inf)
        rate = rate.after(tick)
    return worse


@given(
    arm_c=st.tuples(st.integers(1, 500), st.floats(0, 1)),
    arm_s=st.tuples(st.integers(1, 500), st.floats(0, 1)),
    theta_s=st.floats(0.02, 0.5),
    size=st.floats(0.001, 0.3),
)
def test_without_a_margin_it_is_the_growth_optimal_e_value(
    arm_c: tuple[int, float], arm_s: tuple[int, float], theta_s: float, size: float
) -> None:
    """Turner, Ly and Gruenwald: the likelihood of both arms' guesses over that of their weighted mean."""
    (n_c, k_c), (n_s, k_s) = ((n, round(share * n)) for n, share in (arm_c, arm_s))
    theta_c = theta_s + size
    t0 = (n_c * theta_c + n_s * theta_s) / (n_c + n_s)
    expected = (
        k_c * math.log(theta_c / t0)
        + (n_c - k_c) * math.log((1 - theta_c) / (1 - t0))
        + k_s * math.log(theta_s / t0)
        + (n_s - k_s) * math.log((1 - theta_s) / (1 - t0))
    )
    found = log_factors(block(n_c, k_c, n_s, k_s), np.array([theta_c]), np.asarray(theta_s), NONE, 1.0)
    assert found[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_margin_by_hand() -> None:
    """One request in each arm, guesses .2 and .1 against a margin of .3: s0 = 0, lifted to 1e-6."""
    s0, c0 = 1e-6, 0.3 + 1e-6
    gap = 0.2
    step = min(gap / (c0 * (1 - c0) + s0 * (1 - s0)), 0.95 / (1 - c0), 0.95 / s0)
    expected = math.log(1 + step * c0) + math.log(1 - step * s0)
    found = log_factors(block(1, 0, 1, 0), np.array([0.2]), np.asarray(0.1), np.asarray(0.3), -1.0)
    assert found[0] == pytest.approx(expected)


@pytest.mark.parametrize("tick", [block(0, 0, 100, 5), block(100, 5, 0, 0), block(0, 0, 0, 0)])
def test_a_tick_with_data_in_one_arm_proves_nothing(tick: Block) -> None:
    worse = watched(tick, 1)
    assert worse.wealth.tolist() == Worse.begin().wealth.tolist()
    assert float(worse.ticks) == 0.0
    passing = NoWorse.begin().after(tick, StableRate.begin(None), np.asarray(0.01), temper=ONE)
    assert passing.wealth.tolist() == NoWorse.begin().wealth.tolist()
    assert not passing.shown(0.05)


def test_stable_alone_still_teaches_what_to_expect() -> None:
    rate = StableRate.begin(None).after(block(0, 0, 950, 95))
    assert float(rate.theta) == pytest.approx((0.5 + 95) / (50 + 950))
    assert float(rate.ticks) == 1.0


def test_what_is_expected_fades_towards_the_start_with_every_tick_of_data() -> None:
    rate = StableRate.begin(0.2).after(block(1, 0, 100, 0))
    assert float(rate.k) == pytest.approx(DECAY * 10 + (1 - DECAY) * 10)
    assert float(rate.n) == 150.0
    assert float(rate.after(block(5, 0, 0, 0)).n) == 150.0


@pytest.mark.parametrize("history", [None, 0.0, 0.002])
def test_a_start_never_expects_fewer_than_one_in_a_hundred(history: float | None) -> None:
    assert float(StableRate.begin(history).theta) == pytest.approx(0.01)


def test_one_tick_adds_no_more_than_the_cap() -> None:
    before, after = Worse.begin(), watched(block(10_000, 9_000, 10_000, 10), 1)
    assert (after.wealth - before.wealth).max() == pytest.approx(CAP)


def test_bursts_of_stable_temper_what_follows() -> None:
    calm, bursty = StableRate.begin(None), StableRate.begin(None)
    for index in range(20):
        calm = calm.after(block(10, 0, 100, 1))
        bursty = bursty.after(block(10, 0, 100, 20 if index % 10 == 9 else 0))
    assert float(calm.phi) == 1.0
    assert float(bursty.phi) > 1.5
    tick = block(20, 1, 100, 1)
    gained: list[Array] = []
    for phi in (calm.phi, bursty.phi):
        rate = StableRate(**{**vars(calm), "surprise": phi * (10 + calm.ticks) - 10})
        gained.append(Worse.begin().after(tick, rate, NONE, temper=ONE, ceiling=math.inf).wealth - Worse.begin().wealth)
    np.testing.assert_allclose(gained[1], gained[0] * float(calm.phi / bursty.phi))


def test_one_gross_surprise_weighs_no_more_than_the_limit() -> None:
    jumped = StableRate.begin(0.0).after(block(10, 0, 10_000, 5_000))
    assert float(jumped.phi) == pytest.approx((10 + 30) / 11)


def test_ticks_that_scatter_temper_a_pass() -> None:
    calm, scattered = NoWorse.begin(), NoWorse.begin()
    rate = StableRate.begin(None)
    for index in range(40):
        calm = calm.after(block(100, 1, 100, 1), rate, np.asarray(0.05), temper=ONE)
        scattered = scattered.after(block(100, 8 * (index % 4 == 0), 100, 2), rate, np.asarray(0.05), temper=ONE)
    assert float(calm.phi) == 1.0
    assert float(scattered.phi) > 2.0


def test_harm_that_starts_late_is_found_soon() -> None:
    """A thousand ticks without harm cost no more than the floor takes: a tick each nat, and a few."""
    calm = watched(block(100, 1, 100, 1), 1000)
    rate = StableRate.begin(None)
    for _ in range(1000):
        rate = rate.after(block(100, 1, 100, 1))
    late = watched(block(100, 30, 100, 1), 25, calm, rate)
    assert float(late.evidence) > math.log(1 / 0.01)


def test_floors_end_when_what_they_may_inject_is_spent() -> None:
    spent = Worse(wealth=Worse.begin().wealth - 100, ticks=np.asarray(float(MOST_TICKS)))
    lifted = Worse(wealth=spent.wealth, ticks=np.asarray(float(MOST_TICKS - 1)))
    tick = block(100, 1, 100, 1)
    assert (watched(tick, 1, spent).wealth < -50).all()
    assert (watched(tick, 1, lifted).wealth >= math.log(0.5 / (MOST_TICKS * len(HARM_SIZES))) - 1e-9).all()


def test_no_pass_before_the_ticks_that_tell_how_they_scatter() -> None:
    passing, rate = NoWorse.begin(), StableRate.begin(None)
    for index in range(MINIMUM_PASS_TICKS):
        assert not passing.shown(0.05), index
        tick = block(1000, 0, 1000, 0)
        passing, rate = passing.after(tick, rate, np.asarray(0.01), temper=ONE), rate.after(tick)
    assert passing.shown(0.05)


def test_a_candidate_at_the_margin_does_not_pass_and_one_beyond_it_less() -> None:
    evidence = []
    for failed in (0, 20, 40):
        passing, rate = NoWorse.begin(), StableRate.begin(None)
        for _ in range(50):
            tick = block(1000, failed, 1000, 0)
            passing, rate = passing.after(tick, rate, np.asarray(0.02), temper=ONE), rate.after(tick)
        evidence.append(float(passing.evidence))
    assert evidence[0] > math.log(20) > evidence[1] > evidence[2]
