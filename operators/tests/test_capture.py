"""How requests and predictions reach the drift detector, and how it reaches the pods."""

from leeway_operators.shell import api
from tests.world import NAME, World, spec


def test_another_way_of_capture_is_a_release_and_takes_the_logger_away(world: World) -> None:
    world.release(spec("1") | {"capture": {"mode": "direct", "sample": 0.1}})
    world.settle()
    assert world.shares() == {"a": 0, "b": 100}
    before, now = (world.objects[api.INFERENCE_SERVICES, f"{NAME}-{slot}"]["spec"]["predictor"] for slot in ("a", "b"))
    assert "logger" in before
    assert "logger" not in now
    assert {"name": "LEEWAY_CAPTURE_SAMPLE", "value": "0.1"} in now["model"]["env"]


def test_each_slot_that_runs_has_a_service_past_the_agent_which_is_put_back_when_changed(world: World) -> None:
    assert (api.SERVICES, f"{NAME}-b-bundle") not in world.objects
    world.release(spec("2"))
    world.settle()
    for slot in ("a", "b"):
        service = world.objects[api.SERVICES, f"{NAME}-{slot}-bundle"]
        pods = [item for (kind, _), item in world.objects.items() if kind == api.PODS]
        labels = [pod["metadata"]["labels"] for pod in pods]
        selected = [label for label in labels if service["spec"]["selector"].items() <= label.items()]
        assert [label["leeway.dev/slot"] for label in selected] == [slot]

    service["spec"]["selector"] = {"leeway.dev/model": NAME}
    world.settle(1)
    assert world.objects[api.SERVICES, f"{NAME}-b-bundle"]["spec"]["selector"]["leeway.dev/slot"] == "b"
