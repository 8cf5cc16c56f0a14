"""Reads a ModelRollout's spec and reads and writes its status, as the API server keeps them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from leeway_operators.core.model import (
    Arm,
    Condition,
    Followed,
    Record,
    Release,
    Rollout,
    Status,
    Weights,
)
from leeway_operators.core.revision import revision_of


def rollout_of(body: Mapping[str, Any]) -> Rollout:
    """A ModelRollout's wish from its object; defaults are the API server's, so every defaulted field is there."""
    metadata, spec = body["metadata"], body["spec"]
    model = spec["model"]
    return Rollout(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        release=Release(
            version=model["version"],
            revision=revision_of(spec),
            storage_uri=model["storageUri"],
            digest=model.get("digest"),
        ),
        spec=spec,
    )


def timestamp(time: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, as Kubernetes writes metav1.Time."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _arm_of(value: Mapping[str, Any] | None) -> Arm | None:
    if value is None:
        return None
    release = Release(
        version=value["version"],
        revision=value["revision"],
        storage_uri=value["storageUri"],
        digest=value.get("digest"),
    )
    return Arm(slot=value["slot"], release=release, since=_time(value["since"]))


def _followed_of(value: Mapping[str, Any] | None) -> Followed | None:
    if value is None:
        return None
    return Followed(generation=value["observedGeneration"], since=_time(value["since"]))


def status_of(body: Mapping[str, Any]) -> Status:
    """What the operator remembers; an object without a status remembers nothing."""
    value = body.get("status") or {}
    weights = value.get("weights") or {}
    return Status(
        phase=value.get("phase", "Pending"),
        generation=value.get("observedGeneration", 0),
        stable=_arm_of(value.get("stable")),
        candidate=_arm_of(value.get("candidate")),
        previous=_arm_of(value.get("previous")),
        leaving=_arm_of(value.get("leaving")),
        promoting=value.get("promoting"),
        weights=Weights(a=weights.get("a", 0), b=weights.get("b", 0)),
        route=_followed_of(value.get("route")),
        history=tuple(
            Record(
                number=entry["number"],
                version=entry["version"],
                revision=entry["revision"],
                slot=entry["slot"],
                outcome=entry["outcome"],
                reason=entry["reason"],
                time=_time(entry["time"]),
            )
            for entry in value.get("history", [])
        ),
        conditions=tuple(
            Condition(
                type=entry["type"],
                status=entry["status"] == "True",
                reason=entry["reason"],
                message=entry["message"],
                generation=entry["observedGeneration"],
                time=_time(entry["lastTransitionTime"]),
            )
            for entry in value.get("conditions", [])
        ),
    )


def _arm(arm: Arm, weights: Weights) -> dict[str, Any]:
    release = arm.release
    value: dict[str, Any] = {
        "slot": arm.slot,
        "version": release.version,
        "revision": release.revision,
        "storageUri": release.storage_uri,
        "since": timestamp(arm.since),
        "weight": weights.of(arm.slot),
    }
    return value | ({"digest": release.digest} if release.digest is not None else {})


def _followed(followed: Followed) -> dict[str, Any]:
    return {"observedGeneration": followed.generation, "since": timestamp(followed.since)}


def status_document(status: Status) -> dict[str, Any]:
    """The status subresource; a role that nobody has is absent."""
    roles = {"stable": status.stable, "candidate": status.candidate, "previous": status.previous, "leaving": status.leaving}
    return {
        "observedGeneration": status.generation,
        "phase": status.phase,
        **{role: _arm(arm, status.weights) for role, arm in roles.items() if arm is not None},
        **({"promoting": status.promoting} if status.promoting is not None else {}),
        "weights": {"a": status.weights.a, "b": status.weights.b},
        **({"route": _followed(status.route)} if status.route is not None else {}),
        "history": [
            {
                "number": record.number,
                "version": record.version,
                "revision": record.revision,
                "slot": record.slot,
                "outcome": record.outcome,
                "reason": record.reason,
                "time": timestamp(record.time),
            }
            for record in status.history
        ],
        "conditions": [
            {
                "type": condition.type,
                "status": "True" if condition.status else "False",
                "reason": condition.reason,
                "message": condition.message,
                "observedGeneration": condition.generation,
                "lastTransitionTime": timestamp(condition.time),
            }
            for condition in status.conditions
        ],
    }
