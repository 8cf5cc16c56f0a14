"""Labels from outside: through one path of one hostname, and what they say changes what is known of the model."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from predictions import Predictions
from story import MODEL, NAMESPACE, Caller, Story, eventually

from cluster import demo

_HOSTNAME = "feedback.leeway.internal"
# Predictions are compared at one age, in whole minutes.
_AGE_SECONDS = 61


@pytest.fixture
def feedback(story: Story) -> Any:
    """A caller of the feedback hostname, once the gateway answers for it."""
    with story.installed({"driftDetector": {"feedback": {"route": {"enabled": True}}}}):
        caller = story.caller(_HOSTNAME)
        eventually(lambda: caller.call("/v1/feedback", []).status not in (0, 404, 503), seconds=60, what="the route")
        yield caller
        caller.close()


def _send(story: Story, feedback: Caller, labels: dict[str, int], known: datetime, outcome: str) -> None:
    """Send labels that were known at a time, and wait until each of them has come to this."""

    def count() -> float:
        return story.detector_metric("leeway_drift_labels_total", model=MODEL, outcome=outcome) or 0

    before = count()
    about = {"namespace": NAMESPACE, "model": MODEL, "observed_at": known.isoformat()}
    items = [{"id": key, "label": label, **about} for key, label in labels.items()]
    answer = feedback.call("/v1/feedback", items)
    assert answer.status == 200, answer.error
    eventually(lambda: count() - before == len(labels), seconds=30, what=f"every label {outcome}")


def _log_loss(story: Story) -> float | None:
    return story.detector_metric("leeway_drift_performance", model=MODEL, version=demo.VERSION, metric="log_loss")


def test_labels_from_outside_change_the_performance_and_nothing_else_of_the_detector_is_reachable(
    story: Story, predicted: Predictions, feedback: Caller
) -> None:
    right, known = predicted.labels, predicted.known
    eventually(lambda: time.monotonic() - predicted.made > _AGE_SECONDS, seconds=_AGE_SECONDS + 5, what="the age")
    _send(story, feedback, right, known, "accepted")
    eventually(lambda: _log_loss(story) is not None, seconds=60, what="a log loss")
    before = _log_loss(story)
    assert before is not None

    wrong = {key: 1 - label for key, label in right.items()}
    _send(story, feedback, wrong, known + timedelta(seconds=1), "corrected")
    eventually(lambda: (_log_loss(story) or 0) > before, seconds=60, what="a higher log loss")

    for path in ("/", "/v1/simulate", "/v1/feedback/", f"/v1/status/{NAMESPACE}/{MODEL}"):
        refused = feedback.call(path, {})
        assert (refused.status, refused.body) == (404, {}), path  # the gateway's own 404, not the detector's
