"""Real flights over HTTPS: the answers are the bundle's own, and the detector saw every one of them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from story import MODEL, Story, eventually, feeds

from cluster import demo

_TOLERANCE = 1e-6


def test_a_thousand_flights_agree_with_onnxruntime_and_the_detector_saw_each_once(
    story: Story, samples: list[dict[str, Any]], bundle: Path
) -> None:
    session = onnxruntime.InferenceSession(str(bundle / "model.onnx"), providers=["CPUExecutionProvider"])
    before = {kind: story.seen(demo.VERSION, kind) for kind in ("request", "response")}
    caller = story.caller()
    answers = [caller.call(f"/v2/models/{MODEL}/infer", sample["v2"]) for sample in samples]
    caller.close()

    assert [answer.error for answer in answers if answer.status != 200] == []
    assert {answer.version for answer in answers} == {story.stable_version()}
    for sample, answer in zip(samples, answers, strict=True):
        outputs = {tensor["name"]: tensor for tensor in answer.body["outputs"]}
        label, probabilities = session.run(["label", "probabilities"], feeds(sample["v2"]))
        assert outputs["label"]["data"] == label.tolist()
        assert np.abs(np.array(outputs["probabilities"]["data"]) - probabilities.ravel()).max() <= _TOLERANCE

    sent = {answer.request_id for answer in answers}
    assert len(sent) == len(samples)
    for kind in ("request", "response"):

        def complete(kind: str = kind) -> bool:
            return sent <= story.seen(demo.VERSION, kind)

        eventually(complete, seconds=60, what=f"every {kind} seen by the detector")
        assert story.seen(demo.VERSION, kind) - before[kind] == sent


def test_a_client_cannot_hide_requests_behind_an_event_id_of_its_own(
    story: Story, samples: list[dict[str, Any]]
) -> None:
    caller = story.caller()
    repeated = {"ce-id": "always-the-same"}
    answers = [caller.call(f"/v2/models/{MODEL}/infer", samples[0]["v2"], **repeated) for _ in range(3)]
    caller.close()

    sent = {answer.request_id for answer in answers}
    assert len(sent) == len(answers)
    eventually(lambda: sent <= story.seen(demo.VERSION, "request"), seconds=60, what="each of them seen")


def test_a_bad_request_is_refused_with_what_and_where_and_the_next_good_one_is_answered(
    story: Story, samples: list[dict[str, Any]]
) -> None:
    caller = story.caller()
    rows = [dict(samples[0]["instance"])]
    name = next(key for key, value in rows[0].items() if isinstance(value, float | int))
    rows[0][name] = "soon"

    refused = caller.call(f"/v1/models/{MODEL}:predict", {"instances": rows})
    answered = caller.call(f"/v1/models/{MODEL}:predict", {"instances": [samples[0]["instance"]]})
    caller.close()

    assert refused.status == 400
    assert name in refused.body["error"]
    assert answered.status == 200


def test_paths_that_are_not_inference_are_not_routed(story: Story) -> None:
    caller = story.caller()

    for path in ("/bundle/manifest.json", "/v2/repository/index", "/metrics", "/"):
        assert caller.call(path, {}).status == 404
    caller.close()


def test_the_autoscaler_of_the_serving_slot_has_its_metric_and_the_operators_floor(story: Story) -> None:
    slot = story.rollout()["status"]["stable"]["slot"]

    def active() -> bool:
        conditions = story.get("hpa", f"{MODEL}-{slot}-scale").get("status", {}).get("conditions", [])
        return any(entry["type"] == "ScalingActive" and entry["status"] == "True" for entry in conditions)

    eventually(active, seconds=90, what="the autoscaler's metric")
    assert story.get("hpa", f"{MODEL}-{slot}-scale")["spec"]["minReplicas"] >= 1


def test_the_chart_proves_itself(story: Story) -> None:
    assert "Succeeded" in story.helm("test", "leeway")
