"""From the body of an inference to rows: the Open Inference Protocol (V2, JSON and binary) and KServe's V1.

The event does not say which protocol it carries, so the shape decides: ``inputs`` (V2), ``instances`` (V1) or ``rows``
(the server's plain JSON) in a request, ``outputs`` or ``predictions`` in a response. Bodies come from whoever may call
the model and are not trusted.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Rows, as_float32, column_names
from leeway_drift.reading.binary_tensors import NUMBERS, decode_binary
from leeway_drift.reading.bounds import MAX_CELLS, MAX_COLUMNS, MAX_NAME
from leeway_drift.reading.errors import Undecodable
from leeway_drift.reading.events import Kind
from leeway_drift.reading.plain_tensors import plain_rows

Column = npt.NDArray[Any]
Loads = Callable[[bytes], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """Half an inference.

    Attributes:
        rows: what was asked or answered.
        id: of the V2 request or response; None if it has none.
    """

    rows: Rows
    id: str | None


def decode(body: object, kind: Kind, loads: Loads = json.loads) -> Inference | None:
    """Decode what an event carries.

    A tensor or V1 value of k > 1 numbers per row becomes the columns ``name.0`` … ``name.<k-1>``. V1 rows without
    names are a tensor called ``instances`` or ``predictions``. Numbers become float32, as the model sees them.

    Args:
        body: bytes as they were sent, or the document that a batch's parser has made of them.
        kind: which half.
        loads: a parser of strict JSON that raises ValueError; what it refuses is tried with Python's own, which reads
            NaN as clients of the KServe SDK send it.

    Returns:
        What it holds; None if the body is no inference at all (nothing, or JSON without these keys).

    Raises:
        Undecodable: it is meant to be an inference and is not readable as one.
    """
    if not body:
        return None
    document, tail = _split(body, loads) if isinstance(body, bytes) else (body, b"")
    if not isinstance(document, dict):
        return None
    rows = _rows(document, kind, tail)
    identity = document.get("id")
    known = isinstance(identity, str) and 0 < len(identity) <= MAX_NAME and identity.isprintable()
    return None if rows is None else Inference(rows, identity if known else None)


def _rows(document: Mapping[str, Any], kind: Kind, tail: bytes) -> Rows | None:
    tensors, *rows = ("inputs", "instances", "rows") if kind is Kind.REQUEST else ("outputs", "predictions")
    if tensors in document:
        return _decode_v2(document[tensors], tail)
    for key in rows:
        if key in document:
            return _decode_v1(document[key], rows[0])  # the same columns, whichever way the model was asked
    return None


def _split(body: bytes, loads: Loads) -> tuple[Any, bytes]:
    """The leading JSON value and the binary tensors behind it, whose offset no header of the event tells."""
    for parse in (loads, json.loads):
        try:
            return parse(body), b""
        except (ValueError, RecursionError):
            pass
    try:
        _, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))  # one character is one byte: end is an offset
        return json.loads(body[:end].decode()), body[end:]
    except (ValueError, RecursionError) as error:
        raise Undecodable(f"body: {error!s:.200}, expected a JSON object") from error


def _decode_v2(tensors: Any, tail: bytes) -> Rows | None:
    if isinstance(tensors, list) and (rows := plain_rows(tensors)) is not None:
        return rows
    if not isinstance(tensors, list) or not all(isinstance(tensor, dict) for tensor in tensors):
        raise Undecodable("tensors: expected a list of objects")
    if not any("data" in tensor or "parameters" in tensor for tensor in tensors):
        return None  # a model's metadata lists its tensors under the same keys, without data
    columns: dict[str, Column] = {}
    count: int | None = None
    for tensor in tensors:
        name = tensor.get("name")
        if not isinstance(name, str):
            raise Undecodable(f"tensor name: {name!r:.80}, expected a string")
        shape = _shape(name, tensor.get("shape"))
        if count is not None and shape[0] != count:
            raise Undecodable(f"tensor {name}: {shape[0]} rows, expected {count} as the others have")
        count = shape[0]
        values, tail = _values(name, tensor, shape, tail)
        _add(columns, name, values.reshape(count, math.prod(shape[1:])))
    return Rows.of(columns, count or 0)


def _shape(name: str, shape: Any) -> list[int]:
    if not isinstance(shape, list) or not shape or not all(type(size) is int and size >= 0 for size in shape):
        raise Undecodable(f"tensor {name}: shape {shape!r:.80}, expected [rows, …]")
    if math.prod(shape[1:]) > MAX_COLUMNS:
        raise Undecodable(f"tensor {name}: more than {MAX_COLUMNS} columns")
    if math.prod(shape) > MAX_CELLS:
        raise Undecodable(f"tensor {name}: more than {MAX_CELLS} values")
    return shape


def _values(name: str, tensor: Mapping[str, Any], shape: Sequence[int], tail: bytes) -> tuple[Column, bytes]:
    """Values of one tensor, flat, and what is left of the binary tail."""
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str) or (datatype != "BYTES" and datatype not in NUMBERS):
        raise Undecodable(f"tensor {name}: datatype {datatype!r:.80}, expected BYTES or one of {', '.join(NUMBERS)}")
    size = math.prod(shape)
    if "data" in tensor:
        flat = _flatten(name, tensor["data"])
        values = _strings(name, flat) if datatype == "BYTES" else _numbers(name, flat)
        if values.size != size:
            raise Undecodable(f"tensor {name}: {values.size} values, expected {size} for shape {shape}")
        return values, tail
    parameters = tensor.get("parameters")
    length = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if type(length) is not int or not 0 <= length <= len(tail):
        raise Undecodable(f"tensor {name}: neither data nor a binary_data_size that the body has bytes for")
    return decode_binary(name, datatype, size, tail[:length]), tail[length:]


def _decode_v1(rows: Any, name: str) -> Rows:
    if not isinstance(rows, list):
        raise Undecodable(f"{name}: expected a list of rows")
    columns: dict[str, Column] = {}
    if rows and all(isinstance(row, dict) for row in rows):
        names = list(dict.fromkeys(chain.from_iterable(rows)))
        if len(names) > MAX_COLUMNS or len(names) * len(rows) > MAX_CELLS:
            raise Undecodable(f"{name}: more than {MAX_COLUMNS} columns or {MAX_CELLS} values")
        for column in names:
            _add_v1(columns, column, [row.get(column) for row in rows])
    elif rows:
        _add_v1(columns, name, rows)
    return Rows.of(columns, len(rows))


def _add_v1(columns: dict[str, Column], name: str, values: list[Any]) -> None:
    """Add what the rows hold under one name: one scalar each, or lists of equal length."""
    if not any(isinstance(value, list) for value in values):
        _add(columns, name, _scalars(name, values).reshape(-1, 1))
        return
    flat = [_flatten(name, value) for value in values]
    width = len(flat[0])
    if any(len(row) != width for row in flat):
        raise Undecodable(f"{name}: rows of unequal length")
    if width > MAX_COLUMNS:
        raise Undecodable(f"{name}: more than {MAX_COLUMNS} columns")
    for column, cells in zip(column_names(name, width), zip(*flat, strict=True), strict=True):
        _add(columns, column, _scalars(column, list(cells)).reshape(-1, 1))


def _scalars(name: str, values: list[Any]) -> Column:
    """A column of one type: strings if any value is one, else numbers."""
    return _strings(name, values) if any(isinstance(value, str) for value in values) else _numbers(name, values)


def _add(columns: dict[str, Column], name: str, table: Column) -> None:
    width = table.shape[1]
    if len(columns) + width > MAX_COLUMNS:
        raise Undecodable(f"more than {MAX_COLUMNS} columns")
    for index, column in enumerate(column_names(name, width)):
        if len(column) > MAX_NAME or not column.isprintable():
            raise Undecodable(f"column {column!r:.80}: expected at most {MAX_NAME} printable characters")
        if column in columns:
            raise Undecodable(f"column {column}: given twice")
        columns[column] = table[:, index]


def _flatten(name: str, data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise Undecodable(f"{name}: data {data!r:.80}, expected a list")
    flat: list[Any] = data
    while flat and isinstance(flat[0], list):
        if not all(isinstance(part, list) for part in flat):
            raise Undecodable(f"{name}: data is a list here and a value there")
        flat = list(chain.from_iterable(flat))
    return flat


def _numbers(name: str, values: Iterable[Any]) -> Column:
    for value in values:
        if value is not None and not isinstance(value, (int, float)):
            raise Undecodable(f"{name}: {value!r:.80}, expected a number or null")
    try:
        return as_float32(np.array(values, dtype=np.float64))  # None becomes NaN
    except OverflowError as error:
        raise Undecodable(f"{name}: an integer that no float holds") from error


def _strings(name: str, values: Sequence[Any]) -> Column:
    for value in values:
        if value is not None and not isinstance(value, str):
            raise Undecodable(f"{name}: {value!r:.80}, expected a string or null")
    strings = np.empty(len(values), dtype=np.object_)
    strings[:] = values
    return strings
