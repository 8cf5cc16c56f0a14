"""Reading a reference table from Parquet or CSV into the columns that a profile is built from."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet


class TableError(ValueError):
    """The table cannot be read as asked; the message names the file or column and what was expected."""


@dataclass(frozen=True)
class Reference:
    """A table in the order of time, if it has one.

    Attributes:
        features: numbers as float64 with NaN for nulls, categories as objects (str or None); each ``[rows]``.
        categorical: names of the features that hold strings.
        outputs: the model's answers for the same rows, float64 ``[rows]``.
        time: int64 ``[rows]``, seconds since 1970 in UTC, ascending; None without a time column.
    """

    features: dict[str, npt.NDArray[Any]]
    categorical: tuple[str, ...]
    outputs: dict[str, npt.NDArray[np.float64]]
    time: npt.NDArray[np.int64] | None


def read_reference(
    path: Path,
    *,
    time: str | None,
    categorical: Collection[str],
    outputs: Collection[str],
    ignore: Collection[str],
) -> Reference:
    """Read a table and order it by time; rows of equal time keep their order.

    Args:
        path: ``.parquet``, else CSV with a header.
        time: the column of timestamps or of seconds since 1970; without a zone they are taken as UTC.
        categorical: columns of numbers that are codes; columns of strings are categorical anyway.
        outputs: columns that are the model's answers.
        ignore: columns that are left out.

    Raises:
        TableError: unreadable, no rows, a named column is missing, or a column is neither numbers nor strings.
    """
    table = _read(path)
    named = [*([time] if time else []), *categorical, *outputs, *ignore]
    if missing := sorted(set(named) - set(table.column_names)):
        raise TableError(f"{path}: no column {', '.join(missing)}; there are {', '.join(table.column_names)}")
    if table.num_rows == 0:
        raise TableError(f"{path}: no rows")
    seconds = None
    if time is not None:
        seconds = _seconds(time, table.column(time))
        order = np.argsort(seconds, kind="stable")
        seconds, table = seconds[order], table.take(order)
    features: dict[str, npt.NDArray[Any]] = {}
    strings = []
    for name in table.column_names:
        if name == time or name in outputs or name in ignore:
            continue
        column = table.column(name)
        if name in categorical or _is_string(column.type):
            features[name] = _objects(column)
            strings.append(name)
        else:
            features[name] = _numbers(name, column)
    answers = {name: _numbers(name, table.column(name)) for name in outputs}
    return Reference(features, tuple(strings), answers, seconds)


def _read(path: Path) -> pa.Table:
    try:
        table = pa.parquet.read_table(path) if path.suffix == ".parquet" else pa.csv.read_csv(path)
    except (OSError, ValueError) as error:  # Arrow's own errors are ValueErrors
        raise TableError(f"{path}: {error}; expected a Parquet file, or CSV with a header") from error
    if repeated := sorted({name for name in table.column_names if table.column_names.count(name) > 1}):
        raise TableError(f"{path}: column {', '.join(repeated)} is there more than once")
    return table


def _is_string(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _numbers(name: str, column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    kind = column.type
    if pa.types.is_boolean(kind):
        column = pc.cast(column, pa.int8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise TableError(f"column {name}: type {kind}, expected numbers or strings (leave it out with --ignore {name})")
    values: npt.NDArray[np.float64] = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return values


def _objects(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    return np.array(pc.cast(column, pa.string()).to_pylist(), dtype=object)


def _seconds(name: str, column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    kind = column.type
    if column.null_count:
        raise TableError(f"time column {name}: {column.null_count} rows have none")
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        ticks = pc.cast(column, pa.timestamp("s", getattr(kind, "tz", None)), safe=False)
        return np.array(pc.cast(ticks, pa.int64()).to_numpy(), dtype=np.int64)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = np.array(pc.cast(column, pa.float64()).to_numpy())
        if not np.isfinite(values).all():
            raise TableError(f"time column {name}: not every value is a finite number of seconds")
        return values.astype(np.int64)
    raise TableError(f"time column {name}: type {kind}, expected timestamps (2013-01-31T12:00:00Z) or seconds")
