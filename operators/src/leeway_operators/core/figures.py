"""Numbers for people: one way to write a gate's figures, a count and a time span, wherever they are read."""

from datetime import timedelta

# The gates whose means are shares of requests or rows, and are read as percent.
_SHARES = ("errors", "latency", "dataQuality", "sampleRatio")
UNKNOWN = "-"


def figure(gate: str, value: float | None) -> str:
    """A mean: a share in percent, any other number with three digits."""
    if value is None:
        return UNKNOWN
    return f"{value * 100:.2f} %" if gate in _SHARES else f"{value:.3g}"


def difference(gate: str, value: float | None) -> str:
    """Candidate minus stable, with its sign; of shares in points of percent."""
    if value is None:
        return UNKNOWN
    return f"{value * 100:+.2f}" if gate in _SHARES else f"{value:+.3g}"


def count(value: float) -> str:
    """How many, with thousands apart."""
    return f"{value:,.0f}"


def span(time: timedelta) -> str:
    """A time span in its two largest units, such as `2 h 5 min`."""
    seconds = max(round(time.total_seconds()), 0)
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    first = next((index for index, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number) or "0 s"
