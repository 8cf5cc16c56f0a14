"""Which prediction a label belongs to, and what it changes there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from leeway_drift.labels.feedback import Label
from leeway_drift.labels.target import Target

MAX_CANDIDATES = 10
"""Predictions that an answer names when a key fits several."""


class Outcome(StrEnum):
    """What became of a label."""

    ACCEPTED = "accepted"
    """It is kept; unless a later observation is known already, it stands."""
    CORRECTED = "corrected"
    """It stands in the place of another, which is kept as well."""
    PENDING = "pending"
    """No such prediction yet; it waits for it."""
    UNKNOWN = "unknown"
    """No such prediction, and it does not wait or has waited long enough."""
    AMBIGUOUS = "ambiguous"
    """Several predictions fit."""
    INVALID = "invalid"
    """It cannot be true, or is no label at all."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The label of a prediction that counts.

    Attributes:
        value: what turned out to be true.
        observed_at: when it became known.
        received_at: when it came.
    """

    value: float
    observed_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Predicted:
    """One predicted row as the store knows it.

    Attributes:
        key: the store's own.
        namespace: of the InferenceService.
        model: its name without the slot.
        version: the model's version.
        slot: ``a``, ``b`` or empty.
        event_id: the logger's id of the inference.
        request_id: ``x-request-id``, None if unknown.
        time: when the logger saw it.
        target: what its version predicts; None if nobody said.
        scores: of the row, as ``Target.scores`` reads them.
        label: the one that counts; None if there is none.
    """

    key: int
    namespace: str
    model: str
    version: str
    slot: str
    event_id: str
    request_id: str | None
    time: datetime
    target: Target | None
    scores: tuple[float, ...] | None
    label: Standing | None

    @property
    def request(self) -> tuple[str, str]:
        """The request it answers: a mirrored one has a prediction in each slot."""
        return self.namespace, self.request_id or f"{self.slot}/{self.event_id}"

    @property
    def place(self) -> tuple[str, str, str]:
        """Where a request can have been answered once."""
        return self.namespace, self.slot, self.version


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a label.

    Attributes:
        outcome: what.
        detail: why, for a person; empty if there is nothing to add.
        predictions: that it belongs to; for an ambiguous one those that fit, at most ``MAX_CANDIDATES``.
    """

    outcome: Outcome
    detail: str = ""
    predictions: tuple[Predicted, ...] = ()


def decide(label: Label, fitting: Sequence[Predicted], observed_at: datetime) -> Decision:
    """Decide over a label whose key and row fit some predictions.

    A request that was mirrored to the other slot has one ``x-request-id`` and was answered twice; what turned out to
    be true is true of both. Anything else that fits twice is ambiguous: an id that a client chose twice, an entity
    with several predictions.

    Args:
        label: as sent.
        fitting: all predictions with its key, model and row (and namespace if it names one).
        observed_at: of the label, or now.
    """
    if not fitting:
        return Decision(Outcome.UNKNOWN, f"no prediction of model {label.model!r} has this key")
    requests = {predicted.request for predicted in fitting}
    places = {predicted.place for predicted in fitting}
    if len(requests) > 1 or len(places) < len(fitting):
        named = tuple(sorted(fitting, key=lambda predicted: predicted.time, reverse=True)[:MAX_CANDIDATES])
        detail = f"{len(fitting)} predictions fit; send the id that one of the candidates has alone"
        return Decision(Outcome.AMBIGUOUS, detail, named)
    for predicted in fitting:
        if predicted.target is not None and not predicted.target.allows(label.value):
            expected = predicted.target.expected_label
            detail = f"label: {label.value:g}, expected {expected} (version {predicted.version})"
            return Decision(Outcome.INVALID, detail)
    standing = [predicted.label for predicted in fitting if predicted.label is not None]
    if any(other.value != label.value and other.observed_at <= observed_at for other in standing):
        return Decision(Outcome.CORRECTED, predictions=tuple(fitting))
    if any(other.value != label.value for other in standing):
        return Decision(Outcome.ACCEPTED, "kept, but a later observation stands", tuple(fitting))
    return Decision(Outcome.ACCEPTED, predictions=tuple(fitting))
