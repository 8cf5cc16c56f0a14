"""Shapes of a load over time; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAXIMUM_RATE = 400
MAXIMUM_SECONDS = 1800
_BURST_FACTOR, _BURST_PERIOD, _BURST_LENGTH = 4, 30.0, 10.0
_RAMP_FROM = 0.1


@dataclass(frozen=True)
class Shape:
    """Requests per second over time.

    Attributes:
        profile: how `rate` is meant.
        rate: requests per second: all the time (steady), between bursts of four times as many (burst: 10 of every 30
            seconds), or at the end, from a tenth of it on (ramp).
        seconds: how long.

    Raises:
        ValueError: the profile is none, or rate or length is out of bounds.
    """

    profile: str
    rate: int
    seconds: int

    def __post_init__(self) -> None:
        if self.profile not in _PROFILES:
            raise ValueError(f"PROFILE={self.profile}: expected one of {', '.join(_PROFILES)}")
        if not 1 <= self.seconds <= MAXIMUM_SECONDS:
            raise ValueError(f"SECONDS={self.seconds}: expected 1 to {MAXIMUM_SECONDS}")
        if not 1 <= self.peak <= MAXIMUM_RATE:
            raise ValueError(
                f"RATE={self.rate}: {self.peak} requests per second at the peak, expected 1 to {MAXIMUM_RATE}"
            )

    def rate_at(self, second: float) -> int:
        """Requests per second at a time; 0 once it is over."""
        return _PROFILES[self.profile](self, second) if 0 <= second < self.seconds else 0

    @property
    def peak(self) -> int:
        """Most requests per second."""
        return self.rate * (_BURST_FACTOR if self.profile == "burst" else 1)

    @property
    def requests(self) -> int:
        """All of them, to the second."""
        return sum(self.rate_at(second) for second in range(self.seconds))


def _steady(shape: Shape, _second: float) -> int:
    return shape.rate


def _burst(shape: Shape, second: float) -> int:
    return shape.rate * (_BURST_FACTOR if second % _BURST_PERIOD >= _BURST_PERIOD - _BURST_LENGTH else 1)


def _ramp(shape: Shape, second: float) -> int:
    return max(1, round(shape.rate * (_RAMP_FROM + (1 - _RAMP_FROM) * second / shape.seconds)))


_PROFILES: Mapping[str, Callable[[Shape, float], int]] = {"steady": _steady, "burst": _burst, "ramp": _ramp}
PROFILES = tuple(_PROFILES)
