"""The server reports its own requests: the way to that is a release like any other, and nothing is lost or doubled."""

from typing import Any

import pytest
from story import MODEL, NAMESPACE, Story, eventually, traffic

from cluster import demo
from cluster.shell import CommandFailedError

_AGENT = "agent"


def _stable_slot(story: Story) -> str:
    return str(story.rollout()["status"]["stable"]["slot"])


def _agents(story: Story, slot: str) -> set[bool]:
    """Whether the pods of a slot have KServe's agent: one answer, unless they differ.

    How many they are is the autoscaler's affair; those of the release before take a minute to end.
    """
    pods = [
        story.get("pod", name.removeprefix("pod/"))
        for name in story.pods(f"leeway.dev/model={MODEL},leeway.dev/slot={slot}")
    ]
    return {
        _AGENT in {container["name"] for container in pod["spec"]["containers"]}
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
    }


# Labels are looked at a minute after their predictions (test_50_feedback.py): it passes meanwhile.
@pytest.mark.usefixtures("predicted")
def test_direct_capture_is_released_without_a_failed_request_and_each_request_is_seen_once(
    story: Story, samples: list[dict[str, Any]]
) -> None:
    before = _stable_slot(story)
    assert _agents(story, before) == {True}
    with traffic(story, [sample["v2"] for sample in samples], callers=2) as answers:
        eventually(lambda: len(answers) > 50, seconds=30, what="traffic before the release")
        story.upgrade_values({**story.values, "modelDefaults": {"capture": {"mode": "direct"}}})
        eventually(lambda: _stable_slot(story) != before, seconds=180, what="the release of direct capture")
    assert [f"{answer.status} {answer.error}" for answer in answers if answer.status != 200] == []
    assert _agents(story, _stable_slot(story)) == {False}

    doubled = story.detector_metric("leeway_drift_events_total", model=MODEL, outcome="duplicate")
    caller = story.caller()
    sent = {caller.call(f"/v2/models/{MODEL}/infer", sample["v2"]).request_id for sample in samples[:500]}
    caller.close()
    assert len(sent) == 500
    for kind in ("request", "response"):

        def complete(kind: str = kind) -> bool:
            return sent <= story.seen(demo.VERSION, kind)

        eventually(complete, seconds=60, what=f"every {kind} seen by the detector")
    assert story.detector_metric("leeway_drift_events_total", model=MODEL, outcome="duplicate") == doubled

    story.upgrade()
    eventually(lambda: _stable_slot(story) == before, seconds=60, what="KServe's logger again")


def test_a_sample_of_kserves_logger_is_refused_by_the_api_server_too(story: Story) -> None:
    patch = '{"spec": {"capture": {"mode": "kserve", "sample": 0.5}}}'
    with pytest.raises(CommandFailedError, match="cannot sample"):
        story.kube.kubectl(
            "patch", "modelrollout", MODEL, f"--namespace={NAMESPACE}", "--type=merge", f"--patch={patch}"
        )
