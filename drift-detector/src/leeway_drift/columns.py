"""Columns: what a request, a response and the reference are made of, whatever shape they were sent in."""

import numpy as np
import numpy.typing as npt

from leeway_drift.bins import Float32Array


def column_names(name: str, width: int) -> list[str]:
    """Name the columns of a tensor ``[rows, width]``: a single one as the tensor, else ``name.0``, ``name.1``, and so on."""
    return [name] if width == 1 else [f"{name}.{index}" for index in range(width)]


def as_float32(values: npt.NDArray[np.generic]) -> Float32Array:
    """Cast as the model's inputs are cast; what is too large becomes infinite, and -0.0 becomes 0.0 (one bin)."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32) + np.float32(0)
