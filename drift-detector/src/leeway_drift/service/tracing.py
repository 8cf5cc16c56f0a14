"""Whether and where to send traces, as the environment says it; ``service.otlp`` is what sends them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_SAMPLE_RATIO = "0.01"


class TracingError(ValueError):
    """A variable of the environment is not what was expected; the message names it."""


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """Where traces go, and how many.

    Attributes:
        endpoint: base address of a collector that takes OTLP over HTTP.
        sample_ratio: share of the inferences to trace of which nobody has decided yet, over 0 to 1.
    """

    endpoint: str
    sample_ratio: float


def tracing_from(environment: Mapping[str, str]) -> TracingSettings | None:
    """What ``LEEWAY_TRACING_ENDPOINT`` and ``LEEWAY_TRACING_SAMPLE_RATIO`` say; None without an endpoint.

    Raises:
        TracingError: one of them is wrong.
    """
    endpoint = environment.get("LEEWAY_TRACING_ENDPOINT")
    if not endpoint:
        return None
    ratio = environment.get("LEEWAY_TRACING_SAMPLE_RATIO") or _SAMPLE_RATIO
    return TracingSettings(_address(endpoint), _share(ratio))


def _address(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        usable = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and parts.username is None
        )
    except ValueError:  # a port that is no number, or half an IPv6 address
        usable = False
    if not usable or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise TracingError(f"LEEWAY_TRACING_ENDPOINT {endpoint!r}: http://HOST[:PORT][/PATH] was expected")
    return endpoint


def _share(ratio: str) -> float:
    try:
        share = float(ratio)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise TracingError(f"LEEWAY_TRACING_SAMPLE_RATIO {ratio!r}: a share over 0 and up to 1 was expected")
    return share
