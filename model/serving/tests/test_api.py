"""The contract with clients: paths, answers, errors and limits."""

import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leeway_serving.http import Limits
from leeway_serving.loading import Served

ROW = {"delay": 20.5, "wind": None, "carrier": "B6"}
ROWS = [ROW, {"delay": -3, "wind": 4.25, "carrier": "UA"}]
V1, V2, PLAIN = "/v1/models/flights:predict", "/v2/models/flights/infer", "/api/v1/predict"
Server = Any


def v2_body(rows: list[dict[str, Any]] = ROWS, **others: Any) -> dict[str, Any]:
    types = {"delay": "FP32", "wind": "FP32", "carrier": "BYTES"}
    tensors = [
        {"name": name, "datatype": datatype, "shape": [len(rows), 1], "data": [row[name] for row in rows]}
        for name, datatype in types.items()
    ]
    return {"inputs": tensors, **others}


@pytest.fixture
def expected(served: Served) -> dict[str, Any]:
    """The answer for `ROWS` by the graph alone."""
    tensors = {
        "delay": np.array([[20.5], [-3]], np.float32),
        "wind": np.array([[np.nan], [4.25]], np.float32),
        "carrier": np.array([["B6"], ["UA"]], object),
    }
    return served.model.predict(tensors, ("label", "probabilities"))


def test_v2_answers_what_the_graph_answers(server: Server, expected: dict[str, Any]) -> None:
    response = server.request("POST", V2, json=v2_body(id="mine"))
    assert response.status_code == 200
    answer = response.json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("flights", "1.0.0", "mine")
    assert answer["outputs"][0] == {"name": "label", "datatype": "INT64", "shape": [2], "data": [1, 0]}
    probabilities = answer["outputs"][1]
    assert probabilities["shape"] == [2, 2]
    np.testing.assert_array_equal(np.array(probabilities["data"], np.float32), expected["probabilities"].ravel())


def test_v2_answers_only_the_outputs_asked_for(server: Server) -> None:
    response = server.request("POST", V2, json=v2_body(outputs=[{"name": "probabilities"}]))
    assert [output["name"] for output in response.json()["outputs"]] == ["probabilities"]


def test_v1_and_the_plain_interface_answer_the_same_per_row(server: Server, expected: dict[str, Any]) -> None:
    as_objects = server.request("POST", V1, json={"instances": ROWS}).json()["predictions"]
    as_lists = server.request("POST", V1, json={"instances": [list(row.values()) for row in ROWS]}).json()
    plain = server.request("POST", PLAIN, json={"rows": ROWS}).json()
    assert as_lists == {"predictions": as_objects}
    assert plain == {"model": "flights", "version": "1.0.0", "predictions": as_objects}
    assert [row["label"] for row in as_objects] == expected["label"].tolist()
    probabilities = np.array([row["probabilities"] for row in as_objects], np.float32)
    np.testing.assert_array_equal(probabilities, expected["probabilities"])


def test_values_outside_what_training_saw_are_served(server: Server) -> None:
    row = {"delay": 1e6, "wind": -5, "carrier": "never seen"}
    assert server.request("POST", PLAIN, json={"rows": [row]}).status_code == 200


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", {"status": "alive"}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models", {"models": ["flights"]}),
        ("/v2/models/flights/ready", {"name": "flights", "ready": True}),
        ("/v2/models/flights/versions/1.0.0/ready", {"name": "flights", "ready": True}),
        ("/v1/models", {"models": ["flights"]}),
        ("/v1/models/flights", {"name": "flights", "ready": True}),
        ("/api/v1/health", {"status": "ok", "model": "flights", "version": "1.0.0"}),
        ("/bundle/drift-profile.json", {"schema_version": 1}),
    ],
)
def test_what_can_be_read(server: Server, path: str, answer: dict[str, Any]) -> None:
    response = server.request("GET", path)
    assert (response.status_code, response.json()) == (200, answer)
    assert response.headers["x-leeway-version"] == "1.0.0"


def test_the_server_names_itself_and_its_model(server: Server, served: Served) -> None:
    assert server.request("GET", "/v2").json()["name"] == "leeway-onnx-server"
    metadata = server.request("GET", "/v2/models/flights").json()
    assert metadata == server.request("GET", "/v2/models/flights/versions/1.0.0").json()
    assert metadata["versions"] == ["1.0.0"]
    assert metadata["parameters"] == {
        "version": "1.0.0",
        "bundle_digest": served.digest,
        "task": "binary_classification",
    }
    assert metadata["inputs"][2] == {"name": "carrier", "datatype": "BYTES", "shape": [-1, 1]}
    assert metadata["outputs"][1] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}


