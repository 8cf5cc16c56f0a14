"""Which requests become inferences, and what is said of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from leeway_serving.capture.events import Inference
from leeway_serving.http import Limits
from leeway_serving.loading import Served

V1, V2, PLAIN = "/v1/models/flights:predict", "/v2/models/flights/infer", "/api/v1/predict"
ROW = {"delay": 20.5, "wind": None, "carrier": "B6"}
Server = Any


class Recorder:
    """A capture that keeps everything."""

    def __init__(self) -> None:
        self.inferences: list[Inference] = []

    def offer(self, inference: Inference) -> None:
        self.inferences.append(inference)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def captured(recorder: Recorder, served: Served, make_server: Callable[..., Server]) -> Server:
    return make_server(capture=recorder, limits=Limits(rows=2)).serve(served)


def test_an_inference_has_what_came_and_what_was_answered(captured: Server, recorder: Recorder, served: Served) -> None:
    response = captured.request("POST", PLAIN, json={"rows": [ROW]}, headers={"x-request-id": "r-1"})
    (inference,) = recorder.inferences
    assert (inference.request, inference.response) == (response.request.content, response.content)
    assert (inference.request_id, inference.status) == ("r-1", 200)
    assert (inference.version, inference.digest) == ("1.0.0", served.digest)
    assert inference.started <= inference.ended


def test_a_request_without_an_id_is_captured_under_the_one_it_was_given(captured: Server, recorder: Recorder) -> None:
    response = captured.request("POST", V1, json={"instances": [ROW]})
    assert recorder.inferences[0].request_id == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        (V1, b"{", 400),
        (V2, b'{"inputs": 3}', 400),
        (PLAIN, b'{"rows": [1, 2, 3]}', 413),
    ],
)
def test_a_request_that_was_read_and_refused_is_captured_with_its_status(
    captured: Server, recorder: Recorder, path: str, content: bytes, status: int
) -> None:
    response = captured.request("POST", path, content=content)
    (inference,) = recorder.inferences
    assert inference.status == response.status_code == status
    assert (inference.request, inference.response) == (content, response.content)


def test_a_fault_of_ours_is_captured(recorder: Recorder, served: Served, make_server: Callable[..., Server]) -> None:
    class Broken:
        def predict(self, *_: object) -> None:
            raise RuntimeError

    server = make_server(capture=recorder).serve(replace(served, model=Broken()))
    response = server.request("POST", PLAIN, json={"rows": [ROW]})
    assert [(i.status, i.response) for i in recorder.inferences] == [(500, response.content)]


def test_binary_tensors_are_said_to_be_binary(captured: Server, recorder: Recorder) -> None:
    body = b'{"inputs": []}\0'
    headers = {"inference-header-content-length": "14"}
    captured.request("POST", V2, content=body, headers=headers)
    (inference,) = recorder.inferences
    assert (inference.binary_request, inference.binary_response) == (True, False)
    assert inference.request == body


def test_probes_reads_and_what_was_never_read_are_not_captured(
    captured: Server, recorder: Recorder, make_server: Callable[..., Server]
) -> None:
    captured.request("POST", PLAIN, json={"rows": [ROW]}, headers={"x-leeway-probe": "1"})
    captured.request("GET", "/v2/models/flights")
    captured.request("GET", PLAIN)
    captured.request("POST", "/v1/models/ships:predict", json={"instances": [ROW]})
    captured.request("POST", PLAIN, content=b" " * (Limits.body_bytes + 1))
    captured.request("POST", PLAIN, content=b"{}", headers={"content-type": "text/plain"})
    make_server(capture=recorder).request("POST", PLAIN, json={"rows": [ROW]})
    assert recorder.inferences == []
