"""The SDK's REST client gets what it expects."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import numpy as np
import pytest
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

ROWS = [{"x": [1.5, -2.0], "word": "late"}, {"x": [3, 4], "word": ""}]


def call(protocol: str, what: Callable[[InferenceRESTClient], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with InferenceRESTClient(RESTConfig(protocol=protocol)) as client:
            return await what(client)

    return asyncio.run(run())


def test_v2_tensors_come_back_as_numpy(server: str, request_v2: InferRequest) -> None:
    answer = call("v2", lambda client: client.infer(server, request_v2, model_name="pairs"))
    assert (answer.model_name, answer.id) == ("pairs", "r-1")
    double, same = answer.outputs
    np.testing.assert_array_equal(double.as_numpy(), np.array([[3, -4], [0.2, 2e30]], np.float32))
    assert same.as_numpy().ravel().tolist() == ["late", "Zürich ✈"]


def test_v2_tensors_go_in_binary_as_the_client_does_unless_told_otherwise(server: str) -> None:
    x, word = InferInput("x", [2, 2], "FP32"), InferInput("word", [2, 1], "BYTES")
    x.set_data_from_numpy(np.array([[1.5, -2], [0.1, 1e30]], np.float32))
    word.set_data_from_numpy(np.array([["late"], ["Zürich ✈"]], object))
    answer = call("v2", lambda client: client.infer(server, InferRequest("pairs", [x, word]), model_name="pairs"))
    double, same = answer.outputs
    np.testing.assert_array_equal(double.as_numpy(), np.array([[3, -4], [0.2, 2e30]], np.float32))
    assert same.as_numpy().ravel().tolist() == ["late", "Zürich ✈"]


@pytest.mark.parametrize(
    ("outputs", "parameters"),
    [
        (None, {"binary_data_output": True}),
        ([RequestedOutput("double", {"binary_data": True}), RequestedOutput("same", {"binary_data": True})], None),
        ([RequestedOutput("double", {"binary_data": True}), RequestedOutput("same")], None),
    ],
    ids=["all", "each", "one of two"],
)
def test_v2_tensors_come_back_in_binary_when_asked_for(server: str, outputs: Any, parameters: Any) -> None:
    x, word = InferInput("x", [1, 2], "FP32", [1.5, -2.0]), InferInput("word", [1, 1], "BYTES", ["Zürich ✈"])
    request = InferRequest("pairs", [x, word], request_outputs=outputs, parameters=parameters)
    headers: dict[str, str] = {}
    answer = call("v2", lambda client: client.infer(server, request, model_name="pairs", response_headers=headers))
    assert headers["content-type"] == "application/octet-stream"
    double, same = answer.outputs
    np.testing.assert_array_equal(double.as_numpy(), np.array([[3, -4]], np.float32))
    assert same.as_numpy().ravel().tolist() == ["Zürich ✈"]


def test_v1_rows_come_back_as_predictions(server: str) -> None:
    answer = call("v1", lambda client: client.infer(server, {"instances": ROWS}, model_name="pairs"))
    assert answer == {"predictions": [{"double": [3.0, -4.0], "same": "late"}, {"double": [6.0, 8.0], "same": ""}]}


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_a_server_with_a_model_is_live_and_ready(server: str, protocol: str) -> None:
    assert call(protocol, lambda client: client.is_server_live(server)) is True
    assert call(protocol, lambda client: client.is_model_ready(server, "pairs")) is True


def test_readiness_of_the_server_is_that_of_its_model(server: str, server_without_model: str) -> None:
    assert call("v2", lambda client: client.is_server_ready(server)) is True
    with pytest.raises(httpx.HTTPStatusError, match=r"model 'pairs' is not ready: .*503"):
        call("v2", lambda client: client.is_server_ready(server_without_model))


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_a_server_without_a_model_is_live_and_not_ready(server_without_model: str, protocol: str) -> None:
    assert call(protocol, lambda client: client.is_server_live(server_without_model)) is True
    assert call(protocol, lambda client: client.is_model_ready(server_without_model, "pairs")) is False


def test_an_unknown_model_is_not_ready(server: str) -> None:
    assert call("v2", lambda client: client.is_model_ready(server, "ships")) is False
    with pytest.raises(httpx.HTTPStatusError, match=r"there is no model 'ships'.*404"):
        call("v1", lambda client: client.is_model_ready(server, "ships"))


def test_the_client_tells_what_is_wrong_with_a_request(server: str) -> None:
    wrong = InferRequest("pairs", [InferInput("x", [1, 3], "FP32", [1.0, 2.0, 3.0])])
    with pytest.raises(httpx.HTTPStatusError, match=r"input 'x': shape \[1, 3\] was sent; \[-1, 2\] was expected.*400"):
        call("v2", lambda client: client.infer(server, wrong, model_name="pairs"))
