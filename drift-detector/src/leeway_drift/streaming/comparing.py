"""Two slots side by side: what each did in the same ticks, for the operator to compare."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from leeway_drift.profile.windows import TICK_SECONDS
from leeway_drift.streaming.live import BothLive
from leeway_drift.streaming.moments import Moments
from leeway_drift.streaming.pairing import Pairing, Pairs
from leeway_drift.streaming.ticks import Arm, Tick

KEPT_TICKS = 360
"""Closed ticks that wait for the operator, an hour's worth; it comes every few seconds."""
WAITING_PAIRS = 5_000
TICKS_PER_MINUTE = round(60 / TICK_SECONDS)
TOLD_MINUTES = 1_500
"""Minutes of predictions whose losses one tick tells: labels of a whole day may come at once."""


@dataclass(frozen=True, slots=True, eq=False)
class VersionArm:
    """An arm, and whose it is.

    Attributes:
        version: of the model in the slot.
        digest: of the version's profile; None without one.
        cells: of the profile's plan, whose bins the arm's counts are in; None without one.
        arm: without its sample, and once its tick is shown, without its losses, and without its counts if no other arm
            has any: they are most of the memory, and compare with nothing.
        losses: of those predictions of the arm's losses that were made while both slots answered, by the minute in
            which they were made (since the epoch), ascending.
        dropped: losses of minutes that were too many; the oldest.
    """

    version: str
    digest: str | None
    cells: str | None
    arm: Arm
    losses: Mapping[int, Moments] = field(default_factory=dict)
    dropped: int = 0


@dataclass(slots=True, eq=False)
class ComparedTick:
    """One closed tick of all versions of a model.

    Attributes:
        index: in real time's timeline.
        arms: by slot. Where two versions answered in one slot it holds the one with more requests: the other is on
            its way out, and evidence begins after that. Where none did and there are only labels, those of the pair
            that was compared last.
        pairs: that were completed in it.
    """

    index: int
    arms: dict[str, VersionArm] = field(default_factory=dict)
    pairs: Pairs = field(default_factory=Pairs)

    @property
    def side_by_side(self) -> tuple[str, str] | None:
        """The versions in slots ``a`` and ``b`` if both had requests."""
        a, b = self.arms.get("a"), self.arms.get("b")
        both = a is not None and b is not None and a.arm.requests > 0 and b.arm.requests > 0
        return (a.version, b.version) if both and a is not None and b is not None else None


@dataclass(slots=True)
class Comparison:
    """The latest closed ticks of one model.

    Attributes:
        closed: the last tick that is closed for all versions of the model; later ones are not shown.
        ticks: oldest first.
        live: when both slots answered.
        pairing: answers that wait for the other slot's.
        open_pairs: by tick.
    """

    closed: int = -1
    ticks: deque[ComparedTick] = field(default_factory=lambda: deque(maxlen=KEPT_TICKS))
    live: BothLive = field(default_factory=BothLive)
    pairing: Pairing = field(default_factory=lambda: Pairing(WAITING_PAIRS))
    open_pairs: dict[int, Pairs] = field(default_factory=dict)

    def add(
        self,
        tick: Tick,
        version: str,
        digest: str | None,
        cells: str | None,
        pairs: Pairs = Pairs(),  # noqa: B008 - frozen
    ) -> None:
        """Take a closed tick of one version, and pairs that other replicas completed in it."""
        compared = self._tick(tick.index)
        compared.pairs += pairs
        for slot, arm in tick.arms.items():
            found = VersionArm(version, digest, cells, replace(arm, sample=None))
            known = compared.arms.get(slot)
            if known is None or self._weight(slot, known) < self._weight(slot, found):
                compared.arms[slot] = found

    def add_pairs(self, tick: int, pairs: Pairs) -> None:
        """Take pairs completed in an open tick."""
        self.open_pairs[tick] = self.open_pairs.get(tick, Pairs()) + pairs

    def take_pairs(self, until: int) -> Pairs:
        """The pairs of the ticks up to this one, which are then nobody else's."""
        due = sorted(index for index in self.open_pairs if index <= until)
        return sum((self.open_pairs.pop(index) for index in due), Pairs())

    def close(self, until: int) -> None:
        """All versions are closed up to this tick."""
        for index in sorted(index for index in self.open_pairs if index <= until):
            self._tick(index).pairs += self.open_pairs.pop(index)
        self.show(until)

    def show(self, until: int) -> None:
        """Nothing is added to the ticks up to this one any more.

        A prediction's tick closes before or with the one in which its label came: by now it is known who answered.
        """
        shown = list(self._after(self.closed, until))
        for tick in shown:
            if (versions := tick.side_by_side) is not None:
                self.live.add(tick.index, versions)
        for tick in shown:
            tick.arms.update(self._settled(tick.arms))
        self.closed = max(self.closed, until)

    def since(self, cursor: int) -> list[ComparedTick]:
        """The closed ticks after the cursor, oldest first."""
        return list(self._after(cursor, self.closed))

    def begin_anew(self, until: int = -1) -> None:
        """Forget the ticks; nothing after ``until`` is closed."""
        self.ticks.clear()
        self.open_pairs.clear()
        self.closed = until

    def _after(self, cursor: int, until: int) -> Iterator[ComparedTick]:
        return (tick for tick in list(self.ticks) if cursor < tick.index <= until)

    def _weight(self, slot: str, known: VersionArm) -> tuple[int, bool]:
        return known.arm.requests, self.live.compares(slot, known.version)

    def _settled(self, arms: Mapping[str, VersionArm]) -> dict[str, VersionArm]:
        """With their losses by minute.

        Labels come late and many at once, over hours in which the weights changed: of each minute by itself, versions
        that are equally good have equal losses, whatever their shares of the traffic were. Minutes are therefore never
        put together here, where nobody knows the weights.
        """
        losses = {slot: self._by_minute(slot, known) for slot, known in arms.items()}
        compares = sum(known.arm.counts is not None for known in arms.values()) > 1
        told = set(sorted({minute for minutes in losses.values() for minute in minutes})[-TOLD_MINUTES:])
        return {
            slot: replace(
                known,
                arm=replace(known.arm, losses={}, counts=known.arm.counts if compares else None),
                losses={minute: moments for minute, moments in losses[slot].items() if minute in told},
                dropped=sum(moments.n for minute, moments in losses[slot].items() if minute not in told),
            )
            for slot, known in arms.items()
        }

    def _by_minute(self, slot: str, known: VersionArm) -> dict[int, Moments]:
        minutes: dict[int, Moments] = {}
        for served, moments in sorted(known.arm.losses.items()):
            if self.live.covers(slot, known.version, served):
                minute = served // TICKS_PER_MINUTE
                minutes[minute] = minutes.get(minute, Moments()) + moments
        return minutes

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
