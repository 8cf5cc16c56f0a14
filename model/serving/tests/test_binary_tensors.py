"""Binary tensors: they mean what JSON tensors mean, and anything else behind the JSON is refused by name."""

import math
from contextlib import suppress
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_serving.errors import RequestError
from leeway_serving.loading import Served
from leeway_serving.protocol import binary, v2
from leeway_serving.signature import Input, Output, Signature

FEATURES = Signature(
    (
        Input("delay", "FP32", (1,)),
        Input("wind", "FP32", (1,), nullable=True),
        Input("carrier", "BYTES", (1,)),
        Input("seats", "INT16", ()),
        Input("night", "BOOL", (1,)),
    ),
    (Output("label", "INT64", (-1,)), Output("name", "BYTES", (-1,)), Output("probabilities", "FP32", (-1, 2))),
)
LIMIT = 8
Array = np.ndarray[Any, Any]

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
rows_of = st.lists(
    st.fixed_dictionaries(
        {
            "delay": floats,
            "wind": st.none() | floats,
            "carrier": st.text(st.characters(codec="utf-8")),
            "seats": st.integers(-(2**15), 2**15 - 1),
            "night": st.booleans(),
        }
    ),
    min_size=1,
    max_size=LIMIT,
)


def tensor(name: str, datatype: str, shape: list[int], raw: bytes, **parameters: Any) -> tuple[dict[str, Any], bytes]:
    parameters = {"binary_data_size": len(raw), **parameters}
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}, raw


def infer(*tensors: tuple[dict[str, Any], bytes], signature: Signature = FEATURES, **request: Any) -> v2.InferRequest:
    head = orjson.dumps({"inputs": [described for described, _ in tensors], **request})
    body = head + b"".join(raw for _, raw in tensors)
    return v2.decode(body, signature, max_rows=LIMIT, json_bytes=len(head))


def decoded_or_refused(*tensors: tuple[dict[str, Any], bytes], **others: Any) -> v2.InferRequest | None:
    """Any other exception than a refusal, which a client would see as a 500, fails the test."""
    with suppress(RequestError):
        return infer(*tensors, **others)
    return None


def one(datatype: str, *tensors: tuple[dict[str, Any], bytes], nullable: bool = False) -> Array:
    """The tensor of a model whose one input `x` has that datatype and one value a row."""
    signature = Signature((Input("x", datatype, (1,), nullable=nullable),), FEATURES.outputs)
    return infer(*tensors, signature=signature).tensors["x"]


def strings(*values: bytes) -> bytes:
    return b"".join(len(value).to_bytes(4, "little") + value for value in values)


@given(rows_of, st.sets(st.sampled_from([i.name for i in FEATURES.inputs]), min_size=1))
def test_a_row_means_the_same_in_binary_and_in_json(rows: list[dict[str, Any]], in_binary: set[str]) -> None:
    types = {"delay": "<f8", "wind": "<f4", "seats": "<i8", "night": "?"}
    datatypes = {"delay": "FP64", "wind": "FP32", "seats": "INT64", "night": "BOOL", "carrier": "BYTES"}
    as_json = [
        {"name": name, "datatype": datatype, "shape": [len(rows), 1], "data": [row[name] for row in rows]}
        for name, datatype in datatypes.items()
    ]
    mixed = []
    for described in as_json:
        name, values = described["name"], described["data"]
        if name not in in_binary:
            mixed.append((described, b""))
            continue
        numbers = [math.nan if value is None else value for value in values]
        raw = strings(*(v.encode() for v in values)) if name == "carrier" else np.array(numbers, types[name]).tobytes()
        mixed.append(tensor(name, described["datatype"], described["shape"], raw))
    expected = v2.decode(orjson.dumps({"inputs": as_json}), FEATURES, max_rows=LIMIT).tensors
    found = infer(*mixed).tensors
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@given(st.binary(max_size=60), st.integers(0, 80), st.sampled_from(sorted(FEATURES.names)), st.data())
def test_any_bytes_behind_the_json_are_tensors_or_refused(
    raw: bytes, size: int, name: str, data: st.DataObject
) -> None:
    spec = FEATURES.by_name[name]
    datatype = data.draw(st.sampled_from(sorted(spec.accepts)))
    rows = data.draw(st.integers(0, 2**40) | st.integers(1, 4))
    described = {"name": name, "datatype": datatype, "shape": [rows], "parameters": {"binary_data_size": size}}
    signature = Signature((spec,), FEATURES.outputs)
    decoded = decoded_or_refused((described, raw), signature=signature)
    assert decoded is None or decoded.tensors[name].shape == (rows, *spec.row_shape)


