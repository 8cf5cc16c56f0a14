"""What `make demo-rollout` changes in the chart's values."""

from pathlib import Path

from cluster.demo import ModelImage
from rollouts.demo import bad_values, good_values
from rollouts.variants import Variants

STABLE = ModelImage("oci://model:1.0.0", "1.0.0", "sha256:0", Path("one.tar"))
GOOD = ModelImage("oci://model:1.0.1", "1.0.1", "sha256:1", Path("two.tar"))
BAD = ModelImage("oci://model:1.0.2", "1.0.2", "sha256:2", Path("three.tar"))
VARIANTS = Variants(STABLE, GOOD, BAD, "docker.io/leeway/onnx-server-faulty:0.1.0-abc")
VALUES = {
    "images": {"onnxServer": {"tag": "0.1.0-xyz"}, "operators": {"tag": "0.1.0-op"}},
    "models": {"flights": {"model": STABLE.values(), "hostnames": ["flights.leeway.internal"]}},
}


def test_the_good_release_is_one_changed_model_and_a_strategy() -> None:
    values = good_values(VALUES, VARIANTS)
    flights = values["models"]["flights"]

    assert values["images"] == VALUES["images"]
    assert flights["model"] == GOOD.values()
    assert flights["hostnames"] == ["flights.leeway.internal"]
    assert [step["weight"] for step in flights["strategy"]["steps"]] == [5, 25, 50]


def test_the_bad_release_is_another_server_with_a_fault_and_the_same_operator() -> None:
    values = bad_values(VALUES, VARIANTS, "errors=0.05")

    assert values["images"]["onnxServer"] == {"repository": "leeway/onnx-server-faulty", "tag": "0.1.0-abc"}
    assert values["images"]["operators"] == VALUES["images"]["operators"]
    assert values["models"]["flights"]["model"] == {**BAD.values(), "env": {"FAULT": "errors=0.05"}}
    assert "env" not in VALUES["models"]["flights"]["model"]
