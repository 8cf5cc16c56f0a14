"""Traffic that does not follow the weights is noticed, and counts over unequal seconds are not taken for that."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from leeway_operators.core.counters import advance
from leeway_operators.core.evidence import CounterReading, Counters
from leeway_operators.core.model import Slot
from leeway_operators.evidence.ratio import SampleRatio
from leeway_operators.evidence.ticks import Pair, Routed
from leeway_operators.evidence.wealth import ALPHA

DECISIVE = -math.log(ALPHA)


def after(ratio: SampleRatio, n: tuple[float, float], seconds: tuple[float, float], weight: float = 0.5) -> SampleRatio:
    """A tick of candidate and stable."""
    requests, lengths = Pair(candidate=n[0], stable=n[1]), Pair(candidate=seconds[0], stable=seconds[1])
    return ratio.after(Routed(requests=requests, seconds=lengths), weight)


@pytest.mark.parametrize("weight", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("seconds", [(10.0, 20.0), (20.0, 10.0), (30.0, 29.0)])
def test_an_arm_that_was_counted_for_longer_got_no_more_than_its_weight(
    weight: float, seconds: tuple[float, float]
) -> None:
    ratio = SampleRatio.begin()
    for _ in range(200):
        ratio = after(ratio, (40 * weight * seconds[0], 40 * (1 - weight) * seconds[1]), seconds, weight)
    assert ratio.evidence < 0
    assert ratio.expected == pytest.approx(ratio.candidate)


@pytest.mark.parametrize("seconds", [(10.0, 20.0), (20.0, 10.0), (10.0, 10.0)])
@pytest.mark.parametrize("odds", [0.0, 0.5, 2.0])
def test_odds_that_are_not_the_weights_are_found_over_any_seconds(seconds: tuple[float, float], odds: float) -> None:
    ratio = SampleRatio.begin()
    share = odds / (1 + odds)
    for _ in range(20):
        ratio = after(ratio, (100 * share * seconds[0], 100 * (1 - share) * seconds[1]), seconds)
    assert ratio.evidence >= DECISIVE


def test_no_single_tick_proves_anything_and_one_without_seconds_says_nothing() -> None:
    assert after(SampleRatio.begin(), (1e6, 1.0), (10.0, 10.0)).evidence < DECISIVE
    unread = after(SampleRatio.begin(), (100.0, 0.0), (0.0, 10.0))
    assert (float(unread.total), float(unread.ignored)) == (0.0, 0.0)
    assert float(after(SampleRatio.begin(), (1.0, 1.0), (math.nan, 10.0)).ignored) == 1.0


def held(rng: np.random.Generator, scrape: float, odds: float, *, length: int = 2400, look: float = 10.0) -> bool:
    """Whether half the traffic, in bursts, is called wrong: one pod of each arm, scraped at offsets of their own."""
    rate = np.full(length, 60.0)
    for start in np.cumsum(rng.integers(5, 60, 72)):
        rate[start : start + rng.integers(1, 20)] *= rng.uniform(2, 8)
    share = odds / (1 + odds)
    sent: dict[Slot, float] = {"b": share, "a": 1 - share}
    counts = {slot: np.append(0, rng.poisson(rate * part).cumsum()) for slot, part in sent.items()}
    offsets = {slot: rng.uniform(0, scrape) for slot in sent}
    kept: Mapping[str, Any] = {}
    ratio, now = SampleRatio.begin(), 2 * scrape
    while now < length:
        now += look + rng.uniform(0, 0.5)
        scraped = {slot: offset + scrape * ((now - offset) // scrape) for slot, offset in offsets.items()}
        servers: Mapping[str, Counters] = {
            slot: Counters(
                slot=slot, time=time, requests=math.floor(np.interp(time, range(length + 1), counts[slot])), errors=0.0
            )
            for slot, time in scraped.items()
        }
        reading = CounterReading(servers=servers, ready={"a": "a", "b": "b"}, interval=scrape)
        looked = advance(kept, reading, now=now, since=0.0, threshold=None, weight=0.5, candidate="b")
        kept = looked.kept
        if looked.tick is not None:
            ratio = ratio.after(looked.tick.routed, looked.tick.weight)
        if ratio.evidence >= DECISIVE:
            return True
    return False


@pytest.mark.parametrize("scrape", [1.0, 10.0, 30.0])
def test_bursts_between_scrapes_that_are_out_of_step_hold_nothing_and_half_the_odds_do(scrape: float) -> None:
    rng = np.random.default_rng(5)
    assert sum(held(rng, scrape, 1.0) for _ in range(12)) == 0
    assert sum(held(rng, scrape, 0.5) for _ in range(4)) == 4