@given(st.binary(max_size=80), st.integers(0, 100))
def test_any_body_with_any_length_of_json_is_refused(body: bytes, json_bytes: int) -> None:
    with pytest.raises(RequestError):
        v2.decode(body, FEATURES, max_rows=LIMIT, json_bytes=json_bytes)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
)


@given(json_values, json_values, json_values, json_values)
def test_parameters_of_any_kind_are_understood_or_refused(one: Any, two: Any, three: Any, four: Any) -> None:
    described = {"name": "delay", "datatype": "FP32", "shape": [1], "parameters": one}
    sized = described | {"parameters": {"binary_data_size": two}}
    outputs = [{"name": "label", "parameters": {"binary_data": three}}, {"name": "name", "parameters": four}]
    signature = Signature((FEATURES.inputs[0],), FEATURES.outputs)
    for inputs in (described, sized):
        for parameters in (one, {"binary_data_output": four}):
            decoded_or_refused((inputs, b"\0\0\0\0"), signature=signature, outputs=outputs, parameters=parameters)


@pytest.mark.parametrize(
    ("datatype", "sent", "message"),
    [
        ("FP32", tensor("x", "FP32", [2, 1], b"\0" * 7), "input 'x': 7 bytes were sent; 8 were expected for 2 values"),
        (
            "FP32",
            tensor("x", "FP32", [1], b"\0" * 4, binary_data_size=5),
            "'binary_data_size' is 5; 4 bytes are left behind the JSON",
        ),
        (
            "FP32",
            tensor("x", "FP32", [1], b"\0" * 4, binary_data_size=-1),
            "'binary_data_size' is -1; a number of bytes was expected",
        ),
        (
            "FP32",
            tensor("x", "FP32", [2], np.array([1, np.nan], "<f4").tobytes()),
            "row 1, input 'x': nan was sent; a number was expected",
        ),
        (
            "FP32",
            tensor("x", "FP64", [2], np.array([1, -np.inf], "<f8").tobytes()),
            "row 1, input 'x': -inf was sent; a number was expected",
        ),
        (
            "FP32",
            tensor("x", "FP64", [1], np.array([1e39], "<f8").tobytes()),
            "row 0, input 'x': 1e+39 was sent; a value that fits FP32 was expected",
        ),
        (
            "INT8",
            tensor("x", "UINT64", [2], np.array([7, 2**64 - 1], "<u8").tobytes()),
            "row 1, input 'x': 18446744073709551615 was sent; a value that fits INT8 was expected",
        ),
        ("BOOL", tensor("x", "BOOL", [2], b"\1\2"), "row 1, input 'x': 2 was sent; a byte of 0 or 1 was expected"),
        (
            "BYTES",
            tensor("x", "BYTES", [2], strings(b"a", b"\xff")),
            "row 1, input 'x': a string in UTF-8 was expected",
        ),
        (
            "BYTES",
            tensor("x", "BYTES", [2], strings(b"a", b"bcd")[:-2]),
            "row 1, input 'x': the value is cut off after 1 bytes",
        ),
        ("BYTES", tensor("x", "BYTES", [2], b"\0" * 4), "2 values of BYTES were expected, each behind its length"),
        ("BYTES", tensor("x", "BYTES", [1], strings(b"a", b"b")), "5 bytes are behind its 1 values; none was expected"),
    ],
)
def test_what_cannot_be_read_is_named(datatype: str, sent: tuple[dict[str, Any], bytes], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        one(datatype, sent)
    assert message in str(caught.value)


def test_bytes_that_belong_to_no_tensor_are_refused() -> None:
    described, raw = tensor("x", "FP32", [1], b"\0" * 4)
    with pytest.raises(RequestError, match="the body has 2 bytes behind its last tensor; none was expected"):
        one("FP32", (described, raw + b"ab"))
    with pytest.raises(RequestError, match="inference-header-content-length is 3; the body has 2 bytes"):
        v2.decode(b"{}", FEATURES, max_rows=LIMIT, json_bytes=3)


def test_nan_is_null_where_null_may_be_and_infinity_is_nothing() -> None:
    raw = np.array([np.nan, 1], "<f4").tobytes()
    np.testing.assert_array_equal(one("FP32", tensor("x", "FP32", [2], raw), nullable=True), [[np.nan], [1]])
    raw = np.array([np.nan, np.inf], "<f4").tobytes()
    with pytest.raises(RequestError, match="row 1, input 'x': inf was sent; a number or NaN was expected"):
        one("FP32", tensor("x", "FP32", [2], raw), nullable=True)


OUTPUTS = {
    "label": np.array([0, 1]),
    "name": np.array(["late", "Zürich ✈"], object),
    "probabilities": np.array([[0.25, np.nan], [1.5, 2.5]], np.float32),
}


def wishes(request: dict[str, Any]) -> set[str]:
    row = tensor("delay", "FP32", [1], b"\0" * 4)
    return set(infer(row, signature=Signature((FEATURES.inputs[0],), FEATURES.outputs), **request).binary)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, set()),
        ({"parameters": {"binary_data_output": True}}, {"label", "name", "probabilities"}),
        ({"parameters": {"binary_data_output": True}, "outputs": [{"name": "label"}]}, {"label"}),
        (
            {
                "parameters": {"binary_data_output": True},
                "outputs": [{"name": "label", "parameters": {"binary_data": False}}, {"name": "name"}],
            },
            {"name"},
        ),
        ({"outputs": [{"name": "label"}, {"name": "name", "parameters": {"binary_data": True}}]}, {"name"}),
    ],
)
def test_an_output_is_binary_if_it_or_else_the_request_says_so(request_: dict[str, Any], expected: set[str]) -> None:
    assert wishes(request_) == expected


