"""Labels from outside: through one path of one hostname, and what they say changes what is known of the model."""

import time
from typing import Any

import pytest
from story import MODEL, NAMESPACE, Caller, Story, eventually

from cluster import demo

_HOSTNAME = "feedback.leeway.internal"
_ROWS = 300
_AGE_SECONDS = 61


@pytest.fixture
def feedback(story: Story) -> Any:
    """A caller of the feedback hostname, once the gateway answers for it."""
    with story.installed({"driftDetector": {"feedback": {"route": {"enabled": True}}}}):
        caller = story.caller(_HOSTNAME)
        eventually(lambda: caller.call("/v1/feedback", []).status not in (0, 404, 503), seconds=60, what="the route")
        yield caller
        caller.close()


def _predict(story: Story, samples: list[dict[str, Any]]) -> dict[str, int]:
    """Return the predicted label by request id."""
    caller = story.caller()
    answers = [caller.call(f"/v2/models/{MODEL}/infer", sample["v2"]) for sample in samples]
    caller.close()
    outputs = [{tensor["name"]: tensor["data"] for tensor in answer.body["outputs"]} for answer in answers]
    return {answer.request_id: output["label"][0] for answer, output in zip(answers, outputs, strict=True)}


def _send(story: Story, feedback: Caller, labels: dict[str, int], outcome: str) -> None:
    """Send labels, and wait until each of them has come to this."""

    def count() -> float:
        return story.detector_metric("leeway_drift_labels_total", model=MODEL, outcome=outcome) or 0

    before = count()
    items = [{"id": key, "namespace": NAMESPACE, "model": MODEL, "label": label} for key, label in labels.items()]
    answer = feedback.call("/v1/feedback", items)
    assert answer.status == 200, answer.error
    eventually(lambda: count() - before == len(labels), seconds=30, what=f"every label {outcome}")


def _log_loss(story: Story) -> float | None:
    return story.detector_metric("leeway_drift_performance", model=MODEL, version=demo.VERSION, metric="log_loss")


def test_labels_from_outside_change_the_performance_and_nothing_else_of_the_detector_is_reachable(
    story: Story, feedback: Caller, samples: list[dict[str, Any]]
) -> None:
    right = _predict(story, samples[:_ROWS])
    predicted = time.monotonic()
    _send(story, feedback, right, "accepted")
    # Predictions are compared at one age, in whole minutes; then the next label makes the detector look again.
    eventually(lambda: time.monotonic() - predicted > _AGE_SECONDS, seconds=_AGE_SECONDS + 5, what="the age")
    _send(story, feedback, _predict(story, samples[_ROWS : _ROWS + 1]), "accepted")
    eventually(lambda: _log_loss(story) is not None, seconds=60, what="a log loss")
    before = _log_loss(story)
    assert before is not None

    _send(story, feedback, {key: 1 - label for key, label in right.items()}, "corrected")
    eventually(lambda: (_log_loss(story) or 0) > before, seconds=60, what="a higher log loss")

    for path in ("/", "/v1/simulate", "/v1/feedback/", f"/v1/status/{NAMESPACE}/{MODEL}"):
        refused = feedback.call(path, {})
        assert (refused.status, refused.body) == (404, {}), path  # the gateway's own 404, not the detector's
