"""What crosses from the stream of events to the prediction store."""

from dataclasses import dataclass
from datetime import datetime

from leeway_drift.columns import Rows


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answered request: what was asked, joined with what was said.

    Attributes:
        namespace: of the InferenceService.
        model: its name without the slot.
        version: the model's version.
        slot: ``a`` or ``b`` under a ModelRollout, else empty.
        event_id: the logger's id of the inference.
        time: when the logger saw it.
        request_id: ``x-request-id``, None if unknown.
        response_id: the ``id`` of a V2 response, None if there is none.
        features: rows of the request; None if its event was lost.
        outputs: rows of the response.
    """

    namespace: str
    model: str
    version: str
    slot: str
    event_id: str
    time: datetime
    request_id: str | None
    response_id: str | None
    features: Rows | None
    outputs: Rows
