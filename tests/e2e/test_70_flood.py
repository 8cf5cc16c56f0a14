"""Ten times what the detector can take: predictions go on, the detector lives, and what is lost is counted."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from story import MODEL, NAMESPACE, Story, eventually, traffic

_DETECTOR = "app.kubernetes.io/component=drift-detector"
_SERVERS = f"leeway.dev/model={MODEL}"
_SECONDS = 15
_BATCHES_A_SECOND = 100  # of a thousand events each
_UNITS = {"Mi": 2**20, "Gi": 2**30}
_EVENTS = "leeway_drift_events_total"


def _restarts(story: Story, selector: str) -> dict[tuple[str, str], int]:
    """Return how often each container of the pods was restarted, by pod and container."""
    listed = story.kube.kubectl("get", "pods", f"--namespace={NAMESPACE}", f"--selector={selector}", "--output=json")
    return {
        (pod["metadata"]["name"], state["name"]): int(state["restartCount"])
        for pod in json.loads(listed)["items"]
        for state in pod["status"].get("containerStatuses", [])
    }


def _memory_limit(story: Story) -> int:
    """Return the detector's in bytes."""
    (container,) = story.get("deployment", "leeway-drift-detector")["spec"]["template"]["spec"]["containers"]
    limit = str(container["resources"]["limits"]["memory"])
    return int(limit[:-2]) * _UNITS[limit[-2:]]


def test_a_flood_of_events_costs_no_prediction_and_no_restart_and_every_loss_is_counted(
    story: Story, samples: list[dict[str, Any]]
) -> None:
    address = story.get("service", "leeway-drift-detector")["spec"]["clusterIP"]
    version = f"0.0.0-{uuid.uuid4().hex[:8]}"
    detectors, servers = _restarts(story, _DETECTOR), _restarts(story, _SERVERS)
    predicted = story.detector_metric(_EVENTS, model=MODEL, type="request") or 0
    lost = story.detector_metric(_EVENTS, version="", outcome="dropped") or 0
    memory: list[float] = []

    with traffic(story, [sample["v2"] for sample in samples], callers=2) as answers:
        eventually(lambda: len(answers) > 20, seconds=30, what="predictions before the flood")
        before = len(answers)
        program = Path(__file__).with_name("flood.py")
        command = ["nice", "-n", "19", sys.executable, program, address, version, _SECONDS, _BATCHES_A_SECOND]
        with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True) as flood:

            def over() -> bool:
                memory.append(story.detector_metric("process_resident_memory_bytes") or 0)
                return flood.poll() is not None

            eventually(over, seconds=_SECONDS + 90, what="an answer to every batch of the flood")
            sent = json.loads(flood.communicate()[0])
        during = len(answers) - before
    events = sent["batches"]["200"] * sent["events_per_batch"]

    def dropped() -> float:
        return (story.detector_metric(_EVENTS, version="", outcome="dropped") or 0) - lost

    def accounted() -> bool:
        taken = story.detector_metric(_EVENTS, version=version) or 0
        return taken + dropped() == events and story.detector_metric("leeway_drift_queue_depth") == 0

    eventually(accounted, seconds=60, what="each event of the flood taken or counted as dropped")

    assert [f"{answer.status} {answer.error}" for answer in answers if answer.status != 200] == []
    assert during > 20
    assert _restarts(story, _DETECTOR) == detectors
    # How many pods the model has is the autoscaler's affair.
    restarted = {who: count for who, count in _restarts(story, _SERVERS).items() if count != servers.get(who, 0)}
    assert restarted == {}
    assert list(sent["batches"]) == ["200"]
    assert dropped() > 0
    assert accounted()
    assert (story.detector_metric(_EVENTS, model=MODEL, type="request") or 0) - predicted >= len(answers)
    assert max(memory) < _memory_limit(story)
