"""The shell that reads tables from disk and looks columns up in other tables."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pandas as pd

from leeway_training.errors import Problem, Refused
from leeway_training.tables import Data, Join, Table

STEP = "read the data"


@dataclass(frozen=True)
class Source:
    """The joined rows and the SHA-256 over all files they were read from."""

    frame: pd.DataFrame
    sha256: str


def read_source(data: Data, *, base: Path) -> Source:
    """Read the table and everything it is joined with.

    Args:
        data: what to read.
        base: the folder that relative paths start from.

    Raises:
        Refused: a file is missing or unreadable, a column of a join is missing, or the key of a join is not unique.
    """
    digest = hashlib.sha256()
    table = _locate(data.table, base=base, where="data.table")
    frame = _read_table(table, where="data.table", digest=digest)
    for index, join in enumerate(data.joins):
        where = f"data.joins.{index}"
        other = _read_table(_locate(join.table, base=base, where=where), where=where, digest=digest)
        frame = _look_up(frame, other, join, where=where)
    return Source(frame, digest.hexdigest())


def read_file(path: Path, *, where: str) -> Source:
    """Read one CSV or Parquet file.

    Args:
        path: of the file.
        where: what to call it in errors.

    Raises:
        Refused: it is not there, or cannot be read.
    """
    digest = hashlib.sha256()
    return Source(_read_table(path, where=where, digest=digest), digest.hexdigest())


def _read_table(path: Path, *, where: str, digest: "hashlib._Hash") -> pd.DataFrame:
    try:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
        # One pass over whole columns: guessing types per chunk would make a column's type depend on its length.
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, low_memory=False)
    except (OSError, ValueError) as error:  # pandas' and pyarrow's parse errors are ValueErrors
        raise Refused(STEP, [Problem(where, f"{path.name}: {error}", "a readable CSV or Parquet file")]) from error


def _locate(table: Table, *, base: Path, where: str) -> Path:
    if table.package is None:
        return base / table.path
    try:
        # By metadata and not by import: reading a file must not run the package.
        return Path(str(distribution(table.package).locate_file(f"{table.package}/{table.path}")))
    except PackageNotFoundError as error:
        problem = Problem(where, f"package {table.package} is not installed", f"pip install {table.package}")
        raise Refused(STEP, [problem]) from error


def _look_up(frame: pd.DataFrame, other: pd.DataFrame, join: Join, *, where: str) -> pd.DataFrame:
    on, columns = list(join.on), list(join.columns)
    problems = [
        Problem(f"{where}.on", f"column {name} is not in the table", f"one of {', '.join(frame.columns)}")
        for name in on
        if name not in frame
    ]
    problems += [
        Problem(where, f"column {name} is not in {join.table.path}", f"one of {', '.join(other.columns)}")
        for name in [*on, *columns]
        if name not in other
    ]
    problems += [
        Problem(f"{where}.columns", f"column {name} is in the table already", "a column that only the other table has")
        for name in columns
        if name in frame
    ]
    if problems:
        raise Refused(STEP, problems)
    problems += [
        Problem(f"{where}.on", f"column {name} is {frame[name].dtype} here, {other[name].dtype} there", "one type")
        for name in on
        if frame[name].dtype.kind != other[name].dtype.kind
    ]
    repeated = other.duplicated(on)
    if repeated.any():
        example: dict[Any, Any] = other.loc[repeated, on].iloc[0].to_dict()
        shown = ", ".join(f"{key}={value}" for key, value in example.items())
        what = f"{int(repeated.sum())} rows of {join.table.path} repeat a key, the first ({shown})"
        problems.append(Problem(f"{where}.on", what, "a key that identifies one row"))
    if problems:
        raise Refused(STEP, problems)
    return frame.merge(other[[*on, *columns]], on=on, how="left", validate="many_to_one")
