import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.reading.bounds import MAX_CELLS, MAX_COLUMNS
from leeway_drift.reading.decode import Inference, decode
from leeway_drift.reading.errors import Undecodable
from leeway_drift.reading.events import Kind

REQUEST = {"departure_delay": [-4.0, 31.0], "temperature": [39.02, None], "carrier": ["UA", "B6"]}
RESPONSE = {"label": [0.0, 1.0], "probabilities.0": [0.96, 0.125], "probabilities.1": [0.04, 0.875]}


def columns(inference: Inference | None) -> dict[str, list[Any]]:
    """Rows as lists with None for what is missing; numbers as float32."""
    assert inference is not None
    rows = inference.rows
    read = {name: rows.column(name).tolist() for name in rows.categorical}
    for name in rows.numeric:
        read[name] = [None if math.isnan(value) else value for value in rows.column(name).tolist()]
    return read


def float32(values: list[Any]) -> list[Any]:
    return [value if value is None or isinstance(value, str) else float(np.float32(value)) for value in values]


@pytest.mark.parametrize("protocol", ["v1", "v2", "v2-binary"])
@pytest.mark.parametrize(("kind", "expected"), [(Kind.REQUEST, REQUEST), (Kind.RESPONSE, RESPONSE)])
def test_one_inference_gives_the_same_rows_in_every_protocol(
    event: Callable, protocol: str, kind: Kind, expected: dict
):
    _, body = event(f"{protocol}-{kind}")
    assert columns(decode(body, kind)) == {name: float32(values) for name, values in expected.items()}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_call_for_metadata_is_no_inference(event: Callable, kind: Kind):
    _, body = event(f"metadata-{kind}")
    assert decode(body, kind) is None


