"""A running server of ours, and the SDK's own server around the same arithmetic."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from kserve import InferInput, InferOutput, InferRequest, InferResponse, Model, ModelRepository
from kserve.model_server import app as sdk_app
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.server import RESTServer
from onnx import TensorProto, helper, save_model

NAME = "pairs"


def _save(directory: Path) -> None:
    """A graph that doubles `x` and hands `word` on."""
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["double"]), helper.make_node("Identity", ["word"], ["same"])],
        NAME,
        [tensor("x", TensorProto.FLOAT, ("n", 2)), tensor("word", TensorProto.STRING, ("n", 1))],
        [tensor("double", TensorProto.FLOAT, ("n", 2)), tensor("same", TensorProto.STRING, ("n", 1))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save_model(model, directory / "model.onnx")


class Pairs(Model):  # type: ignore[misc] # the SDK is not typed
    """The same as `_save`, as users of the SDK write it."""

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:  # noqa: ARG002 - the SDK's
        """Answers V1 and V2 requests."""
        if isinstance(payload, dict):
            return {
                "predictions": [
                    {"double": [2 * value for value in row["x"]], "same": row["word"]} for row in payload["instances"]
                ]
            }
        request: InferRequest = payload
        x, word = (tensor.as_numpy() for tensor in request.inputs)
        double = InferOutput("double", list(x.shape), "FP32")
        double.set_data_from_numpy(x + x, binary_data=False)
        same = InferOutput("same", list(word.shape), "BYTES")
        same.set_data_from_numpy(word, binary_data=False)
        return InferResponse(request.id, NAME, [double, same])

    def get_input_types(self) -> list[dict[str, Any]]:
        """Of the metadata."""
        return [
            {"name": "x", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "word", "datatype": "BYTES", "shape": [-1, 1]},
        ]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Of the metadata."""
        return [
            {"name": "double", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "same", "datatype": "BYTES", "shape": [-1, 1]},
        ]


@pytest.fixture(scope="session")
def oracle() -> httpx.ASGITransport:
    """The SDK's server, called in process."""
    model = Pairs(NAME)
    model.ready = True
    repository = ModelRepository()
    repository.update(model)
    plane = DataPlane(model_registry=repository)
    RESTServer("", plane, ModelRepositoryExtension(repository), http_port=0).create_application()
    return httpx.ASGITransport(sdk_app)


def _serve(directory: Path, said: str) -> Iterator[str]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        port, metrics_port = one.getsockname()[1], two.getsockname()[1]
    command = [str(Path(sys.executable).with_name("leeway-serve")), f"--model-name={NAME}", f"--model-dir={directory}"]
    command += ["--host=127.0.0.1", f"--http-port={port}", f"--metrics-port={metrics_port}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(json.loads(line)["message"] == said for line in process.stderr)
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        process.stderr.read()
    assert process.returncode == 0


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a `leeway-serve` that is ready."""
    directory = tmp_path_factory.mktemp("model")
    _save(directory)
    yield from _serve(directory, "ready")


@pytest.fixture
def server_without_model(tmp_path: Path) -> Iterator[str]:
    """Address of a `leeway-serve` whose model will never be there."""
    yield from _serve(tmp_path, "the model will not be served")


@pytest.fixture
def request_v2() -> InferRequest:
    """Two rows as the SDK sends them in JSON."""
    x = InferInput("x", [2, 2], "FP32", [1.5, -2.0, 0.1, 1e30])
    word = InferInput("word", [2, 1], "BYTES", ["late", "Zürich ✈"])
    return InferRequest(NAME, [x, word], request_id="r-1")
