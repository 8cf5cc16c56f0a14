"""Which rollouts are proven, and which of them run side by side; pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FAULTS: Mapping[str, str] = {
    "errors": "errors=0.05",
    "latency": "slow=0.2,delay=0.05",
    "flipped": "labels=flipped",
    "shuffled": "features=shuffled",
}
RATES = (5, 50)
SCRAPES = (10, 30)
_SAME = 3  # A/A rollouts of each rate and scrape interval
STRATEGY: Mapping[str, Any] = {
    "steps": [{"weight": 10, "hold": "30s"}, {"weight": 50}],
    "minRequests": 30,
    "analysis": {"interval": "10s", "deadline": "40m", "onDeadline": "Hold"},
    "rollbackWindow": "1m",
}


@dataclass(frozen=True)
class Case:
    """One rollout.

    Attributes:
        name: of its model.
        kind: a fault's name; empty for a version that is as good as the stable one (A/A).
        rate: requests per second.
        scrape: seconds between two scrapes of the servers.
    """

    name: str
    kind: str
    rate: int
    scrape: int

    @property
    def fault(self) -> str | None:
        """What the candidate's server is told to do wrong."""
        return FAULTS.get(self.kind)


def plan() -> list[Case]:
    """Return all cases: A/A and each fault, at each rate and scrape interval."""
    cases = []
    for rate in RATES:
        for scrape in SCRAPES:
            same = [(f"same-{number}", "") for number in range(1, _SAME + 1)]
            for name, kind in [*same, *((fault, fault) for fault in FAULTS)]:
                cases.append(Case(f"{name}-{rate}-{scrape}s", kind, rate, scrape))
    return cases


def waves(cases: Iterable[Case], *, models: int, rate: int) -> Iterator[list[Case]]:
    """Group cases so that a group has at most so many models and requests per second; slow scrapes together.

    A case whose rate alone is over the limit has a wave of its own.
    """
    wave: list[Case] = []
    for case in sorted(cases, key=lambda case: (-case.scrape, bool(case.kind))):
        if wave and (len(wave) == models or sum(other.rate for other in wave) + case.rate > rate):
            yield wave
            wave = []
        wave.append(case)
    if wave:
        yield wave
