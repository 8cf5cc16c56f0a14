"""How a new version takes over: `spec.strategy`, read once, with what the schema cannot check."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from leeway_operators.core.duration import parse_duration
from leeway_operators.evidence.experiment import GateSettings
from leeway_operators.evidence.findings import GateName

# Watched for harm in every rollout, and for those two a Pass is asked for: each server counts what they need. The
# others count what a detector has to see first; naming one in the strategy asks for its Pass.
ALWAYS_REQUIRED: tuple[GateName, ...] = ("errors", "latency")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A share of the traffic.

    Attributes:
        weight: percent for the candidate; 0 at a shadow step.
        hold: shortest time at this step.
        shadow: all traffic is mirrored to the candidate, which answers nobody.
    """

    weight: int
    hold: timedelta
    shadow: bool = False


@dataclass(frozen=True, kw_only=True)
class Match:
    """A header whose bearers are the candidate's (A/B); such a rollout never promotes by itself."""

    header: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """`spec.strategy`, parsed. No steps and no match is all traffic at once, after verification."""

    steps: tuple[Step, ...]
    match: Match | None
    min_requests: int
    interval: timedelta
    alpha_rollback: float
    alpha_promote: float
    deadline: timedelta
    on_deadline: Literal["Hold", "Rollback"]
    gates: Mapping[GateName, GateSettings]
    latency_threshold: float | None
    """Seconds; None: the smallest bucket bound that at most 5 % of stable's requests were over before the rollout."""
    approval_required: bool
    probation: timedelta
    probation_weight: int
    rollback_window: timedelta
    on_revert: Literal["Instant", "Canary"]

    @property
    def analysed(self) -> bool:
        """Whether anything stands between verification and all traffic."""
        return bool(self.steps) or self.match is not None


def strategy_of(spec: Mapping[str, Any]) -> Strategy:
    """Read a defaulted `spec`."""
    value = spec["strategy"]
    analysis, named = value["analysis"], value["analysis"]["gates"]
    gates: dict[GateName, GateSettings] = {
        gate: GateSettings(required=gate in ALWAYS_REQUIRED or gate in named, margin=named.get(gate, {}).get("margin"))
        for gate in ("errors", "latency", "predictions", "dataQuality")
    }
    labels = named.get("labels", {})
    gates["labels"] = GateSettings(required=labels.get("required", False), margin=labels.get("margin"))
    threshold = named.get("latency", {}).get("threshold")
    match = value.get("match")
    return Strategy(
        steps=tuple(
            Step(
                weight=step.get("weight", 0),
                hold=parse_duration(step["hold"]) if "hold" in step else timedelta(0),
                shadow=step.get("shadow", False),
            )
            for step in value["steps"]
        ),
        match=Match(header=match["header"], value=match["value"]) if match is not None else None,
        min_requests=value["minRequests"],
        interval=parse_duration(analysis["interval"]),
        alpha_rollback=analysis["alpha"]["rollback"],
        alpha_promote=analysis["alpha"]["promote"],
        deadline=parse_duration(analysis["deadline"]),
        on_deadline=analysis["onDeadline"],
        gates=gates,
        latency_threshold=parse_duration(threshold).total_seconds() if threshold is not None else None,
        approval_required=value["approval"]["required"],
        probation=parse_duration(value["probation"]["duration"]),
        probation_weight=value["probation"]["weight"],
        rollback_window=parse_duration(value["rollbackWindow"]),
        on_revert=value["onRevert"],
    )
