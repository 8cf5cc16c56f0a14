"""Binary tensors of the Open Inference Protocol: raw little-endian values behind the JSON part of a body."""

from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import as_float32
from leeway_drift.reading.errors import Undecodable

NUMBERS = {
    "BOOL": "?",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""numpy's name of every numeric datatype of the protocol that is watched."""

_LENGTH_BYTES = 4


def decode_binary(name: str, datatype: str, size: int, raw: bytes) -> npt.NDArray[Any]:
    """Decode the raw bytes of one tensor.

    Args:
        name: of the tensor, for messages.
        datatype: ``BYTES`` or one of ``NUMBERS``.
        size: number of values expected.
        raw: numbers little-endian one after the other; for BYTES each value behind its length (4 bytes).

    Returns:
        float32, or objects (str) for BYTES; shape ``[size]``.

    Raises:
        Undecodable: bytes that are not ``size`` values.
    """
    if datatype == "BYTES":
        return _strings(name, size, raw)
    dtype = np.dtype(NUMBERS[datatype])
    if len(raw) != size * dtype.itemsize:
        raise Undecodable(f"tensor {name}: {len(raw)} bytes, expected {size * dtype.itemsize} for {size} {datatype}")
    return as_float32(np.frombuffer(raw, dtype=dtype))


def _strings(name: str, size: int, raw: bytes) -> npt.NDArray[Any]:
    values = np.empty(size, dtype=np.object_)
    at = 0
    for index in range(size):
        start = at + _LENGTH_BYTES
        length = int.from_bytes(raw[at:start], "little")
        at = start + length
        if at > len(raw):
            raise Undecodable(f"tensor {name}: value {index} of {size} is cut off")
        values[index] = raw[start:at].decode(errors="replace")
    if at != len(raw):
        raise Undecodable(f"tensor {name}: {len(raw) - at} bytes behind its {size} values")
    return values
