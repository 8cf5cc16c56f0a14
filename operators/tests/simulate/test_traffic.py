"""The streams that every figure rests on have the means, spreads and correlations that they are said to have."""

import numpy as np
import pytest

from leeway_operators.simulate.traffic import FAULTY, INPUTS, Arm, Traffic, constant, jump, scores

ROLLOUTS = 20_000


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def traffic(burst: float = 0.0) -> Traffic:
    arm = Arm(errors=constant(0.05), slow=constant(0.1), loss=0.3, score=0.2)
    return Traffic(rps=100, stable=arm, candidate=arm, burst=burst, label_share=0.5)


def test_arms_get_their_shares_and_rates() -> None:
    tick = traffic().counters(rng(), time=0, seconds=10, weight=0.25, rollouts=ROLLOUTS)
    candidate, stable = np.asarray(tick.requests.candidate), np.asarray(tick.requests.stable)
    assert candidate.mean() == pytest.approx(250, rel=0.01)
    assert stable.mean() == pytest.approx(750, rel=0.01)
    assert candidate.var() == pytest.approx(250, rel=0.05)
    assert np.asarray(tick.errors.candidate).sum() / candidate.sum() == pytest.approx(0.05, rel=0.02)
    assert np.asarray(tick.slow.stable).sum() / np.asarray(tick.predicted.stable).sum() == pytest.approx(0.1, rel=0.02)
    np.testing.assert_array_equal(tick.predicted.stable, stable - tick.errors.stable)


def test_bursts_spread_errors_by_the_intraclass_correlation() -> None:
    tick = traffic(burst=0.1).counters(rng(), time=0, seconds=10, weight=0.5, rollouts=ROLLOUTS)
    n, k = np.asarray(tick.requests.candidate), np.asarray(tick.errors.candidate)
    # Variance of a share of beta-binomial counts: p (1 - p) (1 + (n - 1) ICC) / n.
    assert (k / n).mean() == pytest.approx(0.05, rel=0.03)
    assert (k / n).var() == pytest.approx(0.05 * 0.95 * (1 + 499 * 0.1) / 500, rel=0.06)


def test_a_shadow_sees_every_request_and_shares_none() -> None:
    tick = traffic().counters(rng(), time=0, seconds=10, weight=0.0, rollouts=10, shadow=True)
    np.testing.assert_array_equal(tick.requests.candidate, tick.requests.stable)
    assert tick.weight is None
    detected = traffic().detector(rng(), tick, time=0.0)
    np.testing.assert_array_equal(detected.pairs.n, tick.predicted.candidate)


def test_a_rate_jumps_at_its_moment() -> None:
    rate = jump(0.001, 0.1, 450)
    assert [rate(449.9), rate(450.0)] == [0.001, 0.1]


def test_both_arms_are_sent_the_same_kind_of_inputs() -> None:
    tick = traffic().counters(rng(), time=0, seconds=10, weight=0.25, rollouts=ROLLOUTS)
    seen = traffic().detector(rng(), tick, time=0.0)
    for arm in (seen.candidate, seen.stable):
        rows = np.asarray(arm.rows)
        for counts, shares in zip(arm.features.values(), INPUTS.values(), strict=True):
            np.testing.assert_array_equal(counts.sum(axis=-1), rows)
            np.testing.assert_allclose(counts.sum(axis=0) / rows.sum(), shares, atol=0.002)
        assert np.asarray(arm.quality[1]).sum() / rows.sum() == pytest.approx(FAULTY, rel=0.03)


def test_labels_arrive_for_their_share_with_their_loss() -> None:
    tick = traffic().counters(rng(), time=0, seconds=10, weight=0.5, rollouts=ROLLOUTS)
    [loss] = traffic().detector(rng(), tick, time=0.0).candidate.losses
    n = np.asarray(loss.n)
    assert n.sum() / np.asarray(tick.predicted.candidate).sum() == pytest.approx(0.5, rel=0.02)
    assert np.asarray(loss.sum).sum() / n.sum() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("mean", [0.05, 0.2, 0.5, 0.93])
def test_scores_have_their_mean_within_their_bounds(mean: float) -> None:
    rows = np.full(2000, 500.0)
    moments = scores(rng(), rows, mean)
    shares = np.asarray(moments.sum) / rows
    assert shares.mean() == pytest.approx(mean, abs=0.002)
    assert (np.asarray(moments.sumsq) <= np.asarray(moments.sum) + 1e-9).all()
    assert (np.asarray(moments.sumsq) >= np.asarray(moments.sum) ** 2 / rows - 1e-9).all()


def test_the_same_seed_is_the_same_traffic() -> None:
    one, other = (
        traffic(burst=0.01).counters(np.random.default_rng(3), time=0, seconds=10, weight=0.1, rollouts=50)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.errors.candidate, other.errors.candidate)
