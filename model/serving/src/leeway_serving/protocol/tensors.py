"""Lists of JSON values to arrays, with errors that name the row and the feature."""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from leeway_serving.errors import malformed, too_large
from leeway_serving.signature import FLOATS, INTEGERS, NUMPY_TYPES, Input, Tensors

_PYTHON_TYPES: dict[str, frozenset[type]] = {
    **{name: frozenset({int, float}) for name in FLOATS},
    **{name: frozenset({int}) for name in INTEGERS},
    "BOOL": frozenset({bool}),
    "BYTES": frozenset({str}),
}
_JSON_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


class Column(NamedTuple):  # a frozen dataclass takes three times as long to make, and there is one a feature
    """All values that a request sends for one input: flat, row by row, not yet checked.

    Attributes:
        input: the input they are for.
        shape: shape of the tensor, rows first; the product of its lengths is the length of `values`.
        values: JSON values.
    """

    input: Input
    shape: tuple[int, ...]
    values: list[Any]


def check_rows(rows: int, limit: int) -> None:
    """Refuses requests with no row, or more rows than one call may hold the event loop for.

    Raises:
        RequestError: 400 for none, 413 for more than `limit`.
    """
    if rows > limit:
        raise too_large(f"the request has {rows} rows; the limit of this server is {limit} rows a request")
    if rows < 1:
        raise malformed("the request has no rows; at least one was expected")


def json_type(value: object) -> str:
    """The name of a JSON value's type with its article."""
    return "null" if value is None else _JSON_NAMES[type(value)]


def quoted(names: Iterable[str]) -> str:
    """Names as error messages list them."""
    return ", ".join(f"'{name}'" for name in names)


def flatten(values: list[Any], shape: Sequence[int], where: str) -> tuple[list[Any], tuple[int, ...]]:
    """Nested lists of exactly `shape` to one flat list in row-major order.

    Args:
        values: the outermost list.
        shape: expected lengths from the outside in; -1 takes the length of the first list found at that depth.
        where: what to call `values` in an error.

    Returns:
        The flat list, and the shape without -1.

    Raises:
        RequestError: 400, when a list is ragged, too long, too short or no list at all.
    """
    if shape[0] not in (-1, len(values)):
        raise malformed(f"{where} has {len(values)} rows; {shape[0]} were expected")
    found = [len(values)]
    for expected in shape[1:]:
        first = values[0] if values else None
        length = len(first) if expected == -1 and isinstance(first, list) else expected
        for index, item in enumerate(values):
            if not isinstance(item, list) or len(item) != length:
                got = f"a list of {len(item)}" if isinstance(item, list) else json_type(item)
                row = index // prod(found[1:])
                raise malformed(f"{where}, row {row}: a list of {length} values was expected, not {got}")
        found.append(length)
        values = [value for item in values for value in item]
    return values, tuple(found)


def build(columns: Sequence[Column]) -> Tensors:
    """Checks the values of all inputs and makes their tensors.

    Inputs of one datatype share one list and one array, so that the cost of a small request does not grow with the
    number of features; only a request with an error in it is looked at value by value.

    Raises:
        RequestError: 400, naming the row and feature of the first value that is not of its input's type.
    """
    groups: dict[str, list[Column]] = {}
    for column in columns:
        groups.setdefault(column.input.datatype, []).append(column)
    tensors: Tensors = {}
    for datatype, group in groups.items():
        values = group[0].values if len(group) == 1 else [value for column in group for value in column.values]
        types = set(map(type, values))
        expected = _PYTHON_TYPES[datatype]
        if not types <= expected:
            for column in group:
                _name_wrong_type(column, expected)
        try:
            array = _convert(values, datatype)
        except (OverflowError, FloatingPointError):
            for column in group:
                _name_misfit(column)
            raise
        start = 0
        for column in group:
            end = start + len(column.values)
            tensors[column.input.name] = array[start:end].reshape(column.shape)
            start = end
    return tensors


def _convert(values: list[Any], datatype: str) -> np.ndarray[Any, Any]:
    with np.errstate(over="raise"):  # else 1e39 would become an infinite FP32
        return np.array(values, dtype=NUMPY_TYPES[datatype])


def _name_misfit(column: Column) -> None:
    """Raises for the first value that the input's datatype cannot hold."""
    for index, value in enumerate(column.values):
        try:
            _convert([value], column.input.datatype)
        except (OverflowError, FloatingPointError):
            where = place(column.input, column.shape, index)
            raise malformed(f"{where}: {value} does not fit {column.input.datatype}") from None


def _name_wrong_type(column: Column, expected: frozenset[type]) -> None:
    """Raises for the first value of a wrong type; returns when there are only nulls where null may be."""
    allowed = expected | {type(None)} if column.input.nullable else expected
    for index, value in enumerate(column.values):
        if type(value) not in allowed:
            where = place(column.input, column.shape, index)
            raise malformed(f"{where}: {column.input.expected} was expected, not {json_type(value)}")


def place(spec: Input, shape: Sequence[int], index: int) -> str:
    """What error messages call the value at `index` of an input's flat values."""
    row_length = prod(shape[1:])
    where = f"row {index // row_length}, input '{spec.name}'"
    return where if row_length == 1 else f"{where}, value {index % row_length}"
