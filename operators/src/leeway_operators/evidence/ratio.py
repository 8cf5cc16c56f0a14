"""Whether the arms share the traffic as the weight says (sample ratio mismatch)."""

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np

from leeway_operators.evidence.state import Array, Axes, Count, State
from leeway_operators.evidence.ticks import Number, Routed
from leeway_operators.evidence.wealth import CAP, CEILING, floored_start, grown_over_floor, log_sum

TOLERANCE = 0.1
"""Of the log odds: proxies round, connections stick; only a material deviation counts."""
_SIZES = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6])
SHIFTS = np.concatenate([_SIZES, -_SIZES])
"""By how much the log odds may be off: what the wealth is spread over."""


def _softplus(x: Array) -> Array:
    return np.logaddexp(0.0, x)


def log_factors(candidate: Array, total: Array, weight: Array) -> Array:
    """Log e-values of one tick against log odds within `TOLERANCE` of the weight's, [..., J].

    The likelihood ratio of tilted odds is largest in expectation at the edge of the hypothesis that is nearer to the
    alternative, and is 1 there.

    Args:
        candidate: requests of its arm, [...].
        total: of both arms, [...].
        weight: the candidate's share, between 0 and 1, [...].
    """
    edge = (np.log(weight) - np.log1p(-weight))[..., None] + np.sign(SHIFTS) * TOLERANCE
    gains: Array = candidate[..., None] * SHIFTS - total[..., None] * (_softplus(edge + SHIFTS) - _softplus(edge))
    return gains


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleRatio(State):
    """Evidence that the arms do not share the traffic as the weight says.

    Attributes:
        wealth: log e-value per deviation.
        ticks: that had data.
        candidate: requests of its arm where a weight was in force.
        total: of both arms.
        expected: of the candidate's, by the weights.
        ignored: ticks whose counts could not be.
    """

    wealth: Annotated[Array, Axes((len(SHIFTS),))]
    ticks: Count
    candidate: Count
    total: Count
    expected: Count
    ignored: Count

    @classmethod
    def begin(cls) -> Self:
        """No evidence."""
        none = np.zeros(())
        return cls(
            wealth=floored_start(len(SHIFTS)), ticks=none, candidate=none, total=none, expected=none, ignored=none
        )

    @property
    def evidence(self) -> Array:
        """Log e-value."""
        return log_sum(self.wealth)

    def after(self, routed: Routed, weight: Number | None) -> Self:
        """With one more tick; without a weight, or with one that gives all to one arm, there is nothing to compare.

        Of arms that were counted over T_c and T_s seconds, the candidate's share is expected to be
        w T_c / (w T_c + (1 - w) T_s). Traffic that comes in bursts may still fall into the seconds of one arm alone,
        but not tick after tick: hence no tick adds more than `CAP`.
        """
        if weight is None:
            return self
        requests, seconds = routed.requests, routed.seconds
        given = (requests.candidate, requests.stable, seconds.candidate, seconds.stable, weight)
        n_c, n_s, t_c, t_s, share = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in given))
        good = np.isfinite(n_c) & np.isfinite(n_s) & (n_c >= 0) & (n_s >= 0) & (share >= 0) & (share <= 1)
        good &= np.isfinite(t_c) & np.isfinite(t_s) & (t_c >= 0) & (t_s >= 0)
        counts = good & (share > 0) & (share < 1) & (t_c > 0) & (t_s > 0)
        candidate, stable = np.where(counts, n_c, 0.0), np.where(counts, n_s, 0.0)
        total = candidate + stable
        ours, theirs = (np.where(counts, part, 1.0) for part in (share * t_c, (1.0 - share) * t_s))
        share = ours / (ours + theirs)
        gains = np.minimum(log_factors(candidate, total, share), CAP)
        wealth = np.minimum(grown_over_floor(self.wealth, gains, self.ticks, total > 0), CEILING)
        return type(self)(
            wealth=wealth,
            ticks=self.ticks + (total > 0),
            candidate=self.candidate + candidate,
            total=self.total + total,
            expected=self.expected + share * total,
            ignored=self.ignored + ~good,
        )
