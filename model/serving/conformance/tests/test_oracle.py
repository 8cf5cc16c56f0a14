"""What our server answers is what the SDK's own server answers."""

import asyncio
from typing import Any

import httpx
import pytest
from kserve import InferRequest
from kserve.protocol.rest.v2_datamodels import ModelMetadataResponse, ServerMetadataResponse

ROWS = [{"x": [1.5, -2.0], "word": "late"}, {"x": [3.0, 4.0], "word": "Zürich ✈"}]


def both(server: str, oracle: httpx.ASGITransport, method: str, path: str, body: Any = None) -> list[httpx.Response]:
    """The answers of our server and of the SDK's."""

    async def run() -> list[httpx.Response]:
        async with (
            httpx.AsyncClient(base_url=server) as ours,
            httpx.AsyncClient(transport=oracle, base_url="http://oracle") as theirs,
        ):
            return [await client.request(method, path, json=body) for client in (ours, theirs)]

    return asyncio.run(run())


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/models",
        "/v1/models/pairs",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models",
        "/v2/models/pairs/ready",
    ],
)
def test_what_can_be_read(server: str, oracle: httpx.ASGITransport, path: str) -> None:
    ours, theirs = both(server, oracle, "GET", path)
    assert ours.status_code == theirs.status_code == 200
    assert ours.json() == theirs.json()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/ships"),
        ("GET", "/v2/models/ships"),
        ("GET", "/v2/models/ships/ready"),
        ("POST", "/v1/models/ships:predict"),
        ("POST", "/v2/models/ships/infer"),
    ],
)
def test_an_unknown_model(server: str, oracle: httpx.ASGITransport, method: str, path: str) -> None:
    ours, theirs = both(server, oracle, method, path, {"instances": [], "inputs": []})
    assert ours.status_code == theirs.status_code == 404
    assert list(ours.json()) == list(theirs.json()) == ["error"]


def test_metadata(server: str, oracle: httpx.ASGITransport) -> None:
    ours, theirs = (answer.json() for answer in both(server, oracle, "GET", "/v2/models/pairs"))
    assert ModelMetadataResponse.model_validate(ours).name == "pairs"
    assert (ours["inputs"], ours["outputs"]) == (theirs["inputs"], theirs["outputs"])
    server_ours, server_theirs = (answer.json() for answer in both(server, oracle, "GET", "/v2"))
    assert ServerMetadataResponse.model_validate(server_ours).name == "leeway-onnx-server"
    assert server_ours.keys() == server_theirs.keys()


def test_v1(server: str, oracle: httpx.ASGITransport) -> None:
    ours, theirs = both(server, oracle, "POST", "/v1/models/pairs:predict", {"instances": ROWS})
    assert ours.status_code == theirs.status_code == 200
    assert ours.json() == theirs.json()


def test_v2(server: str, oracle: httpx.ASGITransport, request_v2: InferRequest) -> None:
    body, _ = request_v2.to_rest()
    ours, theirs = both(server, oracle, "POST", "/v2/models/pairs/infer", body)
    assert ours.status_code == theirs.status_code == 200
    answer, expected = ours.json(), theirs.json()
    assert answer.pop("model_version")
    assert answer["id"] == expected["id"] == "r-1"
    assert [{key: tensor[key] for key in ("name", "datatype", "shape")} for tensor in answer["outputs"]] == [
        {key: tensor[key] for key in ("name", "datatype", "shape")} for tensor in expected["outputs"]
    ]
    (double, same), (expected_double, expected_same) = ([o["data"] for o in a["outputs"]] for a in (answer, expected))
    assert double == pytest.approx(expected_double, rel=1e-7)
    assert same == expected_same
