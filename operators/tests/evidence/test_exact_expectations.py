"""The expectation of every e-value, exactly: over all outcomes of small ticks, at the edge of its null hypothesis.

This is what the promises rest on (Ville's inequality). Nothing here is simulated.
"""

import itertools
import math

import numpy as np
import pytest

from leeway_operators.evidence import balance, bernoulli, paired, ratio
from leeway_operators.evidence.bernoulli import Block, NoWorse, StableRate, Worse
from leeway_operators.evidence.bounded import Beyond, Means
from leeway_operators.evidence.contrast import Sums, of_arms, of_pairs
from leeway_operators.evidence.state import Array
from leeway_operators.evidence.wealth import log_sum

ROUNDING = 1e-9
SIZES = [(1, 1), (1, 6), (5, 2), (4, 4)]
RATES = [0.0, 0.001, 0.02, 0.3, 0.8]
MARGINS = [0.0, 0.01, 0.1]


def binomial(n: int, p: float) -> Array:
    """Chances of 0 to n."""
    return np.array([math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])


def mixed(first: int, p: float, second: int, q: float) -> Array:
    """Chances of 0 to n where some requests fail with p, the others with q."""
    return np.convolve(binomial(first, p), binomial(second, q))


def outcomes(n_c: int, n_s: int) -> Block:
    """All counts of one tick, [candidate's, stable's]."""
    k_c, k_s = np.meshgrid(np.arange(n_c + 1.0), np.arange(n_s + 1.0), indexing="ij")
    return Block(candidate_k=k_c, candidate_n=np.full_like(k_c, n_c), stable_k=k_s, stable_n=np.full_like(k_s, n_s))


@pytest.mark.parametrize(("n_c", "n_s"), SIZES)
@pytest.mark.parametrize("p_s", RATES)
@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_shares_at_the_margin(n_c: int, n_s: int, p_s: float, margin: float, sign: float) -> None:
    """For guesses that are right and for guesses that are far off."""
    chances = np.outer(binomial(n_c, p_s + margin), binomial(n_s, p_s))
    for guess in (1e-6, 0.01, 0.4):
        theta_c = np.clip(guess + margin + sign * np.array([0.003, 0.03, 0.3, 0.6]), 1e-5, 0.999)
        gains = bernoulli.log_factors(outcomes(n_c, n_s), theta_c, np.asarray(guess), np.asarray(margin), sign)
        assert (np.tensordot(chances, np.exp(gains), 2) <= 1 + ROUNDING).all()


def test_shares_that_differ_from_request_to_request() -> None:
    """Only the averages over the tick have to be equal."""
    chances = np.outer(mixed(2, 0.5, 2, 0.1), mixed(1, 0.9, 3, 0.1))
    gains = bernoulli.log_factors(outcomes(4, 4), np.array([0.4, 0.9]), np.asarray(0.3), np.asarray(0.0), 1.0)
    assert (np.tensordot(chances, np.exp(gains), 2) <= 1 + ROUNDING).all()


@pytest.mark.parametrize("p_s", [0.02, 0.3])
def test_the_whole_process_of_harm_over_three_ticks(p_s: float) -> None:
    """Guesses, tempering, cap and floor included, after a past that made the guess wrong."""
    rate = StableRate.begin(None)
    worse = Worse.begin()
    chances = np.ones(())
    one = np.outer(binomial(2, p_s), binomial(3, p_s)).ravel()
    ticks = outcomes(2, 3)
    for index in range(3):
        shape = tuple(-1 if axis == index else 1 for axis in range(3))
        block = Block(**{name: value.ravel().reshape(shape) for name, value in vars(ticks).items()})
        chances = chances * one.reshape(shape)
        worse = worse.after(block, rate, np.zeros(()), temper=np.ones(()), ceiling=math.inf)
        rate = rate.after(block)
    assert float((chances * np.exp(worse.evidence)).sum()) <= 1 + ROUNDING


