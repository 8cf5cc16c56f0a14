"""How sure a simulation is of a share that it has counted."""

from collections.abc import Callable
from math import exp, lgamma, log


def upper_bound(count: int, of: int, confidence: float = 0.95) -> float:
    """The largest share that makes so small a count no rarer than `1 - confidence` (Clopper and Pearson, one-sided)."""
    if count >= of:
        return 1.0
    return _bisect(lambda share: _at_most(count, of, share) - (1.0 - confidence))


def lower_bound(count: int, of: int, confidence: float = 0.95) -> float:
    """The smallest share that makes so large a count no rarer than `1 - confidence`."""
    return 1.0 - upper_bound(of - count, of, confidence)


def interval(count: int, of: int) -> tuple[float, float]:
    """Two-sided, 95 %."""
    return lower_bound(count, of, 0.975), upper_bound(count, of, 0.975)


def _at_most(count: int, of: int, share: float) -> float:
    """P(X <= count) of a binomial with 0 < share < 1."""
    return sum(
        exp(lgamma(of + 1) - lgamma(k + 1) - lgamma(of - k + 1) + k * log(share) + (of - k) * log(1.0 - share))
        for k in range(count + 1)
    )


def _bisect(falling: Callable[[float], float]) -> float:
    low, high = 1e-12, 1.0 - 1e-12
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if falling(middle) > 0.0 else (low, middle)
    return high
