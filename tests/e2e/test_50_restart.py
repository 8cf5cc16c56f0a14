"""A detector that is killed goes on from what it said it had kept."""

import time
from typing import Any

from story import MODEL, NAMESPACE, Story, eventually

from cluster import demo
from cluster.shell import CommandFailedError

_STATUS = f"/v1/status/{NAMESPACE}/{MODEL}/{demo.VERSION}"
_TICK_AND_LATENESS_SECONDS = 15


def _rows(story: Story) -> int | None:
    """Return the rows of the open window and of all closed ones that are told, or None while nobody tells."""
    try:
        status = story.detector(_STATUS)
    except CommandFailedError:  # between two pods
        return None
    if status is None or status["open_window"] is None:  # no event yet, or no profile yet
        return None
    return int(status["open_window"]["rows"] + sum(window["rows"] for window in status["history"]))


def test_a_detector_killed_in_the_middle_of_a_window_has_what_it_said_it_kept(
    story: Story, samples: list[dict[str, Any]]
) -> None:
    with story.installed({"driftDetector": {"persistence": {"enabled": True}}}):
        caller = story.caller()
        answers = [caller.call(f"/v2/models/{MODEL}/infer", sample["v2"]) for sample in samples[:400]]
        caller.close()
        assert [answer.error for answer in answers if answer.status != 200] == []
        settled = time.time() + _TICK_AND_LATENESS_SECONDS

        def kept() -> bool:
            return (story.detector_metric("leeway_drift_snapshot_timestamp_seconds") or 0) > settled

        eventually(kept, seconds=120, what="a snapshot of all these requests")
        before = _rows(story)
        assert before is not None
        # Not all of them: KServe's logger does not send again what it sent over a connection to the pod before.
        assert before > len(answers) / 2

        (pod,) = story.pods("app.kubernetes.io/component=drift-detector")
        story.kube.kubectl("delete", pod, f"--namespace={NAMESPACE}", "--grace-period=0", "--force")
        eventually(lambda: story.pods("app.kubernetes.io/component=drift-detector") != [pod], seconds=30, what="a pod")
        eventually(lambda: _rows(story) is not None, seconds=90, what="the detector again")

        assert _rows(story) == before
