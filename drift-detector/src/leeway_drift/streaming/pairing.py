"""Pairs: one request answered in both slots, known by its ``x-request-id``."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from leeway_drift.columns import Float32Array, Rows
from leeway_drift.streaming.moments import Moments

LABEL = "label"
MAX_PAIR_ROWS = 10_000
"""Rows of a response that are kept for its pair."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Paired rows of one tick.

    Attributes:
        difference: of the score, slot ``b`` minus slot ``a``.
        flips: rows whose label differs.
        labelled: rows that have a label in both slots.
    """

    difference: Moments = field(default_factory=Moments)
    flips: int = 0
    labelled: int = 0

    def __add__(self, other: Self) -> Self:
        """Of the union."""
        return type(self)(self.difference + other.difference, self.flips + other.flips, self.labelled + other.labelled)


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    slot: str
    scores: Float32Array
    labels: Float32Array | None


@dataclass(slots=True)
class Pairing:
    """Waits for the second answer to a request, in bounded memory.

    Attributes:
        limit: requests that wait at most; the oldest give way.
    """

    limit: int
    _waiting: OrderedDict[str, _Answer] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request_id: str, slot: str, outputs: Rows) -> Pairs | None:
        """Take a slot's answer; the pairs it completes, None if it completes none."""
        answer = _answer(slot, outputs)
        if answer is None:
            return None
        other = self._waiting.get(request_id)
        if other is None or other.slot == slot:
            self._waiting[request_id] = answer
            while len(self._waiting) > self.limit:
                self._waiting.popitem(last=False)
            return None
        del self._waiting[request_id]
        if other.scores.size != answer.scores.size:
            return None
        a, b = (other, answer) if slot == "b" else (answer, other)
        difference = Moments.of(b.scores.astype(np.float64) - a.scores.astype(np.float64))
        if a.labels is None or b.labels is None:
            return Pairs(difference)
        return Pairs(difference, int((a.labels != b.labels).sum()), a.labels.size)


def score_column(names: tuple[str, ...]) -> str | None:
    """The last output that is no label: a binary classifier's probability, a regression's value."""
    candidates = [name for name in names if name != LABEL]
    return candidates[-1] if candidates else None


def _answer(slot: str, outputs: Rows) -> _Answer | None:
    score = score_column(outputs.numeric)
    if score is None or outputs.count > MAX_PAIR_ROWS:
        return None
    labels = outputs.column(LABEL).copy() if LABEL in outputs.numeric else None
    return _Answer(slot, outputs.column(score).copy(), labels)
