"""The drift profile: what training saw, as counts without a single raw row, to be compared with what is served."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import as_float32, column_names
from leeway_drift.counting.bins import count_categorical, count_numeric, frequent_categories, numeric_edges

SCHEMA_VERSION = 1


class ProfileError(ValueError):
    """The reference cannot be profiled; the message names the column and what was expected."""


def build_profile(
    columns: Mapping[str, npt.NDArray[Any]],
    *,
    categorical: Collection[str],
    outputs: Mapping[str, npt.NDArray[Any]],
) -> dict[str, Any]:
    """Build the profile that a bundle carries as ``drift-profile.json`` (``schemas/drift-profile.schema.json``).

    Equal inputs give equal profiles, on every supported numpy. Values are profiled as float32, as the model sees them.

    Args:
        columns: the model's inputs, each of shape ``[rows]``; NaN is a missing number, None (or NaN among objects) a
            missing category.
        categorical: names of the columns that hold strings.
        outputs: the model's numeric answers for the same rows, each ``[rows]`` or ``[rows, k]``; with k > 1 every
            column is profiled under ``name.0`` … ``name.<k-1>``.

    Returns:
        The profile as JSON-safe Python objects.

    Raises:
        ProfileError: no rows, unequal lengths, infinite numbers, non-strings in a categorical column, or a
            categorical column that does not exist.
    """
    if unknown := sorted(set(categorical) - set(columns)):
        raise ProfileError(f"categorical names columns that are not there: {', '.join(unknown)}")
    if not columns:
        raise ProfileError("no columns: expected at least one input of the model")
    rows = len(next(iter(columns.values())))
    if rows == 0:
        raise ProfileError("no rows: expected at least one row of reference data")
    features: dict[str, Any] = {}
    for name, values in columns.items():
        if values.shape != (rows,):
            raise ProfileError(f"column {name}: shape {values.shape}, expected ({rows},) as the first column has")
        features[name] = _categorical(name, values) if name in categorical else _numeric(f"column {name}", values)
    profiled: dict[str, Any] = {}
    for name, values in outputs.items():
        if values.ndim not in (1, 2) or len(values) != rows:
            raise ProfileError(f"output {name}: shape {values.shape}, expected ({rows},) or ({rows}, k)")
        table = values.reshape(rows, -1)
        for index, column in enumerate(column_names(name, table.shape[1])):
            profiled[column] = _numeric(f"output {column}", table[:, index])
    return {
        "schema_version": SCHEMA_VERSION,
        "calibrated": False,
        "rows": rows,
        "features": features,
        "outputs": profiled,
    }


def _numeric(where: str, values: npt.NDArray[Any]) -> dict[str, Any]:
    if values.dtype.kind not in "biuf":
        raise ProfileError(f"{where}: type {values.dtype}, expected numbers (strings belong in categorical)")
    numbers = as_float32(values)
    if (infinite := np.flatnonzero(np.isinf(numbers))).size:
        row = int(infinite[0])
        raise ProfileError(f"{where}, row {row}: {values[row]} is not a finite float32")
    present = numbers[~np.isnan(numbers)]
    edges = numeric_edges(present)
    return {
        "kind": "numeric",
        "edges": [float(edge) for edge in edges],
        "counts": count_numeric(present, edges),
        "nulls": int(numbers.size - present.size),
        "minimum": float(present.min()) if present.size else None,
        "maximum": float(present.max()) if present.size else None,
    }


def _categorical(name: str, values: npt.NDArray[Any]) -> dict[str, Any]:
    present: list[str] = []
    for row, value in enumerate(values.tolist()):
        if isinstance(value, str):
            present.append(value)
        elif value is not None and value == value:  # noqa: PLR0124 - NaN alone differs from itself
            raise ProfileError(f"column {name}, row {row}: {value!r}, expected a string or None")
    categories = frequent_categories(present)
    return {
        "kind": "categorical",
        "categories": categories,
        "counts": count_categorical(present, categories),
        "nulls": values.size - len(present),
    }
