"""The Open Inference Protocol, version 2, with JSON tensors."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import orjson

from leeway_serving.errors import malformed
from leeway_serving.protocol.tensors import Column, build, check_rows, flatten, json_type, quoted
from leeway_serving.protocol.v1 import parse_object
from leeway_serving.signature import NUMPY_TYPES, Input, Signature, Tensors

_DATATYPES = {np.dtype(number): name for name, number in NUMPY_TYPES.items()}


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A decoded request.

    Attributes:
        tensors: by input name.
        rows: their common number of rows.
        outputs: names of the outputs asked for, in order; all of the model's if the request names none.
        id: the request's own id, if it has one.
    """

    tensors: Tensors
    rows: int
    outputs: tuple[str, ...]
    id: str | None


def decode(body: bytes, signature: Signature, *, max_rows: int) -> InferRequest:
    """Reads the body of `POST /v2/models/{model}/infer`.

    Raises:
        RequestError: 400 or 413, saying what, where, and what was expected.
    """
    request = parse_object(body)
    request_id = request.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise malformed(f"'id' is {json_type(request_id)}; a string was expected")
    given = request.get("inputs")
    if not isinstance(given, list):
        raise malformed("'inputs' is missing or no list; a list of tensors {name, datatype, shape, data} was expected")
    columns: dict[str, Column] = {}
    rows: int | None = None
    for index, tensor in enumerate(given):
        column = _column(tensor, index, signature, max_rows)
        name = column.input.name
        if name in columns:
            raise malformed(f"inputs[{index}]: input '{name}' is there twice")
        rows = column.shape[0] if rows is None else rows
        if column.shape[0] != rows:
            raise malformed(
                f"input '{name}' has {column.shape[0]} rows; {rows} were expected, as in '{given[0]['name']}'"
            )
        columns[name] = column
    if rows is None or len(columns) != len(signature.inputs):
        missing = [i.name for i in signature.inputs if i.name not in columns]
        raise malformed(f"inputs: {quoted(missing)} missing; every input of the model was expected")
    return InferRequest(build(list(columns.values())), rows, _requested(request.get("outputs"), signature), request_id)


def encode(outputs: Tensors, *, model: str, version: str, request_id: str) -> bytes:
    """The body of the answer; tensor data is flat, in row-major order, NaN is null."""
    tensors = [
        {
            "name": name,
            "datatype": _DATATYPES[array.dtype],
            "shape": array.shape,
            "data": array.ravel().tolist() if array.dtype == np.object_ else np.ascontiguousarray(array).ravel(),
        }
        for name, array in outputs.items()
    ]
    answer = {"model_name": model, "model_version": version, "id": request_id, "outputs": tensors}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def _column(tensor: Any, index: int, signature: Signature, max_rows: int) -> Column:
    if not isinstance(tensor, dict):
        raise malformed(f"inputs[{index}] is {json_type(tensor)}; an object was expected")
    name, datatype, data = tensor.get("name"), tensor.get("datatype"), tensor.get("data")
    spec = signature.by_name.get(name) if isinstance(name, str) else None
    if spec is None:
        raise malformed(f"inputs[{index}]: the model has no input {name!r}; expected are {quoted(signature.by_name)}")
    if not isinstance(datatype, str) or datatype not in spec.accepts:
        raise malformed(f"input '{name}': datatype {datatype!r} was sent; {spec.datatype} was expected")
    if not isinstance(data, list):
        raise malformed(f"input '{name}': 'data' is missing or no list; a list of {spec.datatype} values was expected")
    shape = _shape(tensor.get("shape"), spec, max_rows)
    if data and isinstance(data[0], list):
        data, _ = flatten(data, tensor["shape"], f"input '{name}'")
    if len(data) != prod(shape):
        raise malformed(f"input '{name}': shape {tensor['shape']} has {prod(shape)} values; 'data' has {len(data)}")
    return Column(spec, shape, data)


def _shape(shape: Any, spec: Input, max_rows: int) -> tuple[int, ...]:
    """The model's shape for the shape sent: a feature may come as `[n]` or `[n,1]`, whichever the graph has."""
    if not isinstance(shape, list) or not shape or set(map(type, shape)) != {int} or min(shape) < 0:
        raise malformed(f"input '{spec.name}': shape {shape!r} was sent; a list of lengths was expected, rows first")
    rows = shape[0]
    check_rows(rows, max_rows)
    if spec.rows is not None and rows != spec.rows:
        raise malformed(f"input '{spec.name}': shape {shape} was sent; this model takes exactly {spec.rows} rows")
    rest = shape[1:]
    if spec.scalar and (rest == [1] or not rest):
        return (rows, *spec.row_shape)
    if len(rest) != len(spec.row_shape) or any(e not in (-1, s) for s, e in zip(rest, spec.row_shape, strict=True)):
        wanted = [-1, *spec.row_shape]
        raise malformed(f"input '{spec.name}': shape {shape} was sent; {wanted} was expected, -1 being any length")
    return tuple(shape)


def _requested(outputs: Any, signature: Signature) -> tuple[str, ...]:
    if not outputs:
        return signature.output_names
    if not isinstance(outputs, list):
        raise malformed(f"'outputs' is {json_type(outputs)}; a list of {{name}} was expected")
    names: list[str] = []
    for output in outputs:
        name = output.get("name") if isinstance(output, dict) else None
        if name not in signature.output_names:
            raise malformed(f"outputs: there is no output {name!r}; expected are {quoted(signature.output_names)}")
        if name not in names:
            names.append(name)
    return tuple(names)
