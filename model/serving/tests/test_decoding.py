"""Requests to tensors: every protocol means the same rows, and every error names its place."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_serving.errors import RequestError
from leeway_serving.protocol import v1, v2
from leeway_serving.protocol.rows import decode_rows
from leeway_serving.protocol.tensors import flatten
from leeway_serving.signature import Input, Output, Signature

FEATURES = Signature(
    (
        Input("delay", "FP32", (1,)),
        Input("wind", "FP32", (1,), nullable=True),
        Input("carrier", "BYTES", (1,)),
        Input("seats", "INT64", ()),
    ),
    (Output("label", "INT64", (-1,)), Output("probabilities", "FP32", (-1, 2))),
)
PIXELS = Signature((Input("x", "FP32", (2, 3)),), (Output("y", "FP32", (-1, 1)),))
OPEN = Signature((Input("x", "FP32", (-1,)),), (Output("y", "FP32", (-1, 1)),))
LIMIT = 8

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
rows_of = st.lists(
    st.fixed_dictionaries(
        {
            "delay": floats | st.integers(-1000, 1000),
            "wind": st.none() | floats,
            "carrier": st.text(st.characters(codec="utf-8")),
            "seats": st.integers(-(2**63), 2**63 - 1),
        }
    ),
    min_size=1,
    max_size=LIMIT,
)


def rows(body: Any, signature: Signature = FEATURES) -> dict[str, np.ndarray[Any, Any]]:
    return v1.decode(orjson.dumps(body), signature, field="instances", max_rows=LIMIT)[0]


def infer(body: Any, signature: Signature = FEATURES) -> v2.InferRequest:
    return v2.decode(orjson.dumps(body), signature, max_rows=LIMIT)


def status_of(decode: Callable[..., object], *arguments: Any) -> int:
    """The status that a client would see; any other exception than a refusal fails the test."""
    try:
        decode(*arguments)
    except RequestError as error:
        return error.status
    return 200


def tensors_of(rows: list[dict[str, Any]], *, flat: bool = True) -> list[dict[str, Any]]:
    return [
        {
            "name": i.name,
            "datatype": i.datatype,
            "shape": [len(rows), 1],
            "data": [row[i.name] if flat else [row[i.name]] for row in rows],
        }
        for i in FEATURES.inputs
    ]


def good_row(**changes: Any) -> dict[str, Any]:
    return {"delay": 1.5, "wind": None, "carrier": "UA", "seats": 3, **changes}


@given(rows_of)
def test_objects_lists_and_tensors_with_the_same_rows_are_the_same_request(given_rows: list[dict[str, Any]]) -> None:
    expected = {
        "delay": np.array([[r["delay"]] for r in given_rows], np.float32),
        "wind": np.array([[np.nan if r["wind"] is None else r["wind"]] for r in given_rows], np.float32),
        "carrier": np.array([[r["carrier"]] for r in given_rows], object),
        "seats": np.array([r["seats"] for r in given_rows], np.int64),
    }
    as_lists = [[row[i.name] for i in FEATURES.inputs] for row in given_rows]
    for decoded in (
        rows({"instances": given_rows}),
        rows({"instances": as_lists}),
        infer({"inputs": tensors_of(given_rows)}).tensors,
        infer({"inputs": tensors_of(given_rows, flat=False)[::-1]}).tensors,
    ):
        assert decoded.keys() == expected.keys()
        for name, array in expected.items():
            assert decoded[name].dtype == array.dtype
            np.testing.assert_array_equal(decoded[name], array)


@given(st.lists(st.lists(st.lists(floats, min_size=3, max_size=3), min_size=2, max_size=2), min_size=1, max_size=LIMIT))
def test_a_tensor_with_more_values_a_row_comes_nested_flat_or_by_row(nested: list[Any]) -> None:
    expected = np.array(nested, np.float32)
    flat = {"name": "x", "datatype": "FP32", "shape": list(expected.shape), "data": expected.ravel().tolist()}
    for decoded in (
        infer({"inputs": [flat]}, PIXELS).tensors,
        infer({"inputs": [flat | {"data": nested}]}, PIXELS).tensors,
        rows({"instances": nested}, PIXELS),
        rows({"instances": [{"x": item} for item in nested]}, PIXELS),
    ):
        np.testing.assert_array_equal(decoded["x"], expected)


def test_a_length_that_the_graph_leaves_open_is_the_requests_to_choose() -> None:
    assert rows({"instances": [[1, 2, 3], [4, 5, 6]]}, OPEN)["x"].shape == (2, 3)
    with pytest.raises(RequestError, match="row 1: a list of 3 values was expected, not a list of 2"):
        rows({"instances": [[1, 2, 3], [4, 5]]}, OPEN)


@given(st.recursive(st.none() | st.booleans() | floats | st.text(max_size=3), lambda s: st.lists(s, max_size=3)))
def test_whatever_is_sent_is_decoded_or_refused_on_purpose(junk: Any) -> None:
    shaped = {"name": "x", "datatype": "FP32", "shape": junk, "data": [1.0]}
    filled = {"name": "x", "datatype": "FP32", "shape": [1, 2, 3], "data": junk}
    for signature in (FEATURES, PIXELS, OPEN):
        for body in (junk, {"instances": junk}, {"instances": [junk]}):
            assert status_of(rows, body, signature) in (200, 400, 413)
        for tensor in (junk, shaped, filled):
            assert status_of(infer, {"inputs": [tensor], "outputs": junk}, signature) in (200, 400, 413)


@given(st.binary(max_size=40))
def test_bytes_that_are_no_json_object_are_refused(body: bytes) -> None:
    try:
        is_object = isinstance(json.loads(body), dict)
    except ValueError:
        is_object = False
    assert status_of(v1.parse_object, body) == (200 if is_object else 400)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "'instances' is missing"),
        ({"instances": 3}, "'instances' is an integer; a list of rows was expected"),
        ({"instances": []}, "the request has no rows"),
        ({"instances": [[1, None, "UA"]]}, "row 0 has 3 values; 4 were expected: 'delay', 'wind', 'carrier', 'seats'"),
        ({"instances": [good_row(), 7]}, "row 1 is an integer; an object was expected, as in row 0"),
        ({"instances": ["UA"]}, "row 0 is a string; an object by input name or a list of 4 values was expected"),
        ({"instances": [good_row(), good_row(delay="3")]}, "row 1, input 'delay': a number was expected, not a string"),
        ({"instances": [good_row(delay=None)]}, "row 0, input 'delay': a number was expected, not null"),
        ({"instances": [good_row(wind=True)]}, "row 0, input 'wind': a number or null was expected, not a boolean"),
        ({"instances": [good_row(carrier=5)]}, "row 0, input 'carrier': a string was expected, not an integer"),
        ({"instances": [good_row(carrier=None)]}, "row 0, input 'carrier': a string was expected, not null"),
        ({"instances": [good_row(seats=1.5)]}, "row 0, input 'seats': an integer was expected, not a number"),
        ({"instances": [good_row(seats=2**63)]}, "row 0, input 'seats': 9223372036854775808 does not fit INT64"),
        ({"instances": [good_row(), good_row(wind=1e39)]}, r"row 1, input 'wind': 1e\+39 does not fit FP32"),
        (
            {"instances": [{"delay": 1, "gate": 2}]},
            "row 0: input 'carrier', 'seats', 'wind' is missing and input 'gate'",
        ),
    ],
)
def test_a_bad_row_is_named(body: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        rows(body)
    assert caught.value.status == 400


def bad_tensor(**changes: Any) -> dict[str, Any]:
    first, *others = tensors_of([good_row(), good_row()])
    return {"inputs": [first | changes, *others]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "'inputs' is missing or no list"),
        ({"inputs": [4]}, r"inputs\[0\] is an integer; an object was expected"),
        ({"inputs": []}, "inputs: 'delay', 'wind', 'carrier', 'seats' missing"),
        ({"inputs": tensors_of([good_row()])[:3]}, "inputs: 'seats' missing"),
        ({"inputs": tensors_of([good_row()]) * 2}, r"inputs\[4\]: input 'delay' is there twice"),
        ({"id": 5, "inputs": []}, "'id' is an integer; a string was expected"),
        (bad_tensor(name="gate"), r"inputs\[0\]: the model has no input 'gate'; expected are 'delay'"),
        (bad_tensor(datatype="BYTES"), "input 'delay': datatype 'BYTES' was sent; FP32 was expected"),
        (bad_tensor(datatype=["FP32"]), "input 'delay': datatype"),
        (bad_tensor(shape=[3, 1]), r"input 'delay': shape \[3, 1\] has 3 values; 'data' has 2"),
        (bad_tensor(shape=[1, 2]), r"input 'delay': shape \[1, 2\] was sent; \[-1, 1\] was expected"),
        (bad_tensor(shape=[-2, 1]), r"input 'delay': shape \[-2, 1\] was sent; a list of lengths was expected"),
        (bad_tensor(shape=[1, 1], data=[1]), "input 'wind' has 2 rows; 1 were expected, as in 'delay'"),
        (bad_tensor(data="11"), "input 'delay': 'data' is missing or no list"),
        (bad_tensor(data=[[1], [1, 2]]), "input 'delay', row 1: a list of 1 values was expected, not a list of 2"),
        (bad_tensor(data=[[1], 2]), "input 'delay', row 1: a list of 1 values was expected, not an integer"),
        (bad_tensor(data=[1, True]), "row 1, input 'delay': a number was expected, not a boolean"),
        ({**bad_tensor(), "outputs": [{"name": "odds"}]}, "there is no output 'odds'; expected are 'label'"),
    ],
)
def test_a_bad_tensor_is_named(body: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        infer(body)
    assert caught.value.status == 400


def test_more_rows_than_the_limit_are_refused_by_their_declared_number() -> None:
    for decode in (
        lambda: rows({"instances": [good_row()] * (LIMIT + 1)}),
        lambda: infer(bad_tensor(shape=[10_000_000, 1])),
    ):
        with pytest.raises(RequestError, match="the limit of this server is 8 rows a request") as caught:
            decode()
        assert caught.value.status == 413


def test_a_graph_with_a_fixed_number_of_rows_takes_no_other() -> None:
    fixed = Signature((Input("x", "FP32", (1,), rows=1),), ())
    with pytest.raises(RequestError, match="this model takes exactly 1"):
        decode_rows([[1.0], [2.0]], fixed, field="rows", max_rows=LIMIT)


def test_flatten_names_the_row_of_an_inner_list() -> None:
    with pytest.raises(RequestError, match="x, row 1: a list of 2 values was expected, not a number"):
        flatten([[[1, 2], [3, 4]], [[1, 2], 0.5]], (2, 2, 2), "x")
