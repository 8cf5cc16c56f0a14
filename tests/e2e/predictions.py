"""Predictions that get old while other stories are told: what labels say of a model is compared at one age."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from story import MODEL, Story


@dataclass(frozen=True)
class Predictions:
    """What the model predicted.

    Attributes:
        labels: the predicted one, by request id.
        known: when all of them were made.
        made: the same, on the clock of `time.monotonic`.
    """

    labels: dict[str, int]
    known: datetime
    made: float


def predict(story: Story, samples: list[dict[str, Any]]) -> Predictions:
    """Ask the model about each sample."""
    caller = story.caller()
    answers = [caller.call(f"/v2/models/{MODEL}/infer", sample["v2"]) for sample in samples]
    caller.close()
    outputs = [{tensor["name"]: tensor["data"] for tensor in answer.body["outputs"]} for answer in answers]
    labels = {answer.request_id: output["label"][0] for answer, output in zip(answers, outputs, strict=True)}
    return Predictions(labels, datetime.now(UTC), time.monotonic())
