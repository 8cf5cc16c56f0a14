"""The Open Inference Protocol, version 2, with tensors in JSON or binary behind it."""

from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
import orjson

from leeway_serving.errors import malformed
from leeway_serving.protocol import binary
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
        binary: names of the outputs that are wanted as binary tensors.
        id: the request's own id, if it has one.
    """

    tensors: Tensors
    rows: int
    outputs: tuple[str, ...]
    binary: frozenset[str]
    id: str | None


class InferAnswer(NamedTuple):
    """The body of an answer, and how much of it is JSON when binary tensors follow; None when none do."""

    body: bytes
    json_bytes: int | None = None


class _Tail:
    """The binary tensors behind the JSON part, which the inputs take in the order in which they are listed."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def take(self, size: int, name: str) -> bytes:
        left = len(self._raw) - self._at
        if size > left:
            raise malformed(f"input '{name}': 'binary_data_size' is {size}; {left} bytes are left behind the JSON")
        self._at += size
        return self._raw[self._at - size : self._at]

    def end(self) -> None:
        if left := len(self._raw) - self._at:
            raise malformed(f"the body has {left} bytes behind its last tensor; none was expected")


def decode(body: bytes, signature: Signature, *, max_rows: int, json_bytes: int | None = None) -> InferRequest:
    """Reads the body of `POST /v2/models/{model}/infer`.

    Args:
        body: JSON, and binary tensors behind it.
        signature: the model's.
        max_rows: limit on the rows.
        json_bytes: how much of the body is JSON; all of it if None.

    Raises:
        RequestError: 400 or 413, saying what, where, and what was expected.
    """
    if json_bytes is not None and json_bytes > len(body):
        raise malformed(f"inference-header-content-length is {json_bytes}; the body has {len(body)} bytes")
    tail = _Tail(b"" if json_bytes is None else body[json_bytes:])
    request = parse_object(body if json_bytes is None else body[:json_bytes])
    request_id = request.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise malformed(f"'id' is {json_type(request_id)}; a string was expected")
    given = request.get("inputs")
    if not isinstance(given, list):
        raise malformed("'inputs' is missing or no list; a list of tensors {name, datatype, shape, data} was expected")
    columns: dict[str, Column] = {}
    tensors: Tensors = {}
    rows: int | None = None
    for index, tensor in enumerate(given):
        spec, shape = _announced(tensor, index, signature, max_rows)
        name = spec.name
        if name in columns or name in tensors:
            raise malformed(f"inputs[{index}]: input '{name}' is there twice")
        rows = shape[0] if rows is None else rows
        if shape[0] != rows:
            raise malformed(f"input '{name}' has {shape[0]} rows; {rows} were expected, as in '{given[0]['name']}'")
        if "data" not in tensor and (size := _binary_size(tensor, spec)) is not None:
            tensors[name] = binary.decode(spec, tensor["datatype"], shape, tail.take(size, name))
        else:
            columns[name] = Column(spec, shape, _values(tensor, spec, shape))
    if rows is None or len(columns) + len(tensors) != len(signature.inputs):
        missing = [i.name for i in signature.inputs if i.name not in columns and i.name not in tensors]
        raise malformed(f"inputs: {quoted(missing)} missing; every input of the model was expected")
    tail.end()
    outputs, wanted_binary = _requested(request, signature)
    return InferRequest(build(list(columns.values())) | tensors, rows, outputs, wanted_binary, request_id)


def encode(
    outputs: Tensors, *, model: str, version: str, request_id: str, binary_outputs: frozenset[str] = frozenset()
) -> InferAnswer:
    """The answer; tensor data is flat, in row-major order, and in JSON NaN is null."""
    tensors: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for name, array in outputs.items():
        tensor = {"name": name, "datatype": _DATATYPES[array.dtype], "shape": array.shape}
        if name in binary_outputs:
            tail.append(binary.encode(array))
            tensor["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            flat = array.ravel()
            tensor["data"] = flat.tolist() if array.dtype == np.object_ else np.ascontiguousarray(flat)
        tensors.append(tensor)
    answer = {"model_name": model, "model_version": version, "id": request_id, "outputs": tensors}
    head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return InferAnswer(b"".join((head, *tail)), len(head)) if tail else InferAnswer(head)


def _announced(tensor: Any, index: int, signature: Signature, max_rows: int) -> tuple[Input, tuple[int, ...]]:
    """The input that a tensor is for, and its shape there."""
    if not isinstance(tensor, dict):
        raise malformed(f"inputs[{index}] is {json_type(tensor)}; an object was expected")
    name, datatype = tensor.get("name"), tensor.get("datatype")
    spec = signature.by_name.get(name) if isinstance(name, str) else None
    if spec is None:
        raise malformed(f"inputs[{index}]: the model has no input {name!r}; expected are {quoted(signature.by_name)}")
    if not isinstance(datatype, str) or datatype not in spec.accepts:
        raise malformed(f"input '{name}': datatype {datatype!r} was sent; {spec.datatype} was expected")
    return spec, _shape(tensor.get("shape"), spec, max_rows)


def _binary_size(tensor: dict[str, Any], spec: Input) -> int | None:
    """How many bytes of the tail are the tensor's; None if it does not say that it is a binary one."""
    size = _parameters(tensor, f"input '{spec.name}'").get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise malformed(f"input '{spec.name}': 'binary_data_size' is {size!r}; a number of bytes was expected")
    return size


def _values(tensor: dict[str, Any], spec: Input, shape: tuple[int, ...]) -> list[Any]:
    """The flat JSON values of a tensor."""
    data = tensor.get("data")
    if not isinstance(data, list):
        raise malformed(
            f"input '{spec.name}': 'data' is missing or no list; a list of {spec.datatype} values was expected"
        )
    if data and isinstance(data[0], list):
        data, _ = flatten(data, tensor["shape"], f"input '{spec.name}'")
    if len(data) != prod(shape):
        raise malformed(
            f"input '{spec.name}': shape {tensor['shape']} has {prod(shape)} values; 'data' has {len(data)}"
        )
    return data


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


def _requested(request: dict[str, Any], signature: Signature) -> tuple[tuple[str, ...], frozenset[str]]:
    """Names of the outputs asked for, and of those that are to be binary; an output's own wish goes first."""
    every = _flag(_parameters(request, "the request"), "binary_data_output", "the request", otherwise=False)
    outputs = request.get("outputs")
    if not outputs:
        return signature.output_names, frozenset(signature.output_names if every else ())
    if not isinstance(outputs, list):
        raise malformed(f"'outputs' is {json_type(outputs)}; a list of {{name}} was expected")
    wishes: dict[str, bool] = {}
    for output in outputs:
        name = output.get("name") if isinstance(output, dict) else None
        if name not in signature.output_names:
            raise malformed(f"outputs: there is no output {name!r}; expected are {quoted(signature.output_names)}")
        where = f"output '{name}'"
        wishes[name] = _flag(_parameters(output, where), "binary_data", where, otherwise=every)
    return tuple(wishes), frozenset(name for name, wish in wishes.items() if wish)


def _parameters(owner: dict[str, Any], where: str) -> dict[str, Any]:
    parameters = owner.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise malformed(f"{where}: 'parameters' is {json_type(parameters)}; an object was expected")
    return parameters


def _flag(parameters: dict[str, Any], name: str, where: str, *, otherwise: bool) -> bool:
    flag = parameters.get(name)
    if flag is None:
        return otherwise
    if not isinstance(flag, bool):
        raise malformed(f"{where}: '{name}' is {json_type(flag)}; true or false was expected")
    return flag
