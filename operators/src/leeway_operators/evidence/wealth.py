"""Log e-values: how they grow, what bounds them, how those of several alternatives are read as one.

The wealth of an alternative is the logarithm of an e-value: a product of factors, one per tick, whose expectation given
the past is at most 1 while the null hypothesis holds. It therefore reaches 1/alpha with chance alpha at most, however
often one looks (Ville 1939; Ramdas et al. 2023, "Game-theoretic statistics and safe anytime-valid inference").
"""

import math

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.state import Array

CAP = 1.0
"""Most that one tick may add, in nats: arms read a tick apart, or a burst in one, prove nothing by themselves."""
MOST_TICKS = 8640
"""A day of ticks of 10 s: over how many the wealth that floors inject is spread."""
ALPHA = 0.01
"""Chance of ever holding a rollout whose preconditions hold, for each precondition."""
CEILING = math.log(1.0 / ALPHA) + 3.0
"""Of a precondition's wealth, above what decides: once what is broken is mended, it is soon forgotten."""
LEAST = -1e4
"""Stands for no wealth at all: its exponential is 0, and it is a finite number in JSON."""


def log_sum(wealth: Array) -> Array:
    """Logarithm of the sum of e-values over the last axis."""
    most = wealth.max(axis=-1)
    total: Array = most + np.log(np.exp(wealth - most[..., None]).sum(axis=-1))
    return total


def log_total(*evidence: Array) -> Array:
    """Logarithm of the sum of e-values of several questions; of none it is 0."""
    total: Array = np.logaddexp.reduce(np.broadcast_arrays(np.asarray(LEAST), *evidence))
    return total


def log_mean(*evidence: Array) -> Array:
    """Logarithm of the mean of e-values of several questions: itself one, however they depend on each other."""
    return log_total(*evidence) - math.log(max(1, len(evidence)))


def even_start(*shape: int) -> Array:
    """Wealth 1, spread evenly over the alternatives."""
    return np.full(shape, -math.log(math.prod(shape)))


def floored_start(*shape: int) -> Array:
    """Half of it: the other half is what floors may inject."""
    return np.full(shape, math.log(0.5 / math.prod(shape)))


def grown(wealth: Array, gain: Array) -> Array:
    """Wealth after a tick."""
    return np.maximum(wealth + gain, LEAST)


def grown_over_floor(wealth: Array, gain: Array, ticks: Array, counts: NDArray[np.bool_], *, axes: int = 1) -> Array:
    """Wealth after a tick, lifted to a floor: harm that starts late must not pay off a long time without harm first.

    A floor injects at most its own amount at each tick, .5 in all over `MOST_TICKS` ticks and all alternatives; with
    `floored_start` the expectation of the total stays at most 1. Later ticks have no floor.

    Args:
        wealth: [..., J] over the last `axes` axes.
        gain: of the tick, already tempered and capped.
        ticks: that had a floor before, [...].
        counts: whether this tick compares anything, [...].
        axes: that hold alternatives of one e-value.
    """
    alternatives = math.prod(wealth.shape[-axes:])
    floor = np.where(counts & (ticks < MOST_TICKS), math.log(0.5 / (MOST_TICKS * alternatives)), LEAST)
    lifted: Array = np.maximum(wealth + gain, np.expand_dims(floor, tuple(range(-axes, 0))))
    return lifted
