"""Whether both arms are sent the same kind of inputs (covariate balance)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.bernoulli import DECAY
from leeway_operators.evidence.state import ANY, LONGEST, MOST_NAMES, Array, Axes, Count, State
from leeway_operators.evidence.ticks import DetectorTick
from leeway_operators.evidence.wealth import CAP, CEILING, floored_start, grown_over_floor, log_mean

TELLING = 2
"""Cells that are never merged with others, the last ones: nulls and wrong values."""
FIRST_TICKS = 10
"""With data in both arms, before differences of answers are blamed on a version: inputs that differ show by then."""
SHRINKAGE = 20.0
"""Rows by which an arm's guess leans on both arms together."""
_DIGITS = 2  # of decayed counts, which only guide guesses: there are many of them in a document


def merged(counts: Array) -> Array:
    """The same rows in at most `LONGEST` cells: neighbouring bins together, nulls and wrong ones by themselves."""
    cells = counts.shape[-1]
    if cells <= LONGEST:
        return counts
    starts = np.arange(LONGEST - TELLING) * (cells - TELLING) // (LONGEST - TELLING)
    bins: Array = np.add.reduceat(counts[..., : cells - TELLING], starts, axis=-1)
    return np.concatenate([bins, counts[..., cells - TELLING :]], axis=-1)


def log_factor(counts: Array, guesses: Array) -> Array:
    """Log e-value of one tick against equal shares of the cells in both arms.

    A row in cell k multiplies the wealth by its arm's guess over the guess for both arms together; by the inequality
    of the means the expectation is at most 1 where both arms draw from the same shares on average over the tick.

    Args:
        counts: rows of candidate and stable, [..., 2, cells].
        guesses: of the cells' shares, fixed before the tick, positive, [..., 2, cells].

    Returns:
        [...]
    """
    rows = counts.sum(axis=-1, keepdims=True)
    both = (rows * guesses).sum(axis=-2, keepdims=True) / np.maximum(rows.sum(axis=-2, keepdims=True), 1.0)
    ratio = np.where(both > 0, guesses / np.where(both > 0, both, 1.0), 1.0)
    gain: Array = (counts * np.log(ratio)).sum(axis=(-2, -1))
    return np.where((rows[..., 0] > 0).all(axis=-1), gain, 0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Feature(State):
    """What is known about one input.

    Attributes:
        counts: decayed, of candidate and stable.
        wealth: log e-value.
        ticks: with data in both arms.
    """

    counts: Annotated[Array, Axes((2, ANY), least=0.0)]
    wealth: Array
    ticks: Count

    @classmethod
    def begin(cls, cells: int) -> Self:
        """No evidence."""
        return cls(counts=np.zeros((2, cells)), wealth=floored_start(1)[0], ticks=np.zeros(()))

    @property
    def guesses(self) -> Array:
        """Shares of the cells in the next tick, by arm: its own, shrunk towards those of both."""
        cells = self.counts.shape[-1]
        together = self.counts.sum(axis=-2, keepdims=True) + 1.0
        prior = SHRINKAGE * together / together.sum(axis=-1, keepdims=True)
        own: Array = (self.counts + prior) / (self.counts.sum(axis=-1, keepdims=True) + SHRINKAGE)
        return own if cells > 1 else np.ones_like(own)

    def after(self, counts: Array, temper: Array) -> Self:
        """With one more tick, [..., 2, cells], whose evidence is divided by `temper`."""
        gain = np.minimum(log_factor(counts, self.guesses) / temper, CAP)
        compared = (counts.sum(axis=-1) > 0).all(axis=-1)
        wealth = grown_over_floor(self.wealth[..., None], gain[..., None], self.ticks, compared)[..., 0]
        seen = counts.sum(axis=(-2, -1), keepdims=True) > 0
        return type(self)(
            counts=np.where(seen, np.round(DECAY * self.counts + counts, _DIGITS), self.counts),
            wealth=np.minimum(wealth, CEILING),
            ticks=self.ticks + compared,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Balance(State):
    """What is known about all inputs.

    Attributes:
        features: by name; the first ones of the first tick in which both arms can be compared.
        incomparable: ticks whose arms count in different cells.
        ignored: ticks of which some counts could not be.
    """

    features: Mapping[str, Feature]
    incomparable: Count
    ignored: Count

    @classmethod
    def begin(cls) -> Self:
        """No evidence."""
        return cls(features={}, incomparable=np.zeros(()), ignored=np.zeros(()))

    @property
    def evidence(self) -> Array:
        """Log e-value: the mean over the features."""
        return log_mean(*(one.wealth for one in self.features.values()))

    @property
    def unsettled(self) -> NDArray[np.bool_]:
        """Whether inputs that can be compared were not for long enough to tell."""
        if not self.features:
            return np.zeros((), dtype=np.bool_)
        ticks = np.maximum.reduce(np.broadcast_arrays(*(one.ticks for one in self.features.values())))
        unsettled: NDArray[np.bool_] = ticks < FIRST_TICKS
        return unsettled

    @property
    def suspect(self) -> str:
        """The feature that differs most; of one rollout."""
        return max(self.features, key=lambda name: float(self.features[name].wealth))

    def after(self, tick: DetectorTick, temper: Array) -> Self:
        """With one more tick."""
        if not tick.arms_comparable:
            return replace(self, incomparable=self.incomparable + 1.0)
        counted = {name: _counts(tick, name) for name in tick.candidate.features.keys() & tick.stable.features.keys()}
        usable = {name: counts for name, counts in counted.items() if counts is not None}
        features = dict(self.features) or {
            name: Feature.begin(usable[name].shape[-1])
            for name in sorted(usable)
            if usable[name].sum(axis=-1).all(axis=-1).any()
        }
        features = dict(list(features.items())[:MOST_NAMES])
        wrong = len(usable) < len(counted)
        for name, one in features.items():
            counts = usable.get(name)
            if counts is not None and counts.shape[-1] == one.counts.shape[-1]:
                features[name] = one.after(counts, temper)
            else:
                wrong = wrong or counts is not None
        return replace(self, features=features, ignored=self.ignored + wrong)


def _counts(tick: DetectorTick, name: str) -> Array | None:
    """Rows of both arms by merged cell, [..., 2, cells]; None where they cannot be."""
    candidate = np.asarray(tick.candidate.features[name], dtype=np.float64)
    stable = np.asarray(tick.stable.features[name], dtype=np.float64)
    if candidate.ndim == 0 or candidate.shape[-1:] != stable.shape[-1:] or candidate.shape[-1] == 0:
        return None
    if not all(np.isfinite(counts).all() and (counts >= 0).all() for counts in (candidate, stable)):
        return None
    candidate, stable = np.broadcast_arrays(merged(candidate), merged(stable))
    return np.stack([candidate, stable], axis=-2)
