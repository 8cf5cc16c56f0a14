"""ONNX graphs that training did not write."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from leeway_serving.errors import ModelError
from leeway_serving.loading import Served, Told, load
from leeway_serving.signature import Input, Output

Server = Any


def write(directory: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], name: str = "any.onnx") -> Path:
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (directory / name).write_bytes(model.SerializeToString())
    return directory


def tensor(name: str, datatype: int = TensorProto.FLOAT, shape: Any = ("n", 3)) -> Any:
    return helper.make_tensor_value_info(name, datatype, shape)


def loaded(directory: Path, **told: str) -> Served:
    return load(directory, name="flights", told=Told(**told), max_rows=100)


def row_mean(directory: Path, shape: Any = ("n", 3)) -> Path:
    node = helper.make_node("ReduceMean", ["x"], ["prediction"], axes=[1], keepdims=1)
    return write(directory, [node], [tensor("x", shape=shape)], [tensor("prediction", shape=("n", 1))])


def test_a_regression_over_one_tensor(tmp_path: Path, make_server: Callable[..., Server]) -> None:
    served = loaded(row_mean(tmp_path), version="7")
    assert served.signature.inputs == (Input("x", "FP32", (3,)),)
    assert served.signature.outputs == (Output("prediction", "FP32", (-1, 1)),)
    server = make_server().serve(served)
    rows = [[1, 2, 3], [4.5, 5, 5.5]]
    assert server.request("POST", "/v1/models/flights:predict", json={"instances": rows}).json() == {
        "predictions": [2.0, 5.0]
    }
    plain = server.request("POST", "/api/v1/predict", json={"rows": [{"x": rows[1]}]})
    assert plain.json() == {"model": "flights", "version": "7", "predictions": [5.0]}
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 3], "data": rows}]}
    assert server.request("POST", "/v2/models/flights/infer", json=body).json()["outputs"] == [
        {"name": "prediction", "datatype": "FP32", "shape": [2, 1], "data": [2.0, 5.0]}
    ]
    assert "bundle_digest" not in server.request("GET", "/v2/models/flights").json()["parameters"]
    assert server.request("GET", "/bundle/manifest.json").status_code == 404
    document = server.request("GET", "/openapi.json").json()
    schema = document["paths"]["/api/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["rows"]["items"]["properties"]["x"]["maxItems"] == 3


def test_a_multiclass_classifier_of_scikit_learn(tmp_path: Path, make_server: Callable[..., Server]) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(90, 2)).astype(np.float32)
    names = np.array(["late", "on time", "early"], dtype=object)[np.digitize(x[:, 0], [-0.5, 0.5])]
    classifier = LogisticRegression().fit(x, names)
    graph = to_onnx(classifier, x[:1], options={"zipmap": False}, target_opset=17)
    (tmp_path / "weather.onnx").write_bytes(graph.SerializeToString())
    served = loaded(tmp_path)
    assert served.version == loaded(tmp_path).version
    server = make_server().serve(served)
    answer = server.request("POST", "/v1/models/flights:predict", json={"instances": x[:5].tolist()}).json()
    assert [row["label"] for row in answer["predictions"]] == classifier.predict(x[:5]).tolist()
    np.testing.assert_allclose(
        [row["probabilities"] for row in answer["predictions"]], classifier.predict_proba(x[:5]), atol=1e-5
    )
    body = {"inputs": [{"name": "X", "datatype": "FP64", "shape": [1, 2], "data": x[0].tolist()}]}
    outputs = server.request("POST", "/v2/models/flights/infer", json=body).json()["outputs"]
    assert outputs[0] == {"name": "label", "datatype": "BYTES", "shape": [1], "data": [classifier.predict(x[:1])[0]]}


@pytest.mark.parametrize(
    ("onnx_type", "datatype", "values"),
    [
        (TensorProto.BOOL, "BOOL", [True, False]),
        (TensorProto.UINT8, "UINT8", [0, 255]),
        (TensorProto.INT64, "INT64", [-(2**63), 2**63 - 1]),
        (TensorProto.UINT64, "UINT64", [0, 2**64 - 1]),
        (TensorProto.FLOAT16, "FP16", [0.5, -65504.0]),
        (TensorProto.DOUBLE, "FP64", [1e300, 0.1]),
        (TensorProto.STRING, "BYTES", ["", "Zürich ✈"]),
    ],
)
def test_a_value_of_every_datatype_comes_back_as_it_went_in(
    tmp_path: Path, make_server: Callable[..., Server], onnx_type: int, datatype: str, values: list[Any]
) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    write(tmp_path, [node], [tensor("x", onnx_type, ("n",))], [tensor("y", onnx_type, ("n",))])
    server = make_server().serve(loaded(tmp_path))
    sent = {"name": "x", "datatype": datatype, "shape": [2], "data": values}
    response = server.request("POST", "/v2/models/flights/infer", json={"inputs": [sent]})
    assert response.json()["outputs"] == [sent | {"name": "y"}]
    by_row = server.request("POST", "/v1/models/flights:predict", json={"instances": [[value] for value in values]})
    assert by_row.json()["predictions"] == values


def test_what_json_cannot_say_is_null(tmp_path: Path, make_server: Callable[..., Server]) -> None:
    node = helper.make_node("Log", ["x"], ["y"])
    write(tmp_path, [node], [tensor("x", shape=("n",))], [tensor("y", shape=("n",))])
    server = make_server().serve(loaded(tmp_path))
    assert server.request("POST", "/api/v1/predict", json={"rows": [[-1.0], [1.0]]}).json()["predictions"] == [None, 0]


def test_an_output_that_is_not_per_row_needs_v2(tmp_path: Path, make_server: Callable[..., Server]) -> None:
    node = helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0)
    write(tmp_path, [node], [tensor("x")], [tensor("total", shape=())])
    server = make_server().serve(loaded(tmp_path))
    refused = server.request("POST", "/api/v1/predict", json={"rows": [[1, 2, 3]]})
    assert refused.status_code == 400
    assert "output 'total' of this model has shape [], not one per row; use the V2 protocol" in refused.text
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}]}
    answered = server.request("POST", "/v2/models/flights/infer", json=body)
    assert answered.json()["outputs"][0] == {"name": "total", "datatype": "FP32", "shape": [], "data": [6.0]}


def test_a_classifier_with_a_zipmap_is_refused_with_the_cure(tmp_path: Path) -> None:
    x = np.array([[0.0], [1.0]], np.float32)
    graph = to_onnx(LogisticRegression().fit(x, [0, 1]), x[:1], target_opset=17)
    (tmp_path / "m.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(ModelError, match=r"options=\{'zipmap': False\}"):
        loaded(tmp_path)


def test_a_directory_has_to_hold_one_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"exactly one \*.onnx file was expected in the directory; found: none"):
        loaded(tmp_path)
    row_mean(tmp_path)
    with pytest.raises(ModelError, match=r"bundle sha256:00 was to be served; the directory has no manifest\.json"):
        loaded(tmp_path, digest="sha256:00")
    (tmp_path / "other.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match=r"found: any\.onnx, other\.onnx"):
        loaded(tmp_path)


def test_a_file_that_is_no_model_and_an_input_without_rows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "any.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="onnxruntime cannot load the model"):
        loaded(tmp_path)
    write(tmp_path, [helper.make_node("Identity", ["x"], ["y"])], [tensor("x", shape=())], [tensor("y", shape=())])
    with pytest.raises(ModelError, match="input 'x' is a single value"):
        loaded(tmp_path)
