"""Other rules do what they are documented to do."""

import numpy as np
import pytest

from leeway_operators.evidence.ticks import CounterTick, Pair, Routed
from leeway_operators.simulate.rivals import Flagger, GrowthBook, PeekedZ


def shown(requests: Pair, errors: Pair, seconds: float = 60) -> CounterTick:
    """A tick to rules that look at errors only."""
    return CounterTick(
        seconds=seconds,
        routed=Routed(requests=requests, seconds=Pair(candidate=seconds, stable=seconds)),
        requests=requests,
        errors=errors,
        predicted=Pair(),
        slow=Pair(),
        weight=None,
    )


def tick(candidate: tuple[float, float], stable: tuple[float, float] = (1000, 10), seconds: float = 60) -> CounterTick:
    """Requests and errors of each arm."""
    (n_c, k_c), (n_s, k_s) = candidate, stable
    requests = Pair(candidate=np.array([n_c]), stable=np.array([n_s]))
    errors = Pair(candidate=np.array([k_c]), stable=np.array([k_s]))
    return shown(requests, errors, seconds)


def test_flagger_rolls_back_at_the_fifth_failed_check_and_failures_add_up() -> None:
    flagger = Flagger.of(1)
    verdicts = [flagger.look(tick((100, errors)), None)[0].item() for errors in (2, 0, 2, 0, 2, 2, 1, 2)]
    assert verdicts == [False] * 7 + [True]


def test_flagger_fails_a_check_without_requests() -> None:
    flagger = Flagger.of(1)
    assert [flagger.look(tick((0, 0)), None)[0].item() for _ in range(5)] == [False] * 4 + [True]


def test_flagger_looks_back_on_a_whole_interval() -> None:
    flagger = Flagger.of(1)
    for _ in range(29):
        assert not flagger.look(tick((10, 1), seconds=10), None)[0].item()
    assert flagger.look(tick((10, 1), seconds=10), None)[0].item()


def test_flagger_promotes_after_its_steps_and_then_is_done() -> None:
    flagger = Flagger.of(1)
    for _ in range(20):
        back, promoted = flagger.look(tick((100, 0)), None)
    assert promoted.item()
    for _ in range(10):
        back, promoted = flagger.look(tick((100, 50)), None)
    assert not back.item()


def test_the_z_test_finds_what_a_table_says() -> None:
    # 30 of 1000 against 10 of 1000: pooled .02, z = .02 / sqrt(.02 * .98 * 2 / 1000) = 3.19 > 1.645.
    assert PeekedZ.of(1).look(tick((1000, 30)), None)[0].item()
    # 16 of 1000: z = 1.18.
    assert not PeekedZ.of(1).look(tick((1000, 16)), None)[0].item()


@pytest.mark.parametrize(("errors", "found"), [(29, False), (30, True)])
def test_growthbook_s_halfwidth_is_the_documented_one(errors: int, *, found: bool) -> None:
    # N = 2000, r^2 = (5.99146 + log 6.99146) / 5000 = .00158723; 2 (N r^2 + 1) / (N r^2) log(sqrt(N r^2 + 1) / .05) is
    # 9.7580. Against 10 of 1000, halfwidths are .01927 for 29 errors of 1000, .01951 for 30: differences .019 and .020.
    assert GrowthBook.of(1).look(tick((1000, errors)), None)[0].item() is found


def test_growthbook_shows_nothing_without_variance() -> None:
    assert not GrowthBook.of(1).look(tick((1000, 300), (1000, 0)), None)[0].item()


def test_keeping_some_rollouts_keeps_their_counts() -> None:
    both = shown(
        Pair(candidate=np.array([100.0, 100.0]), stable=np.array([100.0, 100.0])),
        Pair(candidate=np.array([0.0, 9.0]), stable=np.array([0.0, 0.0])),
    )
    for rule in (Flagger.of(2), PeekedZ.of(2), GrowthBook.of(2)):
        for _ in range(4):
            rule.look(both, None)
        kept = rule.keep(np.array([False, True]))
        assert kept.look(tick((100, 9), (100, 0)), None)[0].tolist() == rule.look(both, None)[0][1:].tolist()
