"""The rows that come with a model: what it is asked, and, if they are there, when it was and what was true."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from leeway_training.errors import Problem, Refused

STEP = "read the sample"
MINIMUM_ROWS = 16
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Sample:
    """Rows in order of time, if they have one.

    Attributes:
        features: float32 (NaN = missing) or object holding str, one column per feature.
        times: epoch seconds ``[n]``, or None.
        labels: as read, null where unknown; or None.
        context: features that are calendar fields or ids: no alarm is raised when they move.
    """

    features: pd.DataFrame
    times: npt.NDArray[np.int64] | None
    labels: "pd.Series[Any] | None"
    context: tuple[str, ...] = ()

    @property
    def span(self) -> list[str] | None:
        """The first and the last time, ISO 8601, UTC."""
        if self.times is None:
            return None
        return [f"{np.datetime64(int(second), 's')}Z" for second in (self.times[0], self.times[-1])]


def take_sample(frame: pd.DataFrame, *, time: str | None, label: str | None, context: Collection[str] = ()) -> Sample:
    """Tell features, time and label apart, and check that a request can carry every value.

    Args:
        frame: the rows as read.
        time: the column that says when a row happened; ISO 8601, UTC unless it carries an offset.
        label: the column that says what was true.
        context: features that are calendar fields or ids.

    Raises:
        Refused: named columns that are not there, fewer than 16 rows, or values that are neither numbers nor strings.
    """
    named = {"--time": time, "--label": label}
    problems = [
        Problem(option, f"column {name} is not in the sample", f"one of {', '.join(map(str, frame.columns))}")
        for option, name in named.items()
        if name is not None and name not in frame
    ]
    left = [str(name) for name in frame.columns if name not in (time, label)]
    problems += [
        Problem("--context", f"{name} is no feature of the sample", f"one of {', '.join(left)}")
        for name in context
        if name not in left
    ]
    if len(frame) < MINIMUM_ROWS:
        problems.append(Problem("sample", f"{len(frame)} rows", f"at least {MINIMUM_ROWS}, for the golden requests"))
    if problems:
        raise Refused(STEP, problems)
    frame = frame.reset_index(drop=True)
    times = None
    if time is not None:
        parsed = _times(frame[time]).sort_values(kind="stable")
        frame = frame.loc[parsed.index]
        times = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    features, problems = {}, []
    for name in frame.columns:
        if name not in (time, label):
            try:
                features[str(name)] = _feature(frame[name])
            except Refused as refusal:
                problems += refusal.problems
    if not features:
        problems.append(Problem("sample", "no column is left for the model", "at least one feature"))
    if problems:
        raise Refused(STEP, problems)
    labels = None if label is None else frame[label].reset_index(drop=True)
    return Sample(pd.DataFrame(features).reset_index(drop=True), times, labels, tuple(context))


def _times(column: "pd.Series[Any]") -> "pd.Series[pd.Timestamp]":
    expected = "ISO 8601 such as 2013-01-31T17:00:00Z in every row"
    if pd.api.types.is_numeric_dtype(column):
        raise Refused(STEP, [Problem(f"column {column.name}", f"holds numbers ({column.dtype})", expected)])
    times = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    if (wrong := times.isna()).any():
        first = column.index[wrong][0]
        what = f"{int(wrong.sum())} of {len(column)} rows are no time, first row {first} ({column[first]!r})"
        raise Refused(STEP, [Problem(f"column {column.name}", what, expected)])
    return times


def _feature(column: "pd.Series[Any]") -> "pd.Series[Any]":
    where = f"column {column.name}"
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        numbers = column.astype(np.float64)
        if (wrong := numbers.abs() > _FLOAT32_MAX).any():
            first = column.index[wrong][0]
            raise Refused(STEP, [Problem(where, f"row {first} holds {numbers[first]:g}", "a finite FP32 number")])
        return numbers.astype(np.float32)
    values = column.astype(object)
    if pd.api.types.infer_dtype(values, skipna=True) == "boolean" and values.notna().any():
        return values.astype("boolean").astype(np.float32)  # with gaps, a CSV's True and False are read as objects
    strange = values[[not isinstance(value, str) for value in values]]
    if len(strange):
        first = strange.index[0]
        what = f"{len(strange)} of {len(column)} rows hold no string, first row {first} ({strange[first]!r})"
        expected = "numbers, or a string in every row (a missing category is a category of its own)"
        raise Refused(STEP, [Problem(where, what, expected)])
    return values
