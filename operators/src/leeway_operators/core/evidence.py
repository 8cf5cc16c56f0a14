"""What one look at the sources asks for, and what it brought: raw counters per pod, and the detector's closed ticks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leeway_operators.core.model import Slot


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a look at the sources is for.

    Attributes:
        candidate: its slot; the other one is stable's.
        revisions: that the slots run; pods of another revision are on their way out and count for nobody.
        cursor: in the detector's ticks.
        history: whether stable's hour before is asked for as well: once, when the tests begin.
    """

    candidate: Slot
    revisions: Mapping[Slot, str]
    cursor: str = ""
    history: bool = False


@dataclass(frozen=True, kw_only=True)
class Counters:
    """Raw counters of one pod at one scrape.

    Attributes:
        slot: whose pod it is.
        time: of the scrape, seconds since 1970.
        requests: answered, all codes, probes left out.
        errors: of them, answers other than 2xx.
        refused: of the errors, those that are no failure to a gateway: all but 5xx.
        buckets: requests that got a prediction, by upper bound in seconds, cumulative; `inf` is all of them.
    """

    slot: Slot
    time: float
    requests: float
    errors: float
    refused: float = 0.0
    buckets: Mapping[float, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class GatewayCounters:
    """What one gateway pod counted for one pod of a slot: requests sent, and those that failed (5xx, no answer)."""

    slot: Slot
    time: float
    requests: float
    failures: float


@dataclass(frozen=True, kw_only=True)
class CounterReading:
    """One look at the metrics store.

    Attributes:
        servers: the newest sample of each pod that was scraped lately, by pod name.
        ready: pods that take traffic, as the cluster says: each of them has to be among `servers`.
        interval: seconds between scrapes, as observed; None: fewer than two were seen.
        gateways: by "gateway pod/address"; empty where the gateway tells nothing per endpoint.
        history: the increase of stable's counters over the hour before: requests, errors and buckets; None: unknown.
    """

    servers: Mapping[str, Counters]
    ready: Mapping[str, Slot]
    interval: float | None = None
    gateways: Mapping[str, GatewayCounters] = field(default_factory=dict)
    history: Counters | None = None


@dataclass(frozen=True, kw_only=True)
class DetectorReading:
    """The answer of `/v1/compare`: epoch, cursor, coverage by role, and its ticks, unchecked."""

    epoch: str
    cursor: str
    coverage: Mapping[str, float]
    ticks: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A source that gave nothing, and why, in one sentence for a person."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One look at both sources."""

    counters: CounterReading | Missing
    detector: DetectorReading | Missing
