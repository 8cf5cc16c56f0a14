"""Columns: what a request, a response and the reference are made of, whatever shape they were sent in."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]


def column_names(name: str, width: int) -> list[str]:
    """Name a tensor's columns, ``[rows, width]``: a single one as the tensor, else ``name.0``, ``name.1`` and on."""
    return [name] if width == 1 else [f"{name}.{index}" for index in range(width)]


def as_float32(values: npt.NDArray[np.generic]) -> Float32Array:
    """Cast as the model's inputs are cast; what is too large becomes infinite, and -0.0 becomes 0.0 (one bin)."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32) + np.float32(0)


_OBJECTS_NBYTES = 656  # measured with tracemalloc: Rows, two array headers, and the entry of whoever keeps them


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Decoded rows of one event, packed: two arrays however many columns, since windows hold thousands of events.

    Attributes:
        numeric: names of the columns of ``numbers``.
        numbers: float32 ``[rows, len(numeric)]``, NaN where a value is missing.
        categorical: names of the columns of ``strings``.
        strings: objects ``[rows, len(categorical)]``, str or None where a value is missing.
    """

    numeric: tuple[str, ...]
    numbers: Float32Array
    categorical: tuple[str, ...]
    strings: npt.NDArray[np.object_]

    @classmethod
    def of(cls, columns: Mapping[str, npt.NDArray[Any]], count: int) -> Self:
        """Pack columns of ``count`` values each; float32 columns are numeric, object columns categorical."""
        numeric = tuple(name for name, values in columns.items() if values.dtype != np.object_)
        categorical = tuple(name for name, values in columns.items() if values.dtype == np.object_)
        numbers = np.empty((count, len(numeric)), dtype=np.float32)
        for index, name in enumerate(numeric):
            numbers[:, index] = columns[name]
        strings = np.empty((count, len(categorical)), dtype=np.object_)
        for index, name in enumerate(categorical):
            strings[:, index] = columns[name]
        return cls(numeric, numbers, categorical, strings)

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.numbers)

    @property
    def nbytes(self) -> int:
        """Memory held by the values, in bytes: arrays, their strings, and a fixed part for the objects around them."""
        text = sum(sys.getsizeof(value) for value in self.strings.flat if value is not None)
        return self.numbers.nbytes + self.strings.nbytes + text + _OBJECTS_NBYTES

    def take(self, rows: npt.NDArray[np.generic]) -> Self:
        """Some of these rows, by index or mask, as a copy."""
        return type(self)(self.numeric, self.numbers[rows], self.categorical, self.strings[rows])

    def select(self, names: Iterable[str]) -> Self:
        """The columns of these names alone, in the order they have here."""
        wanted = frozenset(names)
        numeric = [index for index, name in enumerate(self.numeric) if name in wanted]
        categorical = [index for index, name in enumerate(self.categorical) if name in wanted]
        return type(self)(
            tuple(self.numeric[index] for index in numeric),
            self.numbers[:, numeric],
            tuple(self.categorical[index] for index in categorical),
            self.strings[:, categorical],
        )

    def column(self, name: str) -> npt.NDArray[Any]:
        """Values ``[rows]`` of one column; KeyError if these rows do not have it."""
        if name in self.numeric:
            return self.numbers[:, self.numeric.index(name)]
        if name in self.categorical:
            return self.strings[:, self.categorical.index(name)]
        raise KeyError(name)


def stack(parts: Iterable[Rows]) -> list[Rows]:
    """Rows of many events below each other: one for each set of columns that occurs, in order of first occurrence."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Rows]] = {}
    for rows in parts:
        groups.setdefault((rows.numeric, rows.categorical), []).append(rows)
    return [
        Rows(
            numeric,
            np.concatenate([rows.numbers for rows in group]),
            categorical,
            np.concatenate([rows.strings for rows in group]),
        )
        for (numeric, categorical), group in groups.items()
    ]
