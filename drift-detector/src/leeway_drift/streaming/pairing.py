"""Pairs: one request answered in both slots, known by its ``x-request-id`` and its inputs."""

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Self

import numpy as np

from leeway_drift.columns import Float32Array, Rows
from leeway_drift.labels.target import ROUNDING
from leeway_drift.streaming.moments import Moments

LABEL = "label"
MAX_PAIR_ROWS = 10_000
"""Rows of a response that are kept for its pair."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Paired rows of one tick.

    Attributes:
        difference: of the score, slot ``b`` minus slot ``a``.
        flips: of the labelled rows, those whose label differs.
        labelled: rows that have a label in both slots.
        outside: rows with a score that no probability has.
        mismatched: requests whose id came in both slots with other inputs, or with another number of answered rows:
            no copies of each other, so they are no pair.
    """

    difference: Moments = field(default_factory=Moments)
    flips: int = 0
    labelled: int = 0
    outside: int = 0
    mismatched: int = 0

    def __add__(self, other: Self) -> Self:
        """Of the union."""
        return type(self)(
            self.difference + other.difference,
            self.flips + other.flips,
            self.labelled + other.labelled,
            self.outside + other.outside,
            self.mismatched + other.mismatched,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    slot: str
    inputs: bytes
    scores: Float32Array
    labels: Float32Array | None


@dataclass(slots=True)
class Pairing:
    """Waits for the second answer to a request, in bounded memory.

    Clients may choose the id, and send another request under it; a mirrored copy has the same inputs, too.

    Attributes:
        limit: requests that wait at most; the oldest give way.
    """

    limit: int
    _waiting: OrderedDict[str, _Answer] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request_id: str, slot: str, inputs: Rows, outputs: Rows) -> Pairs | None:
        """Take an inference of a slot; the pairs it completes, None if it completes none."""
        answer = _answer(slot, inputs, outputs)
        if answer is None:
            return None
        other = self._waiting.pop(request_id, None)
        if other is None or other.slot == slot or other.inputs != answer.inputs:
            self._waiting[request_id] = answer
            while len(self._waiting) > self.limit:
                self._waiting.popitem(last=False)
            return None if other is None or other.slot == slot else Pairs(mismatched=1)
        if other.scores.size != answer.scores.size:
            return Pairs(mismatched=1)
        return _pairs(other, answer) if slot == "b" else _pairs(answer, other)


def fingerprint(rows: Rows) -> bytes:
    """The same for the same columns and values alone, 16 bytes."""
    inputs = blake2b(_named(rows.numeric, rows.categorical), digest_size=16)
    inputs.update(rows.numbers.tobytes())
    inputs.update(repr(rows.strings.tolist()).encode())
    return inputs.digest()


def score_column(names: tuple[str, ...]) -> str | None:
    """The last output that is no label: a binary classifier's probability, a regression's value."""
    candidates = [name for name in names if name != LABEL]
    return candidates[-1] if candidates else None


@lru_cache(maxsize=8)
def _named(numeric: tuple[str, ...], categorical: tuple[str, ...]) -> bytes:
    return repr((numeric, categorical)).encode()


def _pairs(a: _Answer, b: _Answer) -> Pairs:
    scores = np.stack([a.scores, b.scores]).astype(np.float64)
    finite = scores[:, np.isfinite(scores).all(axis=0)]
    outside = ((finite < -ROUNDING) | (finite > 1 + ROUNDING)).any(axis=0)
    difference = Moments.of(finite[1] - finite[0])
    if a.labels is None or b.labels is None:
        return Pairs(difference, outside=int(outside.sum()))
    return Pairs(difference, int((a.labels != b.labels).sum()), a.labels.size, int(outside.sum()))


def _answer(slot: str, inputs: Rows, outputs: Rows) -> _Answer | None:
    score = score_column(outputs.numeric)
    if score is None or outputs.count > MAX_PAIR_ROWS:
        return None
    labels = outputs.column(LABEL).copy() if LABEL in outputs.numeric else None
    return _Answer(slot, fingerprint(inputs), outputs.column(score).copy(), labels)
