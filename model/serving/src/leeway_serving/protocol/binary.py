"""Binary tensors of the Open Inference Protocol: raw little-endian values behind the JSON part of a body."""

from math import prod
from typing import Any

import numpy as np

from leeway_serving.errors import malformed
from leeway_serving.protocol.tensors import place
from leeway_serving.signature import FLOATS, INTEGERS, NUMPY_TYPES, Input

Array = np.ndarray[Any, Any]

_WIRE_TYPES = {
    name: np.dtype(NUMPY_TYPES[name]).newbyteorder("<") for name in NUMPY_TYPES if name in FLOATS | INTEGERS
} | {"BOOL": np.dtype(np.uint8)}
_LENGTH_BYTES = 4


def decode(spec: Input, datatype: str, shape: tuple[int, ...], raw: bytes) -> Array:
    """The tensor of one input.

    What the JSON of the protocol cannot say is refused here too, so that a row means the same in both: infinities, and
    NaN where the input takes no null.

    Args:
        spec: the input.
        datatype: the datatype that was sent, one that the input accepts.
        shape: of the tensor, rows first.
        raw: numbers little-endian one after the other; for BYTES each value in UTF-8 behind its length (4 bytes).

    Raises:
        RequestError: 400, naming the input, and the row where there is one.
    """
    if datatype == "BYTES":
        return _strings(spec, shape, raw)
    wire = _WIRE_TYPES[datatype]
    size = prod(shape)
    if len(raw) != size * wire.itemsize:
        raise malformed(
            f"input '{spec.name}': {len(raw)} bytes were sent; {size * wire.itemsize} were expected for {size} values"
            f" of {datatype}"
        )
    values = np.frombuffer(raw, wire)
    if datatype == "BOOL":
        _refuse_first(values > 1, values, spec, shape, "a byte of 0 or 1 was expected")
    elif datatype in FLOATS:
        wrong = np.isinf(values) if spec.nullable else ~np.isfinite(values)
        _refuse_first(wrong, values, spec, shape, f"{spec.expected.replace('null', 'NaN')} was expected")
    return _as_input(values, spec, shape).reshape(shape)


def encode(array: Array) -> bytes:
    """The raw bytes of one output."""
    if array.dtype != np.object_:
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    encoded = [value.encode() for value in array.ravel().tolist()]
    return b"".join(part for value in encoded for part in (len(value).to_bytes(_LENGTH_BYTES, "little"), value))


def _as_input(values: Array, spec: Input, shape: tuple[int, ...]) -> Array:
    """The values in the datatype of the input, which no value may overflow."""
    wanted = np.dtype(NUMPY_TYPES[spec.datatype])
    misfit = f"a value that fits {spec.datatype} was expected"
    if spec.datatype in INTEGERS:
        limits = np.iinfo(wanted)
        # A Python integer outside the datatype of `values` compares as what it is.
        _refuse_first((values < limits.min) | (values > limits.max), values, spec, shape, misfit)
        return values.astype(wanted, copy=False)
    with np.errstate(over="ignore"):
        converted = values.astype(wanted, copy=False)
    if spec.datatype in FLOATS:
        _refuse_first(np.isinf(converted), values, spec, shape, misfit)
    return converted


def _strings(spec: Input, shape: tuple[int, ...], raw: bytes) -> Array:
    size = prod(shape)
    if size * _LENGTH_BYTES > len(raw):  # before anything is made of a size that is only a claim
        raise malformed(
            f"input '{spec.name}': {len(raw)} bytes were sent; {size} values of BYTES were expected, each behind its"
            f" length in {_LENGTH_BYTES} bytes"
        )
    values: list[str] = []
    at = 0
    for index in range(size):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(raw[at:start], "little")
        if at > len(raw):
            raise malformed(f"{place(spec, shape, index)}: the value is cut off after {max(len(raw) - start, 0)} bytes")
        try:
            values.append(raw[start:at].decode())
        except UnicodeDecodeError:
            raise malformed(f"{place(spec, shape, index)}: a string in UTF-8 was expected") from None
    if at != len(raw):
        raise malformed(f"input '{spec.name}': {len(raw) - at} bytes are behind its {size} values; none was expected")
    return np.array(values, dtype=np.object_).reshape(shape)


def _refuse_first(wrong: Array, values: Array, spec: Input, shape: tuple[int, ...], expected: str) -> None:
    if wrong.any():
        index = int(wrong.argmax())
        raise malformed(f"{place(spec, shape, index)}: {values[index].item()} was sent; {expected}")
