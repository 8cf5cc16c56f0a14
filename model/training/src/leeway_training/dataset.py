"""From checked rows to three periods: labelled, sorted by time, features as the model will see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from leeway_training.checks import STEP, check_structure, check_values
from leeway_training.config import BinaryTarget, Config, MulticlassTarget, Period
from leeway_training.errors import Problem, Refused

# Below this a split by time says more about the dates than about the model.
MINIMUM_ROWS = {"train": 1000, "validate": 200, "test": 200}


@dataclass(frozen=True)
class Rows:
    """One period, in order of time.

    Attributes:
        features: one column per feature in declared order, float32 (NaN = missing) or object holding str.
        labels: int64 class ``[n]``, or float32 for regression.
        days: local calendar day ``[n]``: neighbours in time are not independent, days nearly are.
        frame: the rows as they were read, for what is not a feature.
        rule: float64 ``[n]``, the column of the rule of thumb; None without one.
    """

    features: pd.DataFrame
    labels: npt.NDArray[np.generic]
    days: npt.NDArray[np.int64]
    frame: pd.DataFrame
    rule: npt.NDArray[np.float64] | None

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.features)


@dataclass(frozen=True)
class Dataset:
    """The three periods and what was set aside on the way."""

    train: Rows
    validation: Rows
    test: Rows
    first: str
    last: str
    unlabelled: int
    taken_as_missing: Mapping[str, int]


def build_dataset(frame: pd.DataFrame, config: Config) -> Dataset:
    """Check the rows, label them, sort them by time and split them.

    Args:
        frame: the joined rows as read.
        config: what was declared of them.

    Raises:
        Refused: the data breaks its declaration, or a period cannot be learnt from or judged on.
    """
    check_structure(frame, config)
    times = _parse_times(frame[config.time.column])
    labels = _label(frame, config)
    labelled = frame[labels.notna()].assign(**{config.time.column: times})
    labelled = labelled.sort_values([config.time.column, *config.data.key], kind="stable")
    labelled, taken = _take_as_missing(labelled, config)
    check_values(labelled, config)
    zone = ZoneInfo(config.time.zone)
    local = labelled[config.time.column].dt.tz_convert(zone)
    days = local.dt.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64)
    labels = labels.loc[labelled.index]
    periods = {
        name: _cut(labelled, labels, days, period, config)
        for name, period in (
            ("train", config.split.train),
            ("validate", config.split.validation),
            ("test", config.split.test),
        )
    }
    problems = [problem for name, rows in periods.items() for problem in _unusable(name, rows, config)]
    problems += [
        Problem(f"column {name}", "has no value in the training period", "at least one")
        for name in periods["train"].features.columns
        if periods["train"].features[name].isna().all() and len(periods["train"])
    ]
    if problems:
        raise Refused(STEP, problems)
    return Dataset(
        train=periods["train"],
        validation=periods["validate"],
        test=periods["test"],
        first=times.min().strftime("%Y-%m-%dT%H:%M:%SZ"),
        last=times.max().strftime("%Y-%m-%dT%H:%M:%SZ"),
        unlabelled=len(frame) - len(labelled),
        taken_as_missing=taken,
    )


def _parse_times(column: "pd.Series[Any]") -> "pd.Series[pd.Timestamp]":
    times = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    problems = []
    for what, wrong in (("null", column.isna()), ("no ISO 8601 time", times.isna() & column.notna())):
        if wrong.any():
            first = column.index[wrong][0]
            shown = f"{int(wrong.sum())} of {len(column)} rows are {what}, first row {first} ({column[first]!r})"
            problems.append(Problem(f"column {column.name}", shown, "a time such as 2013-01-31T17:00:00Z in every row"))
    if problems:
        raise Refused(STEP, problems)
    return times


def _label(frame: pd.DataFrame, config: Config) -> "pd.Series[float]":
    target = config.target
    column = frame[target.column]
    if isinstance(target, MulticlassTarget):
        unknown = sorted(set(column.dropna()) - set(target.classes))
        if unknown:
            what = f"holds {', '.join(map(repr, unknown[:5]))}"
            raise Refused(STEP, [Problem(f"column {target.column}", what, f"one of {', '.join(target.classes)}")])
        return column.map({name: float(index) for index, name in enumerate(target.classes)}).astype(float)
    if isinstance(target, BinaryTarget):
        return (column > target.greater_than).astype(float).where(column.notna())
    return column.astype(float)


def _take_as_missing(frame: pd.DataFrame, config: Config) -> tuple[pd.DataFrame, dict[str, int]]:
    changed: dict[str, pd.Series[float]] = {}
    counts: dict[str, int] = {}
    for feature in config.numeric:
        if feature.out_of_range == "missing":
            column = frame[feature.name].astype(float)
            low = -np.inf if feature.minimum is None else feature.minimum
            high = np.inf if feature.maximum is None else feature.maximum
            outside = (column < low) | (column > high)
            counts[feature.name] = int(outside.sum())
            changed[feature.name] = column.mask(outside)
    return frame.assign(**changed), counts


def _cut(
    frame: pd.DataFrame, labels: "pd.Series[float]", days: npt.NDArray[np.int64], period: Period, config: Config
) -> Rows:
    start, until = (np.datetime64(day).astype(np.int64) for day in (period.start, period.until))
    inside = (days >= start) & (days < until)
    rows = frame[inside]
    numeric = {feature.name for feature in config.numeric}
    features = pd.DataFrame(
        {
            feature.name: rows[feature.name].astype(np.float32 if feature.name in numeric else object)
            for feature in config.features
        }
    )
    kind = np.float32 if config.target.task == "regression" else np.int64
    rule = None if config.baseline is None else rows[config.baseline.column].to_numpy(np.float64)
    return Rows(features, labels[inside].to_numpy().astype(kind), days[inside], rows, rule)


def _unusable(name: str, rows: Rows, config: Config) -> list[Problem]:
    where = f"split.{name}"
    if len(rows) < MINIMUM_ROWS[name]:
        return [Problem(where, f"{len(rows)} labelled rows", f"at least {MINIMUM_ROWS[name]}")]
    if isinstance(config.target, MulticlassTarget):
        classes = np.arange(len(config.target.classes))
    elif isinstance(config.target, BinaryTarget):
        classes = np.arange(2)
    else:
        constant = len(np.unique(rows.labels)) == 1
        return (
            [Problem(where, f"every {config.target.column} is {rows.labels[0]}", "labels that differ")]
            if constant
            else []
        )
    absent = [int(c) for c in np.setdiff1d(classes, rows.labels)]
    if absent:
        return [
            Problem(
                where, f"no row of class {', '.join(map(str, absent))} ({config.target.column})", "rows of every class"
            )
        ]
    return []
