"""Whether and where to send events, as the environment says it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from leeway_serving.environment import SettingsError, share_of, url_of

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class CaptureSettings:
    """Where events go and whose they are.

    Attributes:
        url: of the sink, http or https.
        sample: share of inferences to capture, over 0 to 1.
        namespace: of the InferenceService.
        inferenceservice: its name.
    """

    url: str
    sample: float
    namespace: str
    inferenceservice: str


def settings_from(environment: Mapping[str, str]) -> CaptureSettings | None:
    """Reads `LEEWAY_CAPTURE_URL`, `LEEWAY_CAPTURE_SAMPLE`, `LEEWAY_NAMESPACE` and `LEEWAY_INFERENCESERVICE`.

    Returns:
        None without a URL: nothing is captured.

    Raises:
        SettingsError: naming the first variable that is missing or wrong.
    """
    url = environment.get("LEEWAY_CAPTURE_URL")
    if not url:
        return None
    return CaptureSettings(
        url=url_of("LEEWAY_CAPTURE_URL", url),
        sample=share_of("LEEWAY_CAPTURE_SAMPLE", environment.get("LEEWAY_CAPTURE_SAMPLE") or "1"),
        namespace=_dns_label(environment, "LEEWAY_NAMESPACE"),
        inferenceservice=_dns_label(environment, "LEEWAY_INFERENCESERVICE"),
    )


def _dns_label(environment: Mapping[str, str], variable: str) -> str:
    value = environment.get(variable, "")
    if not _DNS_LABEL.fullmatch(value):
        raise SettingsError(f"{variable} {value!r} does not match {_DNS_LABEL.pattern}")
    return value