def test_the_whole_process_of_pass_over_three_ticks() -> None:
    margin, p_s = np.asarray(0.1), 0.2
    rate, passing, chances = StableRate.begin(None), NoWorse.begin(), np.ones(())
    one = np.outer(binomial(2, p_s + 0.1), binomial(3, p_s)).ravel()
    ticks = outcomes(2, 3)
    for index in range(3):
        shape = tuple(-1 if axis == index else 1 for axis in range(3))
        block = Block(**{name: value.ravel().reshape(shape) for name, value in vars(ticks).items()})
        chances = chances * one.reshape(shape)
        passing = passing.after(block, rate, margin, temper=np.ones(()))
        rate = rate.after(block)
    assert float((chances * np.exp(passing.evidence)).sum()) <= 1 + ROUNDING


VALUES = np.array([0.0, 0.4, 1.0])


def sums_of_all(n: int, shares: Array, values: Array = VALUES) -> tuple[Sums, Array]:
    """All samples of n numbers, and their chances."""
    samples = np.array(list(itertools.product(range(len(values)), repeat=n)))
    drawn = values[samples]
    sums = Sums(n=np.full(len(samples), float(n)), sum=drawn.sum(axis=1), sumsq=(drawn**2).sum(axis=1))
    return sums, shares[samples].prod(axis=1)


def arms(n_c: int, n_s: int, shares_c: Array, shares_s: Array, *, doubts: bool) -> tuple[Sums, Sums, Array]:
    """All samples of both arms, and their chances."""
    (candidate, chance_c), (stable, chance_s) = sums_of_all(n_c, shares_c), sums_of_all(n_s, shares_s)
    if doubts:
        candidate, stable = candidate.doubts, stable.doubts
    across = Sums(**{name: value[:, None] for name, value in vars(candidate).items()})
    along = Sums(**{name: value[None, :] for name, value in vars(stable).items()})
    return across, along, chance_c[:, None] * chance_s[None, :]


@pytest.mark.parametrize("doubts", [False, True])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("n_c", "n_s"), [(1, 4), (3, 2)])
def test_bounded_means_at_the_margin(n_c: int, n_s: int, sign: float, *, doubts: bool) -> None:
    """The margin is whatever the true difference is; for the doubts, whose squares are only bounded, too."""
    shares_c, shares_s = np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.1, 0.3])
    numbers = 4 * VALUES * (1 - VALUES) if doubts else VALUES
    truth = np.asarray(float((shares_c - shares_s) @ numbers))
    candidate, stable, chances = arms(n_c, n_s, shares_c, shares_s, doubts=doubts)
    for guess in (0.0, 0.5, 1.0):
        tick = of_arms(candidate, stable, np.asarray(guess), np.asarray(1 - guess))
        evidence = np.exp(tick.gains(truth, sign))
        assert ((chances[..., None] * evidence).sum(axis=(0, 1)) <= 1 + ROUNDING).all()


def test_two_sided_harm_of_a_mean_between_its_edges() -> None:
    equal = np.array([0.5, 0.2, 0.3])
    candidate, stable, chances = arms(3, 3, equal, equal, doubts=False)
    means = Means.begin(two_sided=True).after(
        [(candidate, stable)], temper=np.ones(()), tolerance=np.asarray(0.0), cap=1.0
    )
    assert float((chances * np.exp(means.difference.beyond.evidence)).sum()) <= 1 + ROUNDING


def block(n_c: int, n_s: int, shares: Array, *, first: bool) -> tuple[Sums, Sums, Array]:
    """One of two blocks, [first block's outcomes, second block's], and their chances."""
    candidate, stable, chances = arms(n_c, n_s, shares, shares, doubts=False)
    shape = (-1, 1) if first else (1, -1)

    def flat(sums: Sums) -> Sums:
        wide = {name: np.broadcast_to(value, chances.shape).reshape(shape) for name, value in vars(sums).items()}
        return Sums(**wide)

    return flat(candidate), flat(stable), chances.reshape(shape)


