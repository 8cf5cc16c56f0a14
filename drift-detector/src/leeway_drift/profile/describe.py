"""The columns of a reference as a profile's document has them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import as_float32
from leeway_drift.counting.bins import code_categorical, code_numeric, count_codes, frequent_categories, numeric_edges
from leeway_drift.profile.errors import ProfileError

_MARGIN = 0.1  # of the reference's range: a little beyond what was seen is weather, far beyond is a fault
_TAIL = 0.01  # of a heavy tail, such as rain, the last hundredth says how far "a little" is


def rounded(value: float) -> float:
    """Six significant digits: what is left of a float once the last bits of logarithms differ between processors."""
    return float(f"{value:.6g}")


def describe_numeric(
    where: str, values: npt.NDArray[Any], declared: Mapping[str, float]
) -> tuple[dict[str, Any], npt.NDArray[np.float32]]:
    """Describe a numeric column.

    Args:
        where: its name, for messages.
        values: ``[rows]``.
        declared: ``minimum`` and ``maximum``, beyond which a value is implausible; by default a tenth of the
            reference's range beyond its ends.

    Returns:
        Its part of the document, and its values as float32.

    Raises:
        ProfileError: they are no numbers, or some are infinite.
    """
    if values.dtype.kind not in "biuf":
        raise ProfileError(f"{where}: type {values.dtype}, expected numbers (strings belong in categorical)")
    numbers = as_float32(values)
    if (infinite := np.flatnonzero(np.isinf(numbers))).size:
        row = int(infinite[0])
        raise ProfileError(f"{where}, row {row}: {values[row]} is not a finite float32")
    present = numbers[~np.isnan(numbers)]
    edges = numeric_edges(present)
    document: dict[str, Any] = {
        "kind": "numeric",
        "edges": [float(edge) for edge in edges],
        "counts": count_codes(code_numeric(present, edges), edges.size + 1).tolist(),
        "nulls": int(numbers.size - present.size),
        "minimum": float(present.min()) if present.size else None,
        "maximum": float(present.max()) if present.size else None,
        "scale": 0.0,
        "bounds": [],
    }
    if present.size:
        # Sorted first, so that the order of the rows does not reach the last digits.
        document["scale"] = rounded(float(np.sort(present).astype(np.float64).std()))
        lower, upper = _plausible(present)
        document["bounds"] = [declared.get("minimum", lower), declared.get("maximum", upper)]
    return document, numbers


def _plausible(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    ordered = np.sort(values)
    rank = int(_TAIL * (ordered.size - 1))
    lowest, low, high, highest = (float(ordered[index]) for index in (0, rank, -1 - rank, -1))
    margin = _MARGIN * (highest - lowest)
    lower, upper = lowest - max(margin, low - lowest), highest + max(margin, highest - high)
    largest = float(np.finfo(np.float32).max)
    return float(np.float32(max(lower, -largest))), float(np.float32(min(upper, largest)))


def describe_categorical(name: str, values: npt.NDArray[Any]) -> tuple[dict[str, Any], npt.NDArray[np.object_]]:
    """Describe a column of strings.

    Returns:
        Its part of the document, and its values with None for every missing one.

    Raises:
        ProfileError: a value is neither a string nor missing.
    """
    strings = np.empty(values.size, dtype=np.object_)
    for row, value in enumerate(values.tolist()):
        if isinstance(value, str):
            strings[row] = value
        elif value is not None and value == value:  # noqa: PLR0124 - NaN alone differs from itself
            raise ProfileError(f"column {name}, row {row}: {value!r}, expected a string or None")
    present = [value for value in strings.tolist() if value is not None]
    categories = frequent_categories(present)
    document = {
        "kind": "categorical",
        "categories": categories,
        "counts": count_codes(code_categorical(present, categories), len(categories) + 1).tolist(),
        "nulls": values.size - len(present),
    }
    return document, strings
