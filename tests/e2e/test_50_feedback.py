"""Labels from outside: through one path of one hostname, and what they say changes what is known of the model."""

from typing import Any

import pytest
from story import MODEL, NAMESPACE, Caller, Story, eventually

from cluster import demo

_HOSTNAME = "feedback.leeway.internal"
_ROWS = 300


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


def _label(story: Story, feedback: Caller, labels: dict[str, int]) -> float:
    """Send the labels and return the log loss that the detector then knows."""

    def accepted() -> float:
        return story.detector_metric("leeway_drift_labels_total", model=MODEL, outcome="accepted") or 0

    def log_loss() -> float | None:
        return story.detector_metric("leeway_drift_performance", model=MODEL, version=demo.VERSION, metric="log_loss")

    before, loss_before = accepted(), log_loss()
    items = [{"id": key, "namespace": NAMESPACE, "model": MODEL, "label": label} for key, label in labels.items()]
    answer = feedback.call("/v1/feedback", items)
    assert answer.status == 200, answer.error
    eventually(lambda: accepted() - before == len(labels), seconds=60, what="every label joined to its prediction")
    eventually(lambda: log_loss() not in (None, loss_before), seconds=120, what="another log loss")
    return log_loss() or 0.0


def test_labels_from_outside_change_the_performance_and_nothing_else_of_the_detector_is_reachable(
    story: Story, feedback: Caller, samples: list[dict[str, Any]]
) -> None:
    right = _label(story, feedback, _predict(story, samples[:_ROWS]))
    wrong = {key: 1 - label for key, label in _predict(story, samples[:_ROWS]).items()}
    assert _label(story, feedback, wrong) > right

    for path in ("/", "/v1/simulate", "/v1/feedback/", f"/v1/status/{NAMESPACE}/{MODEL}"):
        refused = feedback.call(path, {})
        assert (refused.status, refused.body) == (404, {}), path  # the gateway's own 404, not the detector's