def test_the_version_may_be_named(server: Server) -> None:
    response = server.request("POST", "/v2/models/flights/versions/1.0.0/infer", json=v2_body())
    assert response.status_code == 200


def test_the_openapi_document_has_the_features(server: Server) -> None:
    document = server.request("GET", "/openapi.json").json()
    schema = document["paths"][PLAIN]["post"]["requestBody"]["content"]["application/json"]["schema"]
    row = schema["properties"]["rows"]["items"]
    assert row["required"] == ["delay", "wind", "carrier"]
    assert row["properties"]["wind"] == {"type": ["number", "null"], "format": "float"}
    assert row["properties"]["carrier"] == {"type": "string", "examples": ["AA", "B6", "UA"]}
    assert {V1, V2, "/v2/models/flights", "/v2/health/ready"} <= document["paths"].keys()
    infer = document["paths"][V2]["post"]
    for carries in (infer["requestBody"]["content"], infer["responses"]["200"]["content"]):
        assert carries.keys() == {"application/json", "application/octet-stream"}
    assert document["paths"][V1]["post"]["requestBody"]["content"].keys() == {"application/json"}


def test_the_bundles_files_are_those_that_were_verified(server: Server, sealed: Path) -> None:
    assert server.request("GET", "/bundle/manifest.json").content == (sealed / "manifest.json").read_bytes()
    for path in ("/bundle/model.onnx", "/bundle/golden.json", "/bundle/drift-reference.npz", "/bundle/../bundle"):
        assert server.request("GET", path).status_code == 404


@pytest.mark.parametrize("path", [V1, V2, PLAIN])
@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"rows": NaN}', b"\xff\xfe", b'"' + b"x" * 999])
def test_a_body_that_is_no_json_object_is_refused_and_the_next_is_answered(
    server: Server, path: str, body: bytes
) -> None:
    response = server.request("POST", path, content=body)
    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert response.headers["content-type"] == "application/json"
    assert server.request("POST", PLAIN, json={"rows": [ROW]}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("POST", "/v2/models/ships/infer", 404, "there is no model 'ships'; this server serves 'flights'"),
        ("POST", "/v1/models/ships:predict", 404, "there is no model 'ships'; this server serves 'flights'"),
        ("GET", "/v2/models/flights/versions/9", 404, "there is no version '9' of model 'flights'"),
        ("POST", "/v2/models/flights/versions/9/infer", 404, "there is no version '9' of model 'flights'"),
        ("POST", "/v1/models/flights:explain", 404, "there is nothing at /v1/models/flights:explain"),
        ("POST", "/v2/repository/models/flights/unload", 404, "there is nothing at"),
        ("GET", "/metrics", 404, "there is nothing at /metrics"),
        ("GET", V2, 405, "method GET was sent to /v2/models/flights/infer; POST was expected"),
        ("POST", "/v2", 405, "method POST was sent to /v2; GET was expected"),
    ],
)
def test_what_is_not_there_is_said(server: Server, method: str, path: str, status: int, error: str) -> None:
    response = server.request(method, path)
    assert response.status_code == status
    assert response.json()["error"].startswith(error)
    assert ("allow" in response.headers) == (status == 405)
    assert response.headers["x-leeway-version"] == "1.0.0"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": 'Application/JSON;charset="UTF-8"'}, 200),
        ({}, 200),
        ({"content-type": "application/json; charset=latin-1"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/octet-stream"}, 400),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
    ],
)
def test_media_types(server: Server, headers: dict[str, str], status: int) -> None:
    response = server.request("POST", V2, content=json.dumps(v2_body()), headers=headers)
    assert response.status_code == status


def test_an_error_does_not_send_the_request_back(server: Server) -> None:
    response = server.request("POST", V2, json={"inputs": [{"name": "x" * 100_000}]})
    assert response.status_code == 400
    assert len(response.content) < 3000


def test_a_request_keeps_its_id(server: Server) -> None:
    response = server.request("POST", V2, json=v2_body(), headers={"x-request-id": "abc-1"})
    assert response.headers["x-request-id"] == response.json()["id"] == "abc-1"