numbers = st.one_of(st.none(), st.floats(allow_nan=False), st.integers(-(2**70), 2**70), st.booleans())
strings = st.one_of(st.none(), st.text(max_size=5))


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Columns of equal length; a categorical one has at least one string, or V1 could not tell what it is."""
    count = draw(st.integers(1, 5))
    cells = {"numeric": numbers, "categorical": strings}
    names = draw(st.lists(st.text("abc. é", max_size=5), min_size=1, max_size=4, unique=True))
    table = {}
    for name in names:
        kind = draw(st.sampled_from(sorted(cells)))
        values = draw(st.lists(cells[kind], min_size=count, max_size=count))
        table[name] = ["x", *values[1:]] if kind == "categorical" else values
    return table


@given(tables())
def test_v1_and_v2_rows_are_equal(table: dict[str, list[Any]]):
    count = len(next(iter(table.values())))
    tensors = [
        {
            "name": name,
            "datatype": "BYTES" if any(isinstance(value, str) for value in values) else "FP64",
            "shape": [count, 1],
            "data": values,
        }
        for name, values in table.items()
    ]
    instances = [{name: values[row] for name, values in table.items()} for row in range(count)]
    v2 = decode(json.dumps({"inputs": tensors}).encode(), Kind.REQUEST)
    v1 = decode(json.dumps({"instances": instances}).encode(), Kind.REQUEST)
    plain = decode(json.dumps({"rows": instances}).encode(), Kind.REQUEST)
    assert columns(v1) == columns(plain) == columns(v2)
    with np.errstate(over="ignore"):
        assert columns(v2) == {name: float32(values) for name, values in table.items()}


def test_rows_without_names_are_named_by_position():
    v1 = decode(b'{"instances": [[1, "a"], [null, "b"]]}', Kind.REQUEST)
    plain = decode(b'{"rows": [[1, "a"], [null, "b"]]}', Kind.REQUEST)
    v2 = b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [[1, 2], [3, 4]]}]}'
    assert columns(v1) == columns(plain) == {"instances.0": [1.0, None], "instances.1": ["a", "b"]}
    assert columns(decode(b'{"predictions": [0.5, 2]}', Kind.RESPONSE)) == {"predictions": [0.5, 2.0]}
    assert columns(decode(v2, Kind.REQUEST)) == {"x.0": [1.0, 3.0], "x.1": [2.0, 4.0]}


def test_a_name_missing_in_some_rows_is_missing_there():
    rows = decode(b'{"instances": [{"a": 1}, {"b": "x"}]}', Kind.REQUEST)
    assert columns(rows) == {"a": [1.0, None], "b": [None, "x"]}


def tensor(**fields: Any) -> bytes:
    return json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1], **fields}]}).encode()


def binary(datatype: str, size: int, tail: bytes) -> bytes:
    described = {"name": "x", "datatype": datatype, "shape": [2], "parameters": {"binary_data_size": size}}
    return json.dumps({"inputs": [described]}).encode() + tail


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "expected a JSON object"),
        (b"\x00\xff", "expected a JSON object"),
        (b"[" * 1_000_000, "expected a JSON object"),
        (b'{"inputs": {}}', "expected a list of objects"),
        (tensor(name=None), "tensor name: None"),
        (tensor(shape=[]), "tensor x: shape"),
        (tensor(shape=[-1]), "tensor x: shape"),
        (tensor(shape=[True]), "tensor x: shape"),
        (tensor(shape=[0, 10**9]), f"more than {MAX_COLUMNS} columns"),
        (tensor(shape=[MAX_CELLS + 1]), f"more than {MAX_CELLS} values"),
        (tensor(shape=[2]), "1 values, expected 2"),
        (tensor(datatype="FP32", data=["1"]), "'1', expected a number"),
        (tensor(datatype="BYTES", data=[1]), "1, expected a string"),
        (tensor(datatype="COMPLEX"), "datatype 'COMPLEX'"),
        (tensor(datatype=["FP32"]), "datatype"),
        (tensor(data=5), "expected a list"),
        (tensor(data=[[1], 2], shape=[2]), "a list here and a value there"),
        (tensor(data=[10**400]), "no float holds"),
        (binary("FP32", 8, b"1234567"), "binary_data_size"),
        (binary("FP32", 7, b"1234567"), "7 bytes, expected 8"),
        (binary("BF16", 4, b"1234"), "datatype 'BF16'"),
        (binary("BYTES", 7, b"\x01\x00\x00\x00a\x05\x00"), "value 1 of 2 is cut off"),
        (binary("BYTES", 9, b"\x00" * 9), "1 bytes behind"),
        (b'{"instances": 1}', "expected a list of rows"),
        (b'{"instances": [[1], [1, 2]]}', "unequal length"),
        (b'{"instances": [{"a": "x"}, {"a": 1}]}', "a: 1, expected a string"),
        (b'{"instances": [{"a": [1, 2], "a.0": 1}]}', "a.0: given twice"),
        (b'{"instances": [{"\\ud800": 1}]}', "printable characters"),
        (b'{"instances": [{"' + b"a" * 257 + b'": 1}]}', "at most 256"),
        (b'{"instances": [{"a": {}}]}', "a: {}, expected a number"),
    ],
)
def test_what_cannot_be_read_is_named(body: bytes, message: str):
    with pytest.raises(Undecodable) as error:
        decode(body, Kind.REQUEST)
    assert message in str(error.value)


def test_sparse_rows_do_not_become_many_times_their_body():
    wide = {f"c{index}": 1 for index in range(1000)}
    body = json.dumps({"instances": [wide, *[{} for _ in range(10_000)]]}).encode()
    with pytest.raises(Undecodable, match="values"):
        decode(body, Kind.REQUEST)


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
)
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["x", "y", 1]),
        "datatype": st.sampled_from(["FP32", "BYTES", "INT8", "BOOL", None, ["FP32"]]),
        "shape": st.lists(st.integers(-1, 4), max_size=3),
        "data": documents,
        "parameters": st.one_of(documents, st.fixed_dictionaries({"binary_data_size": st.integers(-1, 20)})),
    },
)


@given(
    st.one_of(
        st.binary(max_size=50),
        documents.map(lambda rows: json.dumps({"instances": rows}).encode()),
        documents.map(lambda rows: json.dumps({"inputs": rows}).encode()),
        st.tuples(st.lists(tensors, max_size=3), st.binary(max_size=20)).map(
            lambda parts: json.dumps({"inputs": parts[0]}).encode() + parts[1]
        ),
    )
)
def test_no_body_does_more_than_be_undecodable(body: bytes):
    try:
        inference = decode(body, Kind.REQUEST)
    except Undecodable:
        return
    if inference is not None:
        rows = inference.rows
        assert rows.numbers.shape == (rows.count, len(rows.numeric))
        assert rows.strings.shape == (rows.count, len(rows.categorical))


def test_nan_is_read_though_a_strict_parser_refuses_it():
    body = b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [2, 1], "data": [NaN, 1.5]}]}'
    assert columns(decode(body, Kind.REQUEST, orjson.loads)) == {"x": [None, 1.5]}


@pytest.mark.parametrize(("identity", "read"), [("r-1", "r-1"), ("", None), (7, None), ("x" * 300, None)])
def test_the_id_of_a_v2_answer_is_kept_if_it_is_one(identity: object, read: str | None):
    tensor = {"name": "label", "datatype": "INT64", "shape": [1], "data": [1]}
    inference = decode(json.dumps({"id": identity, "outputs": [tensor]}).encode(), Kind.RESPONSE)
    assert inference is not None
    assert inference.id == read


def test_a_string_among_numbers_is_refused_however_many_columns_there_are():
    tensors = [{"name": name, "datatype": "FP32", "shape": [1, 1], "data": [1.0]} for name in "abc"]
    tensors[1]["data"] = ["1.5"]
    with pytest.raises(Undecodable, match=r"b: '1\.5', expected a number"):
        decode(json.dumps({"inputs": tensors}).encode(), Kind.REQUEST)