def test_answers_carry_the_tensors_in_the_order_in_which_they_are_listed() -> None:
    wanted = frozenset({"label", "name", "probabilities"})
    body, json_bytes = v2.encode(OUTPUTS, model="m", version="1", request_id="r", binary_outputs=wanted)
    listed = orjson.loads(body[:json_bytes])["outputs"]
    assert [(o["name"], o["datatype"], o["shape"]) for o in listed] == [
        ("label", "INT64", [2]),
        ("name", "BYTES", [2]),
        ("probabilities", "FP32", [2, 2]),
    ]
    tail = body[json_bytes:]
    sizes = [o["parameters"]["binary_data_size"] for o in listed]
    assert sum(sizes) == len(tail)
    assert tail[: sizes[0]] == np.array([0, 1], "<i8").tobytes()
    assert tail[sizes[0] : -sizes[2]] == strings(b"late", "Zürich ✈".encode())
    np.testing.assert_array_equal(np.frombuffer(tail[-sizes[2] :], "<f4").reshape(2, 2), OUTPUTS["probabilities"])
    mixed, json_bytes = v2.encode(OUTPUTS, model="m", version="1", request_id="r", binary_outputs=frozenset({"label"}))
    assert orjson.loads(mixed[:json_bytes])["outputs"][1]["data"] == ["late", "Zürich ✈"]
    assert mixed[json_bytes:] == tail[: sizes[0]]


