"""Whether and where to send events, as the environment says it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class SettingsError(ValueError):
    """A variable of the environment is not what was expected; the message names it."""


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
        url=_checked_url(url),
        sample=_sample(environment.get("LEEWAY_CAPTURE_SAMPLE") or "1"),
        namespace=_dns_label(environment, "LEEWAY_NAMESPACE"),
        inferenceservice=_dns_label(environment, "LEEWAY_INFERENCESERVICE"),
    )


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and parts.username is None
        )
    except ValueError:  # a port that is no number, or half an IPv6 address
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise SettingsError(f"LEEWAY_CAPTURE_URL {url!r}: http://HOST[:PORT][/PATH] was expected")
    return url


def _sample(value: str) -> float:
    try:
        sample = float(value)
    except ValueError:
        sample = 0.0
    if not 0 < sample <= 1:
        raise SettingsError(f"LEEWAY_CAPTURE_SAMPLE {value!r}: a share over 0 and up to 1 was expected")
    return sample


def _dns_label(environment: Mapping[str, str], variable: str) -> str:
    value = environment.get(variable, "")
    if not _DNS_LABEL.fullmatch(value):
        raise SettingsError(f"{variable} {value!r} does not match {_DNS_LABEL.pattern}")
    return value
