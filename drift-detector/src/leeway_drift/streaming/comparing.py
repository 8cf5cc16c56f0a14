"""Two slots side by side: what each did in the same ticks, for the operator to compare."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from leeway_drift.streaming.pairing import Pairing, Pairs
from leeway_drift.streaming.ticks import Arm, Tick

KEPT_TICKS = 360
"""Closed ticks that wait for the operator, an hour's worth; it comes every few seconds."""
WAITING_PAIRS = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class VersionArm:
    """An arm, and whose it is.

    Attributes:
        version: of the model in the slot.
        digest: of the profile whose bins its counts are in; None without one.
        arm: without its sample.
    """

    version: str
    digest: str | None
    arm: Arm


@dataclass(slots=True, eq=False)
class ComparedTick:
    """One closed tick of all versions of a model.

    Attributes:
        index: in real time's timeline.
        arms: by slot. Where two versions answered in one slot it holds the one with more requests: the other is on
            its way out, and evidence begins after that.
        pairs: that were completed in it.
    """

    index: int
    arms: dict[str, VersionArm] = field(default_factory=dict)
    pairs: Pairs = field(default_factory=Pairs)


@dataclass(slots=True)
class Comparison:
    """The latest closed ticks of one model.

    Attributes:
        closed: the last tick that is closed for all versions of the model; later ones are not shown.
        ticks: oldest first.
        pairing: answers that wait for the other slot's.
        open_pairs: by tick.
    """

    closed: int = -1
    ticks: deque[ComparedTick] = field(default_factory=lambda: deque(maxlen=KEPT_TICKS))
    pairing: Pairing = field(default_factory=lambda: Pairing(WAITING_PAIRS))
    open_pairs: dict[int, Pairs] = field(default_factory=dict)

    def add(self, tick: Tick, version: str, digest: str | None, pairs: Pairs = Pairs()) -> None:  # noqa: B008 - frozen
        """Take a closed tick of one version, and pairs that other replicas completed in it."""
        compared = self._tick(tick.index)
        compared.pairs += pairs
        for slot, arm in tick.arms.items():
            known = compared.arms.get(slot)
            if known is None or known.arm.requests < arm.requests:
                compared.arms[slot] = VersionArm(version, digest, replace(arm, sample=None))

    def add_pairs(self, tick: int, pairs: Pairs) -> None:
        """Take pairs completed in an open tick."""
        self.open_pairs[tick] = self.open_pairs.get(tick, Pairs()) + pairs

    def take_pairs(self, tick: int) -> Pairs:
        """The pairs of a tick, which are then nobody else's."""
        return self.open_pairs.pop(tick, Pairs())

    def close(self, until: int) -> None:
        """All versions are closed up to this tick."""
        for index in sorted(index for index in self.open_pairs if index <= until):
            self._tick(index).pairs += self.open_pairs.pop(index)
        self.show(until)

    def show(self, until: int) -> None:
        """Nothing is added to the ticks up to this one any more."""
        self.closed = max(self.closed, until)

    def since(self, cursor: int) -> list[ComparedTick]:
        """The closed ticks after the cursor, oldest first."""
        return [tick for tick in list(self.ticks) if cursor < tick.index <= self.closed]

    def _tick(self, index: int) -> ComparedTick:
        for tick in reversed(self.ticks):
            if tick.index == index:
                return tick
        compared = ComparedTick(index)
        position = sum(tick.index < index for tick in self.ticks)
        if len(self.ticks) == KEPT_TICKS:
            self.ticks.popleft()
            position = max(0, position - 1)
        self.ticks.insert(position, compared)
        return compared


Comparisons = Mapping[tuple[str, str], Comparison]
"""By namespace and model."""
