"""What the operator is told and what it remembers: the wish (`Rollout`) and the memory (`Status`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from leeway_operators.core.duration import parse_duration
from leeway_operators.core.served import Run
from leeway_operators.evidence.findings import Finding

Slot = Literal["a", "b"]
SLOTS: tuple[Slot, ...] = get_args(Slot)

Phase = Literal[
    "Pending",
    "Deploying",
    "Shadow",
    "Canary",
    "AwaitingApproval",
    "Promoting",
    "Stable",
    "Held",
    "RollingBack",
    "Paused",
    "Failed",
]
PHASES: tuple[Phase, ...] = get_args(Phase)

Outcome = Literal["Promoted", "RolledBack", "Undone", "Withdrawn", "Superseded"]
"""How an attempt ended: it took the traffic, was found worse (or a person ended it), took its traffic back as the
version before, the spec went back to stable, or a newer release came."""
OUTCOME_REASONS: Mapping[Outcome, tuple[str, ...]] = {
    "Promoted": ("Verified", "EvidencePassed", "PromotedByCommand"),
    "RolledBack": ("Errors", "Latency", "Predictions", "Labels", "DeadlineExceeded", "AbortedByCommand", "Probation"),
    "Undone": ("Reverted", "UndoneByCommand"),
    "Withdrawn": ("SpecReverted",),
    "Superseded": ("NewRelease",),
}
"""Every reason an outcome may have; series of the outcomes' metric exist for each from the start."""
Promoting = Literal["Verified", "EvidencePassed", "PromotedByCommand", "Reverted", "UndoneByCommand", "Probation"]
"""Why a version is to take all the traffic: the reasons of outcomes that end like this."""


def other(slot: Slot) -> Slot:
    """The slot beside this one."""
    return "b" if slot == "a" else "a"


# ------------------------------------------------------------------------------------------------ the wish


@dataclass(frozen=True, kw_only=True)
class Release:
    """What a slot is told to run; two releases with one revision are the same release."""

    version: str
    revision: str
    storage_uri: str
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Command:
    """What a person asked for by the annotation `leeway.dev/command`; executed once per id.

    Attributes:
        revision: of the attempt it is meant for; None: whatever there is.
        by: who, as the client names them.
    """

    id: str
    verb: str
    revision: str | None
    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class UnreadableCommand:
    """An annotation that is no command.

    Attributes:
        id: its own if it has one, else made from its text, so that it is refused once.
        reason: what is wrong with it, and what was expected.
    """

    id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """A ModelRollout as its owner wrote it (`spec` is the API server's defaulted document)."""

    name: str
    namespace: str
    uid: str
    generation: int
    release: Release
    spec: Mapping[str, Any]
    command: Command | UnreadableCommand | None = None
    """The annotation `leeway.dev/command`, executed already or not."""

    @property
    def min_replicas(self) -> int:
        """Replicas that the stable slot keeps at least."""
        return int(self.spec["scaling"]["minReplicas"])

    @property
    def rollback_window(self) -> timedelta:
        """How long the previous version stays warm."""
        return parse_duration(self.spec["strategy"]["rollbackWindow"])

    @property
    def timeout(self) -> timedelta:
        """Longest time of one request, at the gateway."""
        return parse_duration(self.spec["endpoint"]["timeout"])

    @property
    def paused(self) -> bool:
        """True while nothing may move."""
        return bool(self.spec["paused"])


