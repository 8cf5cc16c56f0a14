"""Rollouts as the API server keeps them, written down by hand: what people's tools are tested on."""

from datetime import UTC, datetime, timedelta
from typing import Any

from leeway_operators.core.documents import rollout_of, status_document
from leeway_operators.core.model import (
    Analysis,
    Arm,
    Command,
    Condition,
    Decision,
    LastCommand,
    Phase,
    Record,
    Rejected,
    Release,
    Rollout,
    Slot,
    Status,
    Weights,
)
from leeway_operators.core.revision import revision_of
from leeway_operators.evidence.findings import Finding, Side
from tests.world import NAME, NAMESPACE, defaulted, digest, rollout_schema, spec

BEGAN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(minutes=10)
STEPS = [{"weight": 5, "hold": "2m"}, {"weight": 25}]


def at(seconds: float) -> datetime:
    """So long after the rollout began."""
    return BEGAN + timedelta(seconds=seconds)


def body(
    status: Status | None, version: str = "2", annotations: dict[str, str] | None = None, **strategy: Any
) -> dict[str, Any]:
    """A ModelRollout that names this version."""
    full = defaulted(rollout_schema()["properties"]["spec"], spec(version) | {"strategy": {"steps": STEPS} | strategy})
    metadata = {"name": NAME, "namespace": NAMESPACE, "uid": "u-1", "generation": 2, "resourceVersion": "1"}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": full, **({"status": status_document(status)} if status is not None else {})}


def rollout(version: str = "2", **strategy: Any) -> Rollout:
    """The wish in it."""
    return rollout_of(body(None, version, **strategy))


def release(version: str) -> Release:
    """A release of this version."""
    return Release(
        version=version,
        revision=revision_of(body(None, version)["spec"]),
        storage_uri=spec(version)["model"]["storageUri"],
        digest=digest(version),
    )


def arm(version: str, slot: Slot, since: datetime = BEGAN) -> Arm:
    """A version in a slot."""
    return Arm(slot=slot, release=release(version), since=since)


def command(verb: str, identity: str = "c-1", revision: str | None = None) -> Command:
    """What somebody asked for."""
    return Command(id=identity, verb=verb, revision=revision, by="mia@example.org", at=at(300))


ERRORS = Finding(
    gate="errors",
    verdict="Fail",
    candidate=Side(n=412, mean=0.051),
    stable=Side(n=3870, mean=0.009),
    estimate=0.042,
    lower=0.021,
    upper=0.063,
    margin=0.02,
    reason="errors: 5.1 % of the candidate's 412 requests failed, 0.9 % of stable's 3,870: worse by 2.1 to 6.3 points",
)
LATENCY = Finding(
    gate="latency",
    verdict="Insufficient",
    candidate=Side(n=391, mean=0.04),
    stable=Side(n=3835, mean=0.041),
    estimate=-0.001,
    lower=-0.03,
    upper=0.026,
    margin=0.02,
    progress=0.4,
    reason="latency: no worse so far, and not yet known to be within 2 points",
)
LABELS = Finding(
    gate="labels", verdict="Insufficient", candidate=Side(n=0), stable=Side(n=0), reason="labels: none have come"
)


def canary(*findings: Finding, phase: Phase = "Canary", **changes: Any) -> Status:
    """Version 2 has a quarter of the traffic beside version 1, at the last step."""
    analysis = Analysis(
        began=at(60),
        step=1,
        step_since=at(200),
        step_requests=412,
        evidence_since=at(216),
        looked=at(596),
        candidate_requests=512,
        candidate_failures=21,
        threshold=0.1,
        findings=findings,
    )
    moving = Condition(
        type="Progressing", status=True, reason="EvidencePending", message=LATENCY.reason, generation=2, time=at(60)
    )
    serving = Condition(
        type="Ready", status=True, reason="Serving", message="version 1 serves from slot a", generation=2, time=BEGAN
    )
    fields: dict[str, Any] = {
        "phase": phase,
        "generation": 2,
        "stable": arm("1", "a", BEGAN - timedelta(days=3)),
        "candidate": arm("2", "b"),
        "weights": Weights(a=75, b=25),
        "analysis": analysis,
        "decisions": (
            Decision(time=at(60), what="Verified", weight=0, why="slot b serves what was released"),
            Decision(time=at(60), what="StepAdvanced", weight=5, why="step 1 of 2"),
            Decision(
                time=at(200), what="StepAdvanced", weight=25, why="no harm in what this step saw", findings=(LATENCY,)
            ),
        ),
        "conditions": (serving, moving),
    }
    return Status(**fields | changes)


def rolled_back() -> tuple[Status, Record]:
    """Version 2 at the moment its errors were proven."""
    status = canary(ERRORS, LATENCY, LABELS)
    ending = Decision(time=at(600), what="RolledBack", weight=0, why=ERRORS.reason, findings=(ERRORS, LATENCY, LABELS))
    record = Record(
        number=7,
        version="2",
        revision=release("2").revision,
        slot="b",
        outcome="RolledBack",
        reason="Errors",
        time=at(600),
    )
    return Status(**vars(status) | {"decisions": (*status.decisions, ending), "history": (record,)}), record


def rejected() -> Status:
    """Version 1 serves on, version 2 was rolled back."""
    status, record = rolled_back()
    refused = Rejected(version="2", revision=record.revision, digest=digest("2"), reason="Errors", time=record.time)
    changes = {"phase": "Stable", "candidate": None, "analysis": None, "weights": Weights.all_on("a")}
    return Status(**vars(status) | changes | {"rejected": (refused,), "decisions": ()})


def answered(asked: Command, outcome: Any = "Done", message: str = "as you wish") -> LastCommand:
    """What became of a command."""
    return LastCommand(command=asked, outcome=outcome, message=message, time=at(601))


def _on_probation() -> tuple[Status, Record]:
    status, record = rolled_back()
    changes = {"stable": arm("2", "b"), "candidate": None, "previous": arm("1", "a"), "weights": Weights(a=5, b=95)}
    return Status(**vars(status) | changes), Record(**vars(record) | {"reason": "Probation"})


PROMOTED_ON_PROBATION = _on_probation()
