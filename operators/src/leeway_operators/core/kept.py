"""What is kept of counters between two looks, as JSON, bounded by the pods of two slots.

{"since": 1767225600.0, "threshold": 0.1,
 "servers":  {pod: [slot, time, requests, errors, refused, predicted, slow]},
 "gateways": {"gateway pod/…": [slot, time, requests, failures]},
 "counted":  {slot: [requests, errors, refused, sent, failures, told requests, told errors]}}
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from leeway_operators.core.model import SLOTS, Slot

_SERVER_VALUES, _GATEWAY_VALUES, _COUNTED_VALUES = 5, 2, 7


@dataclass(frozen=True)
class Sample:
    """Counters of one source at one scrape, seconds since 1970; each of them only grows."""

    slot: Slot
    time: float
    values: tuple[float, ...]

    def grown(self, before: "Sample") -> tuple[float, ...]:
        """Since `before`. If any of them fell, all began again at 0."""
        if any(now < then for now, then in zip(self.values, before.values, strict=True)):
            return self.values
        return tuple(now - then for now, then in zip(self.values, before.values, strict=True))


Samples = Mapping[str, Sample]


@dataclass(frozen=True)
class Counted:
    """Sums of one slot since the evidence began: what servers and gateways counted, and what ticks have told of it."""

    requests: float = 0.0
    errors: float = 0.0
    refused: float = 0.0
    sent: float = 0.0
    failures: float = 0.0
    told_requests: float = 0.0
    told_errors: float = 0.0

    def plus(
        self, requests: float, errors: float, refused: float, sent: float, failures: float
    ) -> tuple[float, float, "Counted"]:
        """Requests and errors that are to be told now, and the sums after that.

        What a server refused is answered to the gateway: its failures replace the server's other errors. An error is
        never told before its request.
        """
        requests, errors, refused = self.requests + requests, self.errors + errors, self.refused + refused
        sent, failures = self.sent + sent, self.failures + failures
        more = max(requests, sent) - self.told_requests
        failed = min(refused + max(errors - refused, failures) - self.told_errors, more)
        told = (self.told_requests + more, self.told_errors + failed)
        return more, failed, Counted(requests, errors, refused, sent, failures, *told)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The baselines of the next tick."""

    since: float
    threshold: float | None
    servers: Samples
    gateways: Samples
    counted: Mapping[Slot, Counted] = field(default_factory=lambda: {slot: Counted() for slot in SLOTS})

    def having(self, **changes: Any) -> Self:
        """The same with other baselines or sums."""
        return replace(self, **changes)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "since": self.since,
            "threshold": self.threshold,
            "servers": {name: [sample.slot, sample.time, *sample.values] for name, sample in self.servers.items()},
            "gateways": {name: [sample.slot, sample.time, *sample.values] for name, sample in self.gateways.items()},
            "counted": {slot: list(vars(counted).values()) for slot, counted in self.counted.items()},
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Kept | None":
        """Read back; None for anything else: then the next samples are baselines."""
        try:
            threshold = document["threshold"]
            return cls(
                since=_number(document["since"]),
                threshold=_number(threshold) if threshold is not None else None,
                servers=_samples(document["servers"], _SERVER_VALUES),
                gateways=_samples(document["gateways"], _GATEWAY_VALUES),
                counted={slot: Counted(*_numbers(document["counted"][slot], _COUNTED_VALUES)) for slot in SLOTS},
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"expected a number of at least 0, got {value!r}")
    return float(value)


def _numbers(values: Any, length: int) -> tuple[float, ...]:
    numbers = tuple(_number(value) for value in values)
    if len(numbers) != length:
        raise ValueError(f"expected {length} numbers, got {len(numbers)}")
    return numbers


def _samples(document: Any, length: int) -> Samples:
    samples = {}
    for name, (slot, time, *values) in document.items():
        if slot not in SLOTS:
            raise ValueError(f"{name}: expected a slot, got {slot!r}")
        samples[name] = Sample(slot, _number(time), _numbers(values, length))
    return samples