# ---------------------------------------------------------------------------------------------- the memory


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Percent of the traffic per slot."""

    a: int = 0
    b: int = 0

    def of(self, slot: Slot) -> int:
        """The slot's share."""
        return self.a if slot == "a" else self.b

    @classmethod
    def all_on(cls, slot: Slot) -> "Weights":
        """Everything on one slot."""
        return cls(a=100) if slot == "a" else cls(b=100)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A release in a slot. `since`: when it got this role; with the revision it names one attempt."""

    slot: Slot
    release: Release
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Followed:
    """The generation of the HTTPRoute that the gateway has taken over, and since when."""

    generation: int
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Record:
    """One finished attempt; `number` counts them, and names its ConfigMap `<model>-rollout-<number>`."""

    number: int
    version: str
    revision: str
    slot: Slot
    outcome: Outcome
    reason: str
    time: datetime


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One thing that was decided in an attempt, with what was known: the record of a rollout is made of these.

    Attributes:
        what: the reason of the Event that told it: `Verified`, `StepAdvanced`, `Held`, `Resumed`, `AwaitingApproval`,
            `Promoting`, `CommandDone`, `CommandRefused`, `EvidenceLost`, `ProbationEnded`, `UndoFailed`, or an outcome.
        weight: the candidate's percent from here on.
        why: one sentence.
        findings: of that look, as in `status.evidence`.
    """

    time: datetime
    what: str
    weight: int
    why: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A release that was rolled back; it is not tried again until `spec.model` changes or `retry`."""

    version: str
    revision: str
    digest: str | None
    reason: str
    time: datetime


@dataclass(frozen=True, kw_only=True)
class LastCommand:
    """The command that was executed last, and what became of it."""

    command: Command
    outcome: Literal["Done", "Refused"]
    message: str
    time: datetime


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """The comparison under way between candidate and stable; after promotion, during probation.

    Attributes:
        began: when the first step did; the deadline counts from here.
        step: index in `strategy.steps`.
        step_since: when the candidate got this step's share.
        step_requests: of the candidate, counted at this step.
        evidence_since: from when on counts belong to this step: the gateway has surely followed by then.
        runs: spans in which the weights stayed the same, as far as the sources were asked; the last is this step's.
            Labels compare predictions within one of them.
        looked: when the sources were last asked.
        experiment: the tests, as `evidence.Experiment.document` writes them; None: not begun.
        counters: last reading of each pod's counters, as `core.counters` writes it.
        cursor: in the detector's ticks, and the epoch it belongs to.
        threshold: seconds, the latency gate's bound, frozen when the rollout began.
        candidate_requests: counted since the rollout began.
        candidate_failures: of them, failed ones.
        held: why nothing moves (reason, sentence); None: nothing holds it.
        findings: of the last look.
    """

    began: datetime
    step: int
    step_since: datetime
    step_requests: float = 0.0
    evidence_since: datetime | None = None
    runs: tuple[Run, ...] = ()
    looked: datetime | None = None
    experiment: Mapping[str, Any] | None = None
    counters: Mapping[str, Any] = field(default_factory=dict)
    epoch: str | None = None
    cursor: str = ""
    threshold: float | None = None
    candidate_requests: float = 0.0
    candidate_failures: float = 0.0
    held: tuple[str, str] | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A Kubernetes condition; `time` is its lastTransitionTime."""

    type: str
    status: bool
    reason: str
    message: str
    generation: int
    time: datetime


@dataclass(frozen=True, kw_only=True)
class Status:
    """Everything the operator remembers. `weights` is the intent: it is written before the route is."""

    phase: Phase = "Pending"
    generation: int = 0
    stable: Arm | None = None
    candidate: Arm | None = None
    previous: Arm | None = None
    """The version before, still warm."""
    leaving: Arm | None = None
    """A candidate whose attempt has ended: its slot is left alone until the gateway has surely sent it its last
    request, then it stops."""
    promoting: Promoting | None = None
    """Why the candidate is to take all the traffic, as a reason of its outcome; None: that is not decided."""
    weights: Weights = Weights()
    route: Followed | None = None
    history: tuple[Record, ...] = ()
    conditions: tuple[Condition, ...] = ()
    analysis: Analysis | None = None
    decisions: tuple[Decision, ...] = ()
    """Of the attempt under way, oldest first, 50 at most: the first and the latest."""
    rejected: tuple[Rejected, ...] = ()
    last_command: LastCommand | None = None
    paused_by: Command | None = None
    """A `pause` that no `resume` has ended."""
    approved: str | None = None
    """The revision that a person has approved."""
    probation_until: datetime | None = None

    def has_stable(self, release: Release) -> bool:
        """True if this release is the one that serves."""
        return self.stable is not None and self.stable.release.revision == release.revision

    def recorded(self, record: Record) -> "Status":
        """With one more finished attempt, newest first, ten at most."""
        return replace(self, history=(record, *self.history)[:10])