@pytest.mark.parametrize(("tolerance", "margin"), [(0.0, 0.0), (0.01, 0.02)])
def test_equal_means_in_each_block_while_levels_and_shares_of_the_arms_change(tolerance: float, margin: float) -> None:
    """The candidate has most of the worse block, stable of the better one: guesses, tempering and floor included.

    Two versions that are equal in each block prove no harm, and no difference below minus the margin either.
    """
    better, worse = (
        block(1, 3, np.array([0.8, 0.1, 0.1]), first=True),
        block(3, 1, np.array([0.1, 0.1, 0.8]), first=False),
    )
    chances = better[2] * worse[2]
    means = Means.begin(two_sided=True).after(
        [better[:2], worse[:2]], temper=np.ones(()), tolerance=np.asarray(tolerance), cap=math.inf
    )
    assert float((chances * np.exp(means.difference.beyond.evidence)).sum()) <= 1 + ROUNDING
    for sign in (1.0, -1.0):
        evidence = means.difference.recent.evidence(np.asarray(sign * margin), sign)
        assert float((chances * np.exp(evidence)).sum()) <= 1 + ROUNDING


def test_as_one_block_they_would_prove_harm() -> None:
    """So that the blocks of the test above do tempt."""
    better, worse = (
        block(1, 3, np.array([0.8, 0.1, 0.1]), first=True),
        block(3, 1, np.array([0.1, 0.1, 0.8]), first=False),
    )
    together = [
        Sums(**{name: getattr(one, name) + getattr(other, name) for name in vars(one)})
        for one, other in zip(better[:2], worse[:2], strict=True)
    ]
    tick = of_arms(together[0], together[1], np.asarray(0.5), np.asarray(0.5))
    evidence = np.exp(tick.gains(np.zeros(()), 1.0))
    assert ((better[2] * worse[2])[..., None] * evidence).sum(axis=(0, 1)).max() > 1.1


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_pairs_at_the_margin(sign: float) -> None:
    values, shares = np.array([-1.0, 0.0, 1.0]), np.array([0.1, 0.6, 0.3])
    pairs, chances = sums_of_all(5, shares, values)
    for guess in (-0.5, 0.0, 1.0):
        evidence = np.exp(of_pairs(pairs, np.asarray(guess)).gains(np.asarray(0.2), sign))
        assert ((chances[:, None] * evidence).sum(axis=0) <= 1 + ROUNDING).all()


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_flips_at_the_margin(rate: float) -> None:
    flips, n = np.arange(7.0), np.full(7, 6.0)
    chances = binomial(6, rate)
    for alternatives in (rate + (1 - rate) * paired.MORE, rate * paired.FEWER):
        evidence = np.exp(paired.log_factors(n, flips, np.asarray(rate), alternatives))
        assert (chances @ evidence <= 1 + ROUNDING).all()


@pytest.mark.parametrize("weight", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("off", [-ratio.TOLERANCE, 0.0, ratio.TOLERANCE])
def test_sample_ratios_within_tolerance(weight: float, off: float) -> None:
    odds = weight / (1 - weight) * math.exp(off)
    chances = binomial(12, odds / (1 + odds))
    evidence = np.exp(ratio.log_factors(np.arange(13.0), np.full(13, 12.0), np.full(13, weight)))
    assert (chances @ evidence <= 1 + ROUNDING).all()


@pytest.mark.parametrize(("n_c", "n_s"), [(1, 3), (3, 3), (4, 1)])
def test_inputs_from_equal_shares(n_c: int, n_s: int) -> None:
    """Whatever the arms' guesses are."""
    shares = np.array([0.5, 0.35, 0.15])
    guesses = np.array([[0.1, 0.1, 0.8], [0.6, 0.3, 0.1]])
    expectation = 0.0
    for cells in itertools.product(range(3), repeat=n_c + n_s):
        counts = np.stack([np.bincount(arm, minlength=3) for arm in (cells[:n_c], cells[n_c:])]).astype(np.float64)
        expectation += shares[list(cells)].prod() * math.exp(balance.log_factor(counts, guesses))
    assert expectation <= 1 + ROUNDING


def test_a_start_spread_over_alternatives_is_worth_half_with_floors_and_all_without() -> None:
    assert float(np.exp(Worse.begin().evidence)) == pytest.approx(0.5)
    assert float(np.exp(Beyond.begin(two_sided=True).evidence)) == pytest.approx(0.5)
    assert float(np.exp(NoWorse.begin().evidence)) == pytest.approx(1.0)
    assert float(np.exp(log_sum(np.log(np.full(4, 0.25))))) == pytest.approx(1.0)
