"""What others decide by, on the same ticks: simulated from their rules as documented, not the real controllers.

- `Flagger`: a share of successes per check, checks that fail add up (fluxcd/flagger, `pkg/controller/scheduler.go` and
  `scheduler_metrics.go`: `request-success-rate` below `thresholdRange.min` or without values fails the check,
  `analysis.threshold` failed checks roll back).
- `PeekedZ`: the two-sample z test of a textbook, asked at every tick.
- `GrowthBook`: an asymptotic confidence sequence, as GrowthBook documents it
  (https://docs.growthbook.io/statistics/sequential; Waudby-Smith et al., "Time-uniform central limit theory and
  asymptotic confidence sequences", 2023): the kin of the mSPRT of Johari et al., 2017.
"""

from dataclasses import dataclass, replace
from math import log
from statistics import NormalDist
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.ticks import CounterTick, DetectorTick
from leeway_operators.simulate.batch import Flags


@dataclass
class _Totals:
    """Requests and errors of both arms since the start; arrays of rollouts."""

    n_c: NDArray[np.float64]
    k_c: NDArray[np.float64]
    n_s: NDArray[np.float64]
    k_s: NDArray[np.float64]

    @classmethod
    def none(cls, rollouts: int) -> Self:
        return cls(*(np.zeros(rollouts) for _ in range(4)))

    def add(self, tick: CounterTick) -> None:
        self.n_c = self.n_c + tick.requests.candidate
        self.k_c = self.k_c + tick.errors.candidate
        self.n_s = self.n_s + tick.requests.stable
        self.k_s = self.k_s + tick.errors.stable

    def keep(self, rows: Flags) -> Self:
        return type(self)(self.n_c[rows], self.k_c[rows], self.n_s[rows], self.k_s[rows])

    def rates(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Candidate's and stable's share of errors; 0 where nothing was asked."""
        return self.k_c / np.maximum(self.n_c, 1.0), self.k_s / np.maximum(self.n_s, 1.0)


@dataclass(kw_only=True)
class Flagger:
    """An analysis with `interval: 1m`, `threshold: 5` and `thresholdRange.min: 99`, over 20 steps.

    Two answers: rolled back, promoted. A check looks back on its interval; one that fails keeps the step.

    Attributes:
        rollouts: how many.
    """

    minimum: ClassVar[float] = 0.99
    threshold: ClassVar[int] = 5
    interval: ClassVar[float] = 60.0
    steps: ClassVar[int] = 20

    failed: NDArray[np.float64]
    succeeded: NDArray[np.float64]
    n: NDArray[np.float64]
    k: NDArray[np.float64]
    seconds: float = 0.0

    @classmethod
    def of(cls, rollouts: int) -> Self:
        """At its first check."""
        failed, succeeded, n, k = (np.zeros(rollouts) for _ in range(4))
        return cls(failed=failed, succeeded=succeeded, n=n, k=k)

    def look(self, counters: CounterTick, _: DetectorTick | None) -> list[Flags]:
        """Count; check when a minute is over."""
        self.n, self.k = self.n + counters.requests.candidate, self.k + counters.errors.candidate
        self.seconds += float(counters.seconds)
        if self.seconds >= self.interval:
            success = 1.0 - self.k / np.maximum(self.n, 1.0)
            good, going = (self.n > 0) & (success >= self.minimum), ~self._over
            self.failed, self.succeeded = self.failed + (going & ~good), self.succeeded + (going & good)
            self.n, self.k, self.seconds = np.zeros_like(self.n), np.zeros_like(self.k), 0.0
        return [self.failed >= self.threshold, self.succeeded >= self.steps]

    @property
    def _over(self) -> Flags:
        return (self.failed >= self.threshold) | (self.succeeded >= self.steps)

    def keep(self, rows: Flags) -> Self:
        """Only these rollouts."""
        return replace(self, failed=self.failed[rows], succeeded=self.succeeded[rows], n=self.n[rows], k=self.k[rows])


@dataclass
class PeekedZ:
    """One-sided at 5 %, pooled variance."""

    totals: _Totals

    quantile: ClassVar[float] = NormalDist().inv_cdf(0.95)
    fewest_errors: ClassVar[int] = 5
    """Before which nobody would trust the normal approximation."""

    @classmethod
    def of(cls, rollouts: int) -> Self:
        """Nothing counted yet."""
        return cls(_Totals.none(rollouts))

    def look(self, counters: CounterTick, _: DetectorTick | None) -> list[Flags]:
        """Count, then ask."""
        t = self.totals
        t.add(counters)
        (p_c, p_s), pooled = t.rates(), (t.k_c + t.k_s) / np.maximum(t.n_c + t.n_s, 1.0)
        deviation = np.sqrt(pooled * (1.0 - pooled) * (1.0 / np.maximum(t.n_c, 1.0) + 1.0 / np.maximum(t.n_s, 1.0)))
        return [(t.k_c + t.k_s >= self.fewest_errors) & (p_c - p_s > self.quantile * deviation)]

    def keep(self, rows: Flags) -> Self:
        """Only these rollouts."""
        return type(self)(self.totals.keep(rows))


@dataclass
class GrowthBook:
    """Two-sided 95 % confidence sequence of the absolute difference, tuned for `N* = 5000`, the documented default.

    Halfwidth `s sqrt(N) sqrt(2 (N r^2 + 1) / (N^2 r^2) log(sqrt(N r^2 + 1) / alpha))`, with N the requests of both
    arms, s the standard error of the difference and `r^2 = (-2 log alpha + log(-2 log alpha + 1)) / N*`.
    """

    totals: _Totals

    alpha: ClassVar[float] = 0.05
    tuned_for: ClassVar[float] = 5000.0

    @classmethod
    def of(cls, rollouts: int) -> Self:
        """Nothing counted yet."""
        return cls(_Totals.none(rollouts))

    def look(self, counters: CounterTick, _: DetectorTick | None) -> list[Flags]:
        """Count, then ask."""
        t = self.totals
        t.add(counters)
        p_c, p_s = t.rates()
        n = t.n_c + t.n_s
        variance = p_c * (1.0 - p_c) / np.maximum(t.n_c, 1.0) + p_s * (1.0 - p_s) / np.maximum(t.n_s, 1.0)
        rho2 = (-2.0 * log(self.alpha) + log(-2.0 * log(self.alpha) + 1.0)) / self.tuned_for
        safe_n = np.maximum(n, 1.0)
        factor = 2.0 * (safe_n * rho2 + 1.0) / (safe_n * rho2) * np.log(np.sqrt(safe_n * rho2 + 1.0) / self.alpha)
        # Without a variance in either arm GrowthBook shows no result.
        measurable = (t.n_c > 0) & (t.n_s > 0) & (t.k_c > 0) & (t.k_s > 0)
        return [measurable & (p_c - p_s > np.sqrt(variance * factor))]

    def keep(self, rows: Flags) -> Self:
        """Only these rollouts."""
        return type(self)(self.totals.keep(rows))
