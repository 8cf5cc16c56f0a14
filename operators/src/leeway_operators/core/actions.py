"""What the operator can do, and a plan made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from leeway_operators.core.model import Slot, Status


@dataclass(frozen=True, kw_only=True)
class SetStatus:
    """Write the status subresource."""

    status: Status


@dataclass(frozen=True, kw_only=True)
class CopyRuntime:
    """Create the slot's own ServingRuntime, unless it is there."""

    body: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ApplySlot:
    """Apply a slot's InferenceService."""

    slot: Slot
    body: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ApplyBundleService:
    """Apply the Service by which the drift detector reaches a slot's pods."""

    body: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class StopSlot:
    """Let KServe remove what a slot runs."""

    slot: Slot
    name: str


@dataclass(frozen=True, kw_only=True)
class ApplyRoute:
    """Apply the HTTPRoute."""

    body: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SetMinReplicas:
    """Apply `minReplicas`, and nothing else, to a slot's HorizontalPodAutoscaler."""

    body: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class DeleteRuntime:
    """Delete a copied ServingRuntime that no slot names any more."""

    name: str


@dataclass(frozen=True, kw_only=True)
class RestartSlot:
    """Set the annotation `leeway.dev/restartedAt` of a slot's pods' template: KServe replaces the pods one by one."""

    slot: Slot
    name: str
    at: str


@dataclass(frozen=True, kw_only=True)
class WriteRecord:
    """Apply the ConfigMap with the record of a finished attempt.

    One of the same name is of the same attempt, or of one that a lost status has forgotten.
    """

    body: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class DeleteRecord:
    """Delete a record's ConfigMap, if it is there."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Emit:
    """Record a Kubernetes Event. The same `key` is one Event, however often it is emitted."""

    key: str
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


Action = (
    SetStatus
    | CopyRuntime
    | ApplySlot
    | ApplyBundleService
    | StopSlot
    | ApplyRoute
    | SetMinReplicas
    | DeleteRuntime
    | RestartSlot
    | WriteRecord
    | DeleteRecord
    | Emit
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do now, in this order, and when to look again without being told (None: no need)."""

    actions: tuple[Action, ...]
    status: Status
    again_in: timedelta | None = None
