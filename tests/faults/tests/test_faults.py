"""What each fault does to a real model behind the real server, and what the server says of it."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from leeway_faulty.fault import Fault, fault_of
from leeway_faulty.main import faulty
from onnx import TensorProto, helper
from prometheus_client import CollectorRegistry

from leeway_serving.app import Application
from leeway_serving.http import Admission, Limits
from leeway_serving.loading import Served, Told, load
from leeway_serving.metrics import Metrics

REQUESTS = 400


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A model of two inputs: P(class 1) is the sigmoid of delay minus wind."""
    nodes = [
        helper.make_node("Sub", ["delay", "wind"], ["score"]),
        helper.make_node("Sigmoid", ["score"], ["one"]),
        helper.make_node("Constant", [], ["unit"], value_float=1.0),
        helper.make_node("Sub", ["unit", "one"], ["zero"]),
        helper.make_node("Concat", ["zero", "one"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in ("delay", "wind")]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2]),
    ]
    graph = helper.make_graph(nodes, "flights", inputs, outputs)
    folder = tmp_path_factory.mktemp("model")
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), folder / "model.onnx")
    return load(Path(folder), name="flights", told=Told(version="2.0.0"), max_rows=100)


class Answers:
    """What a server with a fault answered, and what it counted."""

    def __init__(self, served: Served, fault: Fault, rows: list[tuple[float, float]]) -> None:
        self.slept: list[float] = []
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry, model="flights", version="2.0.0", in_flight=lambda: 0)
        app = Application(model="flights", version="2.0.0", admission=Admission(Limits()), metrics=metrics)
        random = Random(1)  # noqa: S311 - the same draws every time
        app.serve(faulty(served, fault, random=random, sleep=self.slept.append))

        async def ask() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type] # the server's own, narrower scope
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                bodies = [{"rows": [{"delay": delay, "wind": wind}]} for delay, wind in rows]
                return [await client.post("/api/v1/predict", json=body) for body in bodies]

        self.responses = asyncio.run(ask())

    def predictions(self) -> list[dict[str, Any]]:
        return [answer.json()["predictions"][0] for answer in self.responses if answer.status_code == 200]

    def counted(self, code: int) -> float:
        labels = {"model": "flights", "version": "2.0.0", "protocol": "plain", "code": str(code)}
        return self.registry.get_sample_value("leeway_inference_requests_total", labels) or 0.0


def _rows(seed: int = 3) -> list[tuple[float, float]]:
    random = np.random.default_rng(seed)
    return [(float(delay), float(delay)) for delay in random.normal(0, 5, REQUESTS)]


def test_a_share_of_errors_is_answered_500_and_counted_by_the_server_itself(served: Served) -> None:
    answers = Answers(served, fault_of("errors=0.1"), _rows())

    failed = sum(answer.status_code == 500 for answer in answers.responses)
    assert 20 <= failed <= 65  # 40 are expected; the draws are fixed
    assert (answers.counted(500), answers.counted(200)) == (failed, REQUESTS - failed)
    assert answers.slept == []


def test_a_share_of_requests_is_held_up_for_the_delay(served: Served) -> None:
    answers = Answers(served, fault_of("slow=0.2,delay=0.05"), _rows())

    assert set(answers.slept) == {0.05}
    assert 50 <= len(answers.slept) <= 110
    assert answers.counted(200) == REQUESTS


def test_flipped_labels_answer_the_other_class_with_the_other_probability(served: Served) -> None:
    rows = [(3.0, 0.0), (0.0, 3.0)]

    right = Answers(served, Fault(), rows).predictions()
    flipped = Answers(served, fault_of("labels=flipped"), rows).predictions()

    assert [answer["label"] for answer in right] == [1, 0]
    assert [answer["label"] for answer in flipped] == [0, 1]
    assert [answer["probabilities"] for answer in flipped] == [answer["probabilities"][::-1] for answer in right]


def test_shuffled_features_mix_rows_but_keep_each_feature_s_own_values(served: Served) -> None:
    # In each row both features are equal, so that the score is 0 unless values of different rows have met.
    right = Answers(served, Fault(), _rows()).predictions()
    shuffled = Answers(served, fault_of("features=shuffled"), _rows()).predictions()

    assert {round(answer["probabilities"][1], 6) for answer in right} == {0.5}
    assert sum(round(answer["probabilities"][1], 6) != 0.5 for answer in shuffled) > 0.9 * REQUESTS


def test_a_faulty_version_still_says_its_own_version(served: Served) -> None:
    answers = Answers(served, fault_of("errors=1,labels=flipped"), _rows()[:3])

    assert {answer.headers["x-leeway-version"] for answer in answers.responses} == {"2.0.0"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one or more of errors=SHARE"),
        ("errors=5", "FAULT errors=5: a number above 0 and at most 1"),
        ("errors=nan", "FAULT errors=nan: a number above 0 and at most 1"),
        ("slow=0.1", "slow and delay are expected together"),
        ("labels=shuffled", "expected one or more of"),
        ("errors=0.1,typo=1", "expected one or more of"),
    ],
)
def test_a_fault_that_is_none_is_refused_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fault_of(text)
