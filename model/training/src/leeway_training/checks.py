"""What must hold of the data: declared by the configuration, checked with pandera, every fault listed with its row."""

from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from leeway_training.config import Config, MulticlassTarget
from leeway_training.errors import Problem, Refused

STEP = "check the data"
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def check_structure(frame: pd.DataFrame, config: Config) -> None:
    """Check that every declared column is there and of its kind, and that the key identifies a row.

    Raises:
        Refused: missing columns, columns of a wrong type, duplicate keys.
    """
    numeric, text, other = _columns(config)
    missing = [name for name in dict.fromkeys([*numeric, *text, *other]) if name not in frame]
    problems = [Problem(f"column {name}", "is missing", f"one of {', '.join(frame.columns)}") for name in missing]
    problems += [
        _wrong_kind(frame[name], "numbers")
        for name in numeric
        if name in frame and not pd.api.types.is_numeric_dtype(frame[name])
    ]
    problems += [
        _wrong_kind(frame[name], "strings")
        for name in text
        if name in frame and not pd.api.types.is_string_dtype(frame[name].dropna())
    ]
    key = list(config.data.key)
    if key and not set(key) & set(missing):
        problems += _faults(pa.DataFrameSchema(unique=key, report_duplicates="exclude_first"), frame[key])
    if problems:
        raise Refused(STEP, problems)


def check_values(frame: pd.DataFrame, config: Config) -> None:
    """Check nulls, ranges and categories of the features of labelled rows.

    Raises:
        Refused: each feature that breaks its declaration, how often, and where first.
    """
    columns: dict[str, pa.Column] = {}
    for numeric in config.numeric:
        checks = [pa.Check(_fits_float32, error="a finite FP32 number")]
        if numeric.minimum is not None:
            checks.append(pa.Check.ge(numeric.minimum, error=f"at least {numeric.minimum:g}"))
        if numeric.maximum is not None:
            checks.append(pa.Check.le(numeric.maximum, error=f"at most {numeric.maximum:g}"))
        columns[numeric.name] = pa.Column(checks=checks, nullable=numeric.nullable)
    for categorical in config.categorical:
        known = categorical.categories
        checks = [] if known is None else [pa.Check.isin(known, error=f"one of {', '.join(known)}")]
        columns[categorical.name] = pa.Column(checks=checks, nullable=False)
    problems = _faults(pa.DataFrameSchema(columns), frame[list(columns)])
    if problems:
        raise Refused(STEP, problems)


def _columns(config: Config) -> tuple[list[str], list[str], list[str]]:
    numeric = [feature.name for feature in config.numeric]
    text = [feature.name for feature in config.categorical]
    other = [
        *([config.time.column] if config.time else []),
        *config.data.key,
        *([config.entity_key] if config.entity_key else []),
    ]
    (text if isinstance(config.target, MulticlassTarget) else numeric).append(config.target.column)
    if config.baseline is not None:
        numeric.append(config.baseline.column)
    return list(dict.fromkeys(numeric)), list(dict.fromkeys(text)), other


def _wrong_kind(column: "pd.Series[Any]", expected: str) -> Problem:
    what = f"holds {column.dtype}"
    if expected == "numbers":
        strange = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
        if len(strange):
            what += f", first {strange.iloc[0]!r} in row {strange.index[0]}"
    return Problem(f"column {column.name}", what, expected)


def _fits_float32(column: "pd.Series[float]") -> "pd.Series[bool]":
    return column.abs() <= _FLOAT32_MAX


def _faults(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> list[Problem]:
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return []
    problems = []
    for (column, check), group in cases.groupby(["column", "check"], sort=False, dropna=False):
        rows = sorted(set(group["index"]))
        first = group[group["index"] == rows[0]]
        expected = "a value: the feature is not nullable" if check == "not_nullable" else str(check)
        where = f"column {column}"
        if str(check).startswith("multiple_fields_uniqueness"):
            where, expected = f"key ({', '.join(frame.columns)})", "a key that identifies one row"
        shown = ", ".join(str(value) for value in first["failure_case"])
        problems.append(
            Problem(where, f"{len(rows)} of {len(frame)} rows are wrong, first row {rows[0]} ({shown})", expected)
        )
    return problems
