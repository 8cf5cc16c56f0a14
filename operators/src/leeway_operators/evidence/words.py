"""Sentences for a person."""

import math


def count(value: float) -> str:
    """As 3,870."""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """As 5.1 %."""
    return f"{_digits(100.0 * share)} %"


def points(*shares: float) -> str:
    """As 1 point, or as 2.1 to 6.3 points."""
    words = [_digits(100.0 * share).removesuffix(".0") for share in shares]
    return f"{' to '.join(words)} point{'' if words == ['1'] else 's'}"


def score(value: float) -> str:
    """As 0.213."""
    return f"{value:.3f}"


def between(low: float, high: float, *, share: bool) -> str:
    """Where a difference lies."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "difference unknown"
    span = points(low, high) if share else f"{score(low)} to {score(high)}"
    if low > 0:
        return f"worse by {span}" if share else f"higher by {span}"
    if high < 0:
        return f"better by {points(-high, -low)}" if share else f"lower by {score(-high)} to {score(-low)}"
    return f"difference {span}"


def one_or_more(number: float, word: str) -> str:
    """As 1 tick, 30 ticks."""
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def _digits(value: float) -> str:
    """One decimal, two where one would show nothing."""
    return f"{value:.1f}" if value == 0 or abs(value) >= 0.1 else f"{value:.2f}"  # noqa: PLR2004 - says itself
