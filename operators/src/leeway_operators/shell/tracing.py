"""Traces of looks, as `schemas/traces.yaml` names their spans; `shell.otlp` sends them, where a collector is named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from leeway_operators.shell.logs import told_action
from leeway_operators.shell.reconcile import Reconciled

Attributes = Mapping[str, str | Sequence[str]]

_SAMPLE_RATIO = "0.01"


class TracingError(ValueError):
    """A variable of the environment is not what was expected; the message names it."""


@dataclass(frozen=True)
class TracingSettings:
    """Where traces go, and how many.

    Attributes:
        endpoint: base address of a collector that takes OTLP over HTTP.
        sample_ratio: share of the looks to trace that found nothing to do, over 0 to 1.
    """

    endpoint: str
    sample_ratio: float


def tracing_from(environment: Mapping[str, str]) -> TracingSettings | None:
    """What `LEEWAY_TRACING_ENDPOINT` and `LEEWAY_TRACING_SAMPLE_RATIO` say; None without an endpoint.

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


class Look(Protocol):
    """One reconciliation, from its begin to its end."""

    def enter(self, stage: str) -> None:
        """A stage begins, and the one before it ends."""

    def end(self, attributes: Attributes, *, error: BaseException | None = None) -> str | None:
        """It is over.

        Args:
            attributes: what it found and did.
            error: why it failed; None if it did not.

        Returns:
            The id of its trace, 32 hex digits; None if it is not traced.
        """


Looks = Callable[[str, str], Look]
"""Begins a look at the ModelRollout of this namespace and name."""


class _Untraced:
    """Does nothing."""

    def enter(self, stage: str) -> None:
        """Nobody wants to know."""

    def end(self, attributes: Attributes, *, error: BaseException | None = None) -> None:
        """Nobody wants to know."""


_UNTRACED = _Untraced()


def untraced(_: str, __: str) -> Look:
    """A look that nobody traces."""
    return _UNTRACED


def attributes_of(result: Reconciled | None) -> Attributes:
    """What a span says of a look; of two versions it is about the one that is released. None: there was no rollout."""
    if result is None:
        return {}
    status = result.after
    arm = status.candidate or status.stable
    findings = status.analysis.findings if status.analysis is not None else ()
    return {
        "leeway.phase": status.phase,
        **({"leeway.version": arm.release.version} if arm is not None else {}),
        **({"leeway.verdicts": [f"{finding.gate}: {finding.verdict}" for finding in findings]} if findings else {}),
        **({"leeway.actions": [told_action(action) for action in result.actions]} if result.actions else {}),
    }
