"""Answers about labels."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from leeway_drift.labels.joins import Decision, Outcome, Predicted
from leeway_drift.labels.threshold import Proposal
from leeway_drift.service.scores import Performance
from leeway_drift.statistics.performance import Task


class Candidate(BaseModel):
    """A prediction that a label may belong to."""

    namespace: str
    model: str
    version: str
    slot: str
    event_id: str = Field(description="Unique, and good as the id of a label.")
    request_id: str | None
    time: datetime

    @classmethod
    def of(cls, predicted: Predicted) -> Self:
        """Describe a prediction without its values."""
        return cls(
            namespace=predicted.namespace,
            model=predicted.model,
            version=predicted.version,
            slot=predicted.slot,
            event_id=predicted.event_id,
            request_id=predicted.request_id,
            time=predicted.time,
        )


class LabelResult(BaseModel):
    """What became of one label."""

    result: Outcome
    detail: str = Field(description="Why; empty if there is nothing to add.")
    versions: list[str] = Field(description="Versions whose predictions it belongs to.")
    candidates: list[Candidate] = Field(description="Of an ambiguous one, the newest predictions that fit.")

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """Describe a decision."""
        ambiguous = decision.outcome is Outcome.AMBIGUOUS
        return cls(
            result=decision.outcome,
            detail=decision.detail,
            versions=[] if ambiguous else sorted({predicted.version for predicted in decision.predictions}),
            candidates=[Candidate.of(predicted) for predicted in decision.predictions] if ambiguous else [],
        )


class LabelResults(BaseModel):
    """What became of a list of labels."""

    counts: dict[Outcome, int] = Field(description="Every outcome, also those that did not occur.")
    results: list[LabelResult] = Field(description="In the order of the items.")


class LabelRefusal(LabelResult):
    """One label that was not taken."""

    error: str = Field(description="What is wrong, where, and what was expected.")


class VersionPerformance(BaseModel):
    """How well one version predicted over its cohort."""

    version: str
    task: Task | None
    predictions: int = Field(description="Stored predictions of the cohort's time that are old enough.")
    labels: int = Field(description="Those of them whose first label was observed within the age.")
    label_coverage: float | None = Field(description="Labels per prediction.")
    label_delay_seconds: dict[str, float] | None = Field(description="From prediction to first label: p50 and p90.")
    since: datetime | None = Field(description="Time of the cohort's first prediction.")
    metrics: dict[str, float]
    reason: str | None = Field(description="Why there are no metrics; null if there are.")

    @classmethod
    def of(cls, measured: Performance) -> Self:
        """Describe a measurement."""
        delays = measured.delays
        return cls(
            version=measured.version.version,
            task=measured.target.task if measured.target is not None else None,
            predictions=measured.predictions,
            labels=measured.labels,
            label_coverage=measured.coverage,
            label_delay_seconds={"p50": delays[0], "p90": delays[1]} if delays is not None else None,
            since=measured.start,
            metrics=measured.metrics,
            reason=measured.reason,
        )


class PerformanceAnswer(BaseModel):
    """The versions of a model, compared over cohorts of equal age."""

    namespace: str
    model: str
    age_seconds: float = Field(
        description="Only predictions at least this old count, and only labels first observed within it."
    )
    versions: list[VersionPerformance]


class ThresholdAnswer(BaseModel):
    """A decision threshold proposed from labels: for people to take or leave."""

    namespace: str
    model: str
    version: str
    verdict: str = Field(description="proposed or insufficient.")
    reason: str | None = Field(description="Why there is no proposal; null if there is one.")
    objective: str = Field(description="f1 (the larger the better) or cost (per prediction, the smaller the better).")
    labels: int
    positives: int
    current: float = Field(description="The threshold in use.")
    current_value: float | None = Field(description="The objective at the threshold in use.")
    threshold: float | None = Field(description="The label is best taken to be 1 where the probability is above it.")
    value: float | None = Field(description="The objective there.")
    interval: tuple[float, float] | None = Field(description="95 % bootstrap interval of the threshold.")
    gain_interval: tuple[float, float] | None = Field(
        description="95 % bootstrap interval of the gain over the threshold in use; if it reaches below 0, leave it."
    )

    @classmethod
    def of(cls, place: tuple[str, str, str], current: float, objective: str, proposal: Proposal) -> Self:
        """Describe a proposal for a (namespace, model, version)."""
        namespace, model, version = place
        return cls(
            namespace=namespace,
            model=model,
            version=version,
            verdict="insufficient" if proposal.reason is not None else "proposed",
            reason=proposal.reason,
            objective=objective,
            labels=proposal.labels,
            positives=proposal.positives,
            current=current,
            current_value=proposal.current_value,
            threshold=proposal.threshold,
            value=proposal.value,
            interval=proposal.interval,
            gain_interval=proposal.gain_interval,
        )
