"""The fast path of decoding: V2 tensors whose data is a list of scalars each, as nearly all requests send them."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from leeway_drift.columns import Rows, column_names
from leeway_drift.reading.binary_tensors import NUMBERS
from leeway_drift.reading.bounds import MAX_CELLS, MAX_NAME

_PLAIN_COLUMNS = 200
_PARTS = itemgetter("name", "datatype", "shape", "data")
_INTEGER = frozenset({int})
_LIST = frozenset({list})
_NONE = type(None)
_SCALARS = frozenset({int, float, bool, _NONE})
_TEXTS = frozenset({str, _NONE})


@dataclass(frozen=True, slots=True)
class _Layout:
    """Of tensors.

    Attributes:
        numeric: columns of the tensors of numbers.
        numbers: positions of these tensors.
        categorical: columns of the tensors of strings.
        texts: positions of these.
        row: shapes that one row has.
        narrow: whether each is one column.
    """

    numeric: tuple[str, ...]
    numbers: tuple[int, ...]
    categorical: tuple[str, ...]
    texts: tuple[int, ...]
    row: tuple[list[int], ...]
    narrow: bool


def plain_rows(tensors: list[Any]) -> Rows | None:
    """Tensors with a list of scalars each, in a few calls however many they are.

    Nearly all requests are like this, and a loop over their tensors would be most of the work; None for everything
    else, which is read, or refused with its reason, tensor by tensor.
    """
    try:
        names, datatypes, shapes, data = zip(*map(_PARTS, tensors), strict=True)
        sizes = tuple(map(len, data))
        if len(names) > _PLAIN_COLUMNS or max(map(len, names)) > MAX_NAME or sum(sizes) > MAX_CELLS:
            return None  # layouts are remembered, and nobody shall fill the memory with them
        count = shapes[0][0]
        # One row of several tensors is their values one after the other, however wide each of them is.
        layout = _layout(names, datatypes, sizes if count == 1 else (1,) * len(names))
        plain = (
            layout is not None
            and _INTEGER.issuperset(map(type, chain.from_iterable(shapes)))  # True and 1.0 equal 1
            and _LIST.issuperset(map(type, data))
            and (shapes == layout.row or (layout.narrow and _have_rows(shapes, sizes, count)))
        )
    except (IndexError, KeyError, TypeError, ValueError):  # a part is missing, or something else than its place takes
        return None
    return _pack(layout, data, count) if plain and layout is not None else None


def _have_rows(shapes: tuple[Any, ...], sizes: Sequence[int], count: int) -> bool:
    """Whether each is one column of so many values, at least one."""
    return shapes.count([count, 1]) + shapes.count([count]) == len(shapes) and set(sizes) == {count} != {0}


def _pack(layout: _Layout, data: Sequence[list[Any]], count: int) -> Rows | None:
    """Columns as rows; None if a value is not of its column's type."""
    numbers = list(chain.from_iterable([data[index] for index in layout.numbers]))
    texts = list(chain.from_iterable([data[index] for index in layout.texts]))
    kinds = set(map(type, numbers))
    if not kinds <= _SCALARS or not _TEXTS.issuperset(map(type, texts)):
        return None
    if _NONE in kinds:
        numbers = [math.nan if value is None else value for value in numbers]
    try:
        cast = array("f", numbers)  # as numpy casts, without numpy's cost per call
    except OverflowError:  # an integer that no float holds; which one is found out tensor by tensor
        return None
    values = np.array(cast, dtype=np.float32) + np.float32(0)  # -0.0 becomes 0.0, see as_float32
    strings = np.empty(len(texts), dtype=np.object_)
    strings[:] = texts
    return Rows(layout.numeric, values.reshape(-1, count).T, layout.categorical, strings.reshape(-1, count).T)


@lru_cache(maxsize=64)
def _layout(names: tuple[Any, ...], datatypes: tuple[Any, ...], widths: tuple[int, ...]) -> _Layout | None:
    """Which tensors are numbers and which are strings; None if a name or datatype is not good."""
    good = (
        len(names) == len(datatypes)
        and sum(widths) <= _PLAIN_COLUMNS
        and min(widths) > 0
        and all(isinstance(name, str) and len(name) <= MAX_NAME and name.isprintable() for name in names)
        and all(datatype == "BYTES" or datatype in NUMBERS for datatype in datatypes)
    )
    if not good:
        return None
    columns = [column_names(name, width) for name, width in zip(names, widths, strict=True)]
    known = list(chain.from_iterable(columns))
    if len(known) != len(set(known)) or max(map(len, known)) > MAX_NAME:
        return None
    numbers = tuple(index for index, datatype in enumerate(datatypes) if datatype != "BYTES")
    texts = tuple(index for index, datatype in enumerate(datatypes) if datatype == "BYTES")
    return _Layout(
        numeric=tuple(chain.from_iterable(columns[index] for index in numbers)),
        numbers=numbers,
        categorical=tuple(chain.from_iterable(columns[index] for index in texts)),
        texts=texts,
        row=tuple([1, width] for width in widths),
        narrow=max(widths) == 1,
    )
