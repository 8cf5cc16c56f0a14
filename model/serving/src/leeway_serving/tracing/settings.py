"""Whether and where to send traces, as the environment says it."""

from collections.abc import Mapping
from dataclasses import dataclass

from leeway_serving.environment import share_of, url_of

_SAMPLE_RATIO = "0.01"


@dataclass(frozen=True)
class TracingSettings:
    """Where traces go, and how many.

    Attributes:
        endpoint: base address of a collector that takes OTLP over HTTP.
        sample_ratio: share of the requests to trace, over 0 to 1.
        namespace: of the pod, if it is known.
    """

    endpoint: str
    sample_ratio: float
    namespace: str | None


def settings_from(environment: Mapping[str, str]) -> TracingSettings | None:
    """Reads `LEEWAY_TRACING_ENDPOINT`, `LEEWAY_TRACING_SAMPLE_RATIO` and `POD_NAMESPACE`.

    Returns:
        None without an endpoint: nothing is traced.

    Raises:
        SettingsError: naming the variable that is wrong.
    """
    endpoint = environment.get("LEEWAY_TRACING_ENDPOINT")
    if not endpoint:
        return None
    ratio = environment.get("LEEWAY_TRACING_SAMPLE_RATIO") or _SAMPLE_RATIO
    return TracingSettings(
        endpoint=url_of("LEEWAY_TRACING_ENDPOINT", endpoint),
        sample_ratio=share_of("LEEWAY_TRACING_SAMPLE_RATIO", ratio),
        namespace=environment.get("POD_NAMESPACE") or None,
    )
