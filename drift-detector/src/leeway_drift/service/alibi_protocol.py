"""What the detector and its Alibi-Detect worker say to each other: frames over the worker's stdin and stdout.

A frame is 16 bytes (``LWA1``, the header's length as u32 and the arrays' as u64, little-endian), then the header as
JSON, then the arrays as an npz file without pickles. The detector sends ``load`` or ``judge`` and the worker answers
each with one frame; an answer with ``error`` says in one sentence what it could not do.
"""

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_drift.detectors.interface import ColumnScore, Judgement, Reference, Verdict

Arrays = Mapping[str, npt.NDArray[Any]]

_PREFIX = struct.Struct("<4sIQ")
PREFIX_BYTES = _PREFIX.size
MAX_HEADER_BYTES = 16 << 20
MAX_ARRAYS_BYTES = 256 << 20
_MAGIC = b"LWA1"


class FrameError(ValueError):
    """What came is no frame; the message says what was found and what was expected."""


def encode(header: Mapping[str, Any], arrays: Arrays | None = None) -> bytes:
    """One frame.

    Raises:
        FrameError: an array holds objects, or the frame is over its limits.
    """
    text = json.dumps(header, allow_nan=False).encode()
    packed = _pack(arrays) if arrays else b""
    _within_limits(len(text), len(packed))
    return _PREFIX.pack(_MAGIC, len(text), len(packed)) + text + packed


def lengths(prefix: bytes) -> tuple[int, int]:
    """Bytes of header and arrays that follow a frame's first ``PREFIX_BYTES``.

    Raises:
        FrameError: it is not how a frame begins, or more follows than a frame may hold.
    """
    if len(prefix) != PREFIX_BYTES:
        raise FrameError(f"{len(prefix)} bytes and then the end, expected a frame's first {PREFIX_BYTES}")
    magic, header, arrays = _PREFIX.unpack(prefix)
    if magic != _MAGIC:
        raise FrameError(f"a frame that begins with {magic!r}, expected {_MAGIC!r}")
    _within_limits(header, arrays)
    return header, arrays


def decode(header: bytes, arrays: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Header and arrays of a frame.

    Raises:
        FrameError: the header is no JSON object, or the arrays are no npz file free of pickles.
    """
    try:
        document = json.loads(header)
    except ValueError as error:
        raise FrameError(f"a header that is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise FrameError(f"a header of type {type(document).__name__}, expected an object")
    return document, _unpack(arrays) if arrays else {}


def judgement_to_json(judgement: Judgement) -> dict[str, Any]:
    """A judgement as JSON-safe objects."""
    return {
        "detector": judgement.detector,
        "reference": judgement.reference.value,
        "verdict": judgement.verdict.value,
        "score_ratio": judgement.score_ratio,
        "calibrated": judgement.calibrated,
        "reason": judgement.reason,
        "columns": [[column.name, dict(column.statistics), column.score_ratio] for column in judgement.columns],
    }


def judgement_from_json(document: Any) -> Judgement:
    """The judgement that ``judgement_to_json`` wrote.

    Raises:
        FrameError: it is not one.
    """
    try:
        return Judgement(
            detector=str(document["detector"]),
            reference=Reference(document["reference"]),
            verdict=Verdict(document["verdict"]),
            score_ratio=_optional(document["score_ratio"]),
            calibrated=bool(document["calibrated"]),
            reason=str(document["reason"]),
            columns=tuple(
                ColumnScore(str(name), {str(key): float(value) for key, value in statistics.items()}, _optional(ratio))
                for name, statistics, ratio in document["columns"]
            ),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FrameError(f"no judgement: {error!r}") from error


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)


def _within_limits(header: int, arrays: int) -> None:
    if header > MAX_HEADER_BYTES or arrays > MAX_ARRAYS_BYTES:
        raise FrameError(
            f"a frame of {header} and {arrays} bytes, expected at most {MAX_HEADER_BYTES} and {MAX_ARRAYS_BYTES}"
        )


def _pack(arrays: Arrays) -> bytes:
    if objects := sorted(name for name, values in arrays.items() if values.dtype.hasobject):
        raise FrameError(f"arrays of objects, expected numbers only: {', '.join(objects)}")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, values in arrays.items():
            with file.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
    return buffer.getvalue()


def _unpack(packed: bytes) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # whatever zipfile and numpy say of bytes that are no npz file
        raise FrameError(f"arrays that are no npz file: {error!r}") from error
