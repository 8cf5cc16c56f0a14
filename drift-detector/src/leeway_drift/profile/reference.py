"""A sample of the reference's rows for detectors that need raw values: ``drift-reference.npz``, without pickles."""

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Float32Array, as_float32
from leeway_drift.counting.bins import code_categorical
from leeway_drift.counting.counts import Integers
from leeway_drift.profile.describe import describe_categorical
from leeway_drift.profile.errors import ProfileError
from leeway_drift.profile.model import Profile
from leeway_drift.profile.windows import cut_windows

Codes = npt.NDArray[np.int16]

_MAX_BYTES = 2**28
_BLOCK = "block"
_FEATURE = "feature:"


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceRows:
    """Rows of the reference in order of time.

    Attributes:
        numeric: by name float32 ``[rows]``, NaN where missing.
        categorical: by name int16 ``[rows]``: index into the profile's categories, -1 where missing,
            ``len(categories)`` for a value that is not listed.
        block: int32 ``[rows]``, ascending from 0: rows of one block are consecutive in time.
    """

    numeric: Mapping[str, Float32Array]
    categorical: Mapping[str, Codes]
    block: npt.NDArray[np.int32]


def build_reference(
    columns: Mapping[str, npt.NDArray[Any]],
    *,
    categorical: Collection[str],
    profile: Mapping[str, Any],
    time: npt.NDArray[np.int64] | None,
    rows: int,
) -> bytes:
    """Build the sample: whole blocks of consecutive rows, spread evenly over the reference. Equal inputs, equal bytes.

    Args:
        columns: the model's inputs, each ``[n]``, as ``build_profile`` got them; those left out here are in no sample.
        categorical: names of the columns that hold strings.
        profile: what ``build_profile`` returned.
        time: epoch seconds ``[n]``; without it the rows are taken to be in order.
        rows: kept at most; all if there are fewer.

    Raises:
        ProfileError: a column is not in the profile or not what it says.
    """
    parsed = Profile.parse(dict(profile))
    if rows <= 0:
        raise ProfileError(f"rows: {rows}, expected at least 1 to keep")
    if unknown := sorted(set(columns) - set(parsed.features)):
        raise ProfileError(f"columns that are not in the profile: {', '.join(unknown)}")
    size = len(next(iter(columns.values()))) if columns else 0
    order = np.arange(size) if time is None else np.argsort(time, kind="stable")
    beats = np.arange(size, dtype=np.int64) if time is None else time.astype(np.int64)[order]
    chosen, block = _choose(beats, parsed, rows, timed=time is not None)
    arrays: dict[str, npt.NDArray[Any]] = {_BLOCK: block}
    for name, values in columns.items():
        kept = values[order[chosen]]
        if name in categorical:
            _, strings = describe_categorical(name, kept)
            arrays[_FEATURE + name] = code_categorical(strings.tolist(), parsed.features[name].plan.categories)
        else:
            arrays[_FEATURE + name] = as_float32(kept)
    return _pack(arrays)


def read_reference(data: bytes, profile: Profile) -> ReferenceRows:
    """Read what ``build_reference`` wrote for this profile.

    Raises:
        ProfileError: it is something else.
    """
    arrays = _unpack(data)
    block = arrays.pop(_BLOCK, np.empty(0))
    if block.dtype != np.int32 or block.ndim != 1 or np.any(np.diff(block) < 0):
        raise ProfileError("reference, block: expected ascending int32")
    numeric: dict[str, Float32Array] = {}
    categorical: dict[str, Codes] = {}
    for key, values in arrays.items():
        name = key.removeprefix(_FEATURE)
        column = profile.features.get(name)
        if column is None or key == name:
            raise ProfileError(f"reference, {key:.80}: expected a feature of the profile")
        if values.shape != block.shape:
            raise ProfileError(f"reference, {name}: shape {values.shape}, expected {block.shape} as block has")
        if column.numeric:
            if values.dtype != np.float32:
                raise ProfileError(f"reference, {name}: {values.dtype}, expected float32")
            numeric[name] = values
        else:
            if values.dtype != np.int16 or np.any((values < -1) | (values >= column.plan.size)):
                raise ProfileError(f"reference, {name}: expected int16 codes from -1 to {column.plan.size - 1}")
            categorical[name] = values
    return ReferenceRows(numeric, categorical, block)


def _choose(beats: Integers, profile: Profile, rows: int, *, timed: bool) -> tuple[Integers, npt.NDArray[np.int32]]:
    """Rows to keep and their blocks: evenly spaced rows of every window, so that a block still spans its time."""
    offsets = cut_windows(beats, profile.window_rows, profile.window_seconds if timed else 0.0)
    window = np.searchsorted(offsets[1:], np.arange(beats.size), side="right")
    chosen = np.arange(beats.size)
    if beats.size > rows:
        chosen = np.arange(rows, dtype=np.int64) * beats.size // rows
    return chosen, window[chosen].astype(np.int32)


def _unpack(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """Arrays by name; a few bytes that claim to be many are refused before they are."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if (size := sum(member.file_size for member in archive.infolist())) > _MAX_BYTES:
                raise ProfileError(f"reference: {size} bytes unpacked, expected at most {_MAX_BYTES}")
            return {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()}
    # What zipfile raises for damage, for what it cannot unpack, and for what is encrypted; then NumPy for headers.
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, zlib.error, ValueError, tokenize.TokenError) as error:
        if isinstance(error, ProfileError):
            raise
        raise ProfileError(f"reference: {error!s:.200}, expected an npz without pickles") from error


def _array(data: bytes) -> npt.NDArray[Any]:
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array of another version than 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"an array of {dtype} {shape!s:.80} in {len(data)} bytes")
    return np.frombuffer(data, dtype=dtype, offset=stream.tell()).reshape(shape)


def _pack(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """An npz whose bytes do not depend on the clock, as those of ``numpy.savez`` do."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in sorted(arrays.items()):
            array = io.BytesIO()
            np.lib.format.write_array(array, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), array.getvalue())
    return packed.getvalue()