@given(st.lists(st.lists(floats, min_size=2, max_size=2), min_size=1, max_size=4), st.sampled_from("CF"))
def test_what_is_encoded_decodes_to_itself_however_it_lies_in_memory(values: list[list[float]], order: Any) -> None:
    array = np.array(values, np.float32, order=order)
    decoded = binary.decode(Input("x", "FP32", (2,)), "FP32", array.shape, binary.encode(array))
    np.testing.assert_array_equal(decoded, array)


def body_of(delay: float = 20.5, **request: Any) -> tuple[bytes, dict[str, str]]:
    tensors = [
        tensor("delay", "FP32", [1, 1], np.array([delay], "<f4").tobytes()),
        tensor("wind", "FP32", [1, 1], np.array([np.nan], "<f4").tobytes()),
        tensor("carrier", "BYTES", [1, 1], strings(b"B6")),
    ]
    head = orjson.dumps({"inputs": [described for described, _ in tensors], **request})
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
    return head + b"".join(raw for _, raw in tensors), headers


def test_a_binary_request_over_http_is_answered_as_its_json_is(server: Any) -> None:
    body, headers = body_of()
    answer = server.request("POST", "/v2/models/flights/infer", content=body, headers=headers)
    rows = {"rows": [{"delay": 20.5, "wind": None, "carrier": "B6"}]}
    expected = server.request("POST", "/api/v1/predict", json=rows).json()["predictions"][0]
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert "inference-header-content-length" not in answer.headers
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert outputs == {"label": [expected["label"]], "probabilities": expected["probabilities"]}


def test_a_binary_answer_over_http_says_how_much_of_it_is_json(server: Any) -> None:
    body, headers = body_of(parameters={"binary_data_output": True})
    answer = server.request("POST", "/v2/models/flights/infer", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
    json_bytes = int(answer.headers["inference-header-content-length"])
    listed = orjson.loads(answer.content[:json_bytes])["outputs"]
    assert [o["parameters"]["binary_data_size"] for o in listed] == [8, 8]
    assert len(answer.content) == json_bytes + 16
    assert np.frombuffer(answer.content[json_bytes + 8 :], "<f4").sum() == pytest.approx(1)


@given(st.data())
def test_no_binary_request_is_a_fault_of_the_server(served: Served, make_server: Any, data: st.DataObject) -> None:
    """A whole request with some of its bytes changed, cut off or added, and lengths that fit it or do not."""
    body, headers = body_of()
    at, cut = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 12))
    changed = body[:at] + data.draw(st.binary(max_size=12)) + body[at + cut :]
    length = data.draw(st.just(headers["inference-header-content-length"]) | st.integers(0, 400).map(str))
    server = make_server().serve(served)
    answer = server.request(
        "POST",
        "/v2/models/flights/infer",
        content=changed,
        headers=headers | {"inference-header-content-length": length},
    )
    assert answer.status_code in (200, 400, 413)
    if answer.status_code != 200:
        assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("length", ["", "-1", "1e3", "0x10", "9" * 30, "٣"])
def test_a_length_that_is_none_is_refused(server: Any, length: str) -> None:
    body, headers = body_of()
    headers = {k: v.encode() for k, v in (headers | {"inference-header-content-length": length}).items()}
    answer = server.request("POST", "/v2/models/flights/infer", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith("the number of bytes of JSON was expected")


@pytest.mark.parametrize("path", ["/v1/models/flights:predict", "/api/v1/predict"])
def test_only_v2_takes_binary_tensors(server: Any, path: str) -> None:
    body, headers = body_of()
    answer = server.request("POST", path, content=body, headers=headers)
    assert (answer.status_code, list(answer.json())) == (415, ["error"])


def test_the_server_says_that_it_takes_binary_tensors(server: Any) -> None:
    assert server.request("GET", "/v2").json()["extensions"] == ["binary_tensor_data"]
