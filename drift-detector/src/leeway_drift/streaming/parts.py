"""Parts: what one replica counted of one version in one closed tick, and the sum over replicas."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce

from leeway_drift.reading.events import Stream
from leeway_drift.streaming.pairing import Pairs
from leeway_drift.streaming.ticks import Tick


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one replica counted, or several together.

    Attributes:
        stream: of which version.
        tick: closed there.
        digest: of the profile in whose bins it is counted, None without one.
        pairs: of the model, completed in this tick; those of all versions are with one of them.
    """

    stream: Stream
    tick: Tick
    digest: str | None
    pairs: Pairs = field(default_factory=Pairs)

    def __add__(self, other: "Part") -> "Part":
        """The sum of two parts of one version and tick."""
        arms = dict(self.tick.arms)
        for slot, arm in other.tick.arms.items():
            arms[slot] = arms[slot] + arm if slot in arms else arm
        return Part(self.stream, Tick(self.tick.index, arms), self.digest or other.digest, self.pairs + other.pairs)


def merge(parts: Iterable[Part]) -> Part:
    """The sum of the parts of one version and tick, at least one.

    Integers are exact in any order. Sums of answers are not, which is why the order should be the replicas'.
    """
    return reduce(Part.__add__, parts)
