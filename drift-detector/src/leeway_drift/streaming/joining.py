"""Joining the two halves of an inference: a response may come before its request, and either may never come."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from leeway_drift.columns import Rows
from leeway_drift.labels.records import Prediction
from leeway_drift.reading.events import Envelope, Kind


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """One half that waits for the other.

    Attributes:
        envelope: of its event.
        rows: what it carried.
        response_id: the V2 response's id, None for a request.
        nbytes: of its body.
        since: when it came, by the detector's clock in seconds.
    """

    envelope: Envelope
    rows: Rows
    response_id: str | None
    nbytes: int
    since: float


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """What is known of an inference: both halves, or the one that waited in vain."""

    request: Half | None
    response: Half | None

    def prediction(self) -> Prediction | None:
        """Make what the store keeps: none without a response, and one without features if its request is lost."""
        if self.response is None:
            return None
        envelope = self.response.envelope
        return Prediction(
            namespace=envelope.stream.namespace,
            model=envelope.stream.model,
            version=envelope.stream.version,
            slot=envelope.slot,
            event_id=envelope.id,
            time=envelope.time,
            request_id=envelope.request_id,
            response_id=self.response.response_id,
            features=None if self.request is None else self.request.rows,
            outputs=self.response.rows,
        )


@dataclass(slots=True)
class Joining:
    """Halves that wait, bounded in number, bytes and time; what gives way is no longer joined.

    Attributes:
        max_halves: that wait at most.
        max_bytes: of their bodies.
        seconds: for which one waits at most.
    """

    max_halves: int
    max_bytes: int
    seconds: float
    _waiting: OrderedDict[tuple[str, str, str], Half] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, half: Half) -> list[Joined]:
        """Take a half; the inference it completes, and those given up for it."""
        key = half.envelope.inference
        other = self._waiting.get(key)
        if other is not None and other.envelope.kind is not half.envelope.kind:
            del self._waiting[key]
            self._bytes -= other.nbytes
            request, response = (other, half) if half.envelope.kind is Kind.RESPONSE else (half, other)
            return [Joined(request, response)]
        if other is None:
            self._waiting[key] = half
            self._bytes += half.nbytes
        return self._give_up(lambda _: len(self._waiting) > self.max_halves or self._bytes > self.max_bytes)

    def expire(self, now: float) -> list[Joined]:
        """Give up what has waited long enough at this reading of the clock, which may have been set back since."""
        return self._give_up(lambda oldest: abs(now - oldest.since) >= self.seconds)

    def _give_up(self, due: Callable[[Half], bool]) -> list[Joined]:
        given_up = []
        while self._waiting and due(oldest := next(iter(self._waiting.values()))):
            self._waiting.popitem(last=False)
            self._bytes -= oldest.nbytes
            is_request = oldest.envelope.kind is Kind.REQUEST
            given_up.append(Joined(oldest, None) if is_request else Joined(None, oldest))
        return given_up