@pytest.mark.parametrize("bad", ["", "two words", "x" * 129, "tab\there"])
def test_a_request_id_that_could_hurt_a_log_is_replaced(server: Server, bad: str) -> None:
    response = server.request("POST", V2, json=v2_body(), headers={"x-request-id": bad})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])
    assert response.json()["id"] == response.headers["x-request-id"]


def test_a_body_over_the_limit_is_refused_before_it_is_read(served: Served, make_server: Callable[..., Server]) -> None:
    server = make_server(Limits(body_bytes=100)).serve(served)
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            yield b" " * 40

    declared = server.request("POST", V2, content=endless(), headers={"content-length": str(2**30)})
    assert (declared.status_code, declared.headers["connection"]) == (413, "close")
    assert declared.json()["error"] == "the body has 1073741824 bytes; the limit of this server is 100 bytes"
    streamed = server.request("POST", V2, content=endless())
    assert streamed.status_code == 413
    assert "the limit of this server is 100 bytes" in streamed.json()["error"]
    assert (server.admission.in_flight, server.admission.buffered) == (0, 0)


def test_too_many_requests_are_turned_away(served: Served, make_server: Callable[..., Server]) -> None:
    server = make_server(Limits(in_flight=1)).serve(served)
    server.admission.in_flight = 1
    response = server.request("POST", V2, json=v2_body())
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert "limit of 1 requests in flight" in response.json()["error"]
    server.admission.in_flight = 0
    assert server.request("POST", V2, json=v2_body()).status_code == 200


def test_too_many_bytes_at_one_time_are_turned_away(served: Served, make_server: Callable[..., Server]) -> None:
    server = make_server(Limits(buffered_bytes=50)).serve(served)
    response = server.request("POST", V2, json=v2_body())
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert (server.admission.in_flight, server.admission.buffered) == (0, 0)


def test_rows_over_the_limit_are_refused(served: Served, make_server: Callable[..., Server]) -> None:
    server = make_server(Limits(rows=1)).serve(served)
    response = server.request("POST", PLAIN, json={"rows": ROWS})
    assert response.status_code == 413
    assert response.json() == {"error": "the request has 2 rows; the limit of this server is 1 rows a request"}


@pytest.mark.parametrize("refused", [None, "model.onnx is missing"])
def test_a_server_without_a_model_says_why_and_whether_to_wait(
    make_server: Callable[..., Server], refused: str | None
) -> None:
    server = make_server(version="2.0.0")
    server.app.loading("it is being loaded")
    if refused:
        server.app.refuse(refused)
    for method, path in (
        ("GET", "/v2/health/ready"),
        ("GET", "/v2/models/flights/ready"),
        ("GET", "/v2/models/flights"),
        ("GET", "/v2/models/flights/versions/1.0.0"),
        ("GET", "/v1/models/flights"),
        ("GET", "/api/v1/health"),
        ("GET", "/openapi.json"),
        ("POST", V2),
        ("POST", V1),
        ("POST", PLAIN),
    ):
        response = server.request(method, path)
        assert (response.status_code, response.headers["x-leeway-version"]) == (503, "2.0.0")
        assert response.headers.get("retry-after") == (None if refused else "1")
        assert response.json() == {"error": f"model 'flights' is not ready: {refused or 'it is being loaded'}"}
    assert server.request("GET", "/v2/health/live").status_code == 200


def test_a_draining_server_is_not_ready_and_still_answers(server: Server) -> None:
    server.app.drain()
    for path in ("/v2/health/ready", "/v2/models/flights/ready", "/v1/models/flights", "/api/v1/health"):
        response = server.request("GET", path)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert server.request("POST", V2, json=v2_body()).status_code == 200


def test_a_fault_of_ours_is_logged_and_not_shown(
    served: Served, make_server: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def predict(self, *_: object) -> None:
            raise RuntimeError("secret of the inside")

    server = make_server().serve(replace(served, model=Broken()))
    with caplog.at_level(logging.ERROR):
        response = server.request("POST", V2, json=v2_body(), headers={"x-request-id": "r1"})
    assert response.status_code == 500
    assert response.json() == {"error": "the server failed on this request; see its log for request id r1"}
    assert "secret of the inside" in caplog.text
    assert server.value("requests_total", version="1.0.0", protocol="v2", code="500") == 1
    assert server.request("GET", "/v2/health/ready").status_code == 200
