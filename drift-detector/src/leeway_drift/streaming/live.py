"""Ticks in which both slots of a model answered: labels of two versions compare over these alone."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

KEPT_SPANS = 2_000
"""Spans that are remembered; with a request of the candidate every other tick, half a day."""

SLOTS = ("a", "b")


@dataclass(slots=True)
class BothLive:
    """When the two versions that answered side by side last did so.

    A label comes long after its prediction, when one of the versions may be gone. Predictions of minutes in which only
    one version answered were made in another weather, and their labels would compare that.

    Attributes:
        versions: in slots ``a`` and ``b``; None as long as there was no such tick.
        spans: of ticks, ``[first, end)``, ascending and apart from each other; the oldest give way.
    """

    versions: tuple[str, str] | None = None
    spans: list[tuple[int, int]] = field(default_factory=list)

    def add(self, tick: int, versions: tuple[str, str]) -> None:
        """Both versions answered in this tick, which is after all others; another pair than before begins anew."""
        if versions != self.versions:
            self.versions, self.spans = versions, []
        if self.spans and self.spans[-1][1] == tick:
            self.spans[-1] = (self.spans[-1][0], tick + 1)
        else:
            self.spans.append((tick, tick + 1))
            del self.spans[:-KEPT_SPANS]

    @property
    def last(self) -> int:
        """The last such tick, -1 if there was none."""
        return self.spans[-1][1] - 1 if self.spans else -1

    def compares(self, slot: str, version: str) -> bool:
        """Whether it is one of the two versions."""
        return self.versions is not None and slot in SLOTS and self.versions[SLOTS.index(slot)] == version

    def covers(self, slot: str, version: str, tick: int) -> bool:
        """Whether a prediction of this version in this tick had the other version beside it."""
        if not self.compares(slot, version):
            return False
        after = bisect_right(self.spans, tick, key=lambda span: span[0])
        return after > 0 and tick < self.spans[after - 1][1]

    def forget_after(self, tick: int) -> None:
        """A clock that was set back has not reached what came after this tick."""
        self.spans = [(first, min(end, tick + 1)) for first, end in self.spans if first <= tick]

    def to_json(self) -> list[Any] | None:
        """For a snapshot."""
        return None if self.versions is None else [list(self.versions), [list(span) for span in self.spans]]

    @classmethod
    def from_json(cls, document: Sequence[Any] | None) -> Self:
        """Read what ``to_json`` wrote; a ValueError or TypeError if it is something else."""
        if document is None:
            return cls()
        (a, b), spans = document
        return cls((str(a), str(b)), [(int(first), int(end)) for first, end in spans])
