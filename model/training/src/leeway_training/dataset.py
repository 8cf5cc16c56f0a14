"""From checked rows to three parts: labelled, in order of time, features as the model will see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from leeway_training.checks import STEP, check_structure, check_values
from leeway_training.config import BinaryTarget, Config, MulticlassTarget
from leeway_training.errors import Problem, Refused
from leeway_training.tables import Period, Periods, RandomSplit

# Below this a split by time says more about the dates than about the model.
MINIMUM_ROWS_IN_TIME = {"train": 1000, "validate": 200, "test": 200}
# Rows without order say more each; sixteen of the test rows become golden requests.
MINIMUM_ROWS_AT_RANDOM = {"train": 64, "validate": 16, "test": 16}

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """One part of the rows, in order of time if they have one.

    Attributes:
        features: one column per feature in declared order, float32 (NaN = missing) or object holding str.
        labels: int64 class ``[n]``, or float32 for regression.
        blocks: ``[n]`` what is drawn together when intervals are estimated: the local calendar day, since neighbours in
            time are not independent and days nearly are; a row's own number where there is no time.
        times: epoch seconds ``[n]``; None where rows have no time.
        frame: the rows as they were read, for what is not a feature.
        rule: float64 ``[n]``, the column of the rule of thumb; None without one.
    """

    features: pd.DataFrame
    labels: npt.NDArray[np.generic]
    blocks: Integers
    times: Integers | None
    frame: pd.DataFrame
    rule: npt.NDArray[np.float64] | None

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.features)

    def take(self, positions: Integers) -> "Rows":
        """The rows at some positions ``[k]``."""
        return Rows(
            self.features.iloc[positions],
            self.labels[positions],
            self.blocks[positions],
            None if self.times is None else self.times[positions],
            self.frame.iloc[positions],
            None if self.rule is None else self.rule[positions],
        )


@dataclass(frozen=True)
class Dataset:
    """The three parts and what was set aside on the way; `first` and `last` are None where rows have no time."""

    train: Rows
    validation: Rows
    test: Rows
    first: str | None
    last: str | None
    unlabelled: int
    taken_as_missing: Mapping[str, int]


def build_dataset(frame: pd.DataFrame, config: Config) -> Dataset:
    """Check the rows, label them, sort them by time and split them.

    Args:
        frame: the joined rows as read.
        config: what was declared of them.

    Raises:
        Refused: the data breaks its declaration, or a part cannot be learnt from or judged on.
    """
    check_structure(frame, config)
    labels = _label(frame, config)
    first = last = None
    if config.time is not None:
        times = _parse_times(frame[config.time.column])
        first, last = (time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in (times.min(), times.max()))
        frame = frame.assign(**{config.time.column: times})
    labelled = frame[labels.notna()]
    if order := [*([config.time.column] if config.time else []), *config.data.key]:
        labelled = labelled.sort_values(order, kind="stable")
    labelled, taken = _take_as_missing(labelled, config)
    check_values(labelled, config)
    rows = _rows(labelled, labels.loc[labelled.index], config)
    parts = _at_random(rows, config.split) if isinstance(config.split, RandomSplit) else _by_time(rows, config.split)
    problems = [problem for name, part in parts.items() for problem in _unusable(name, part, config)]
    problems += [
        Problem(f"column {name}", "has no value in the training period", "at least one")
        for name in parts["train"].features.columns
        if parts["train"].features[name].isna().all() and len(parts["train"])
    ]
    if problems:
        raise Refused(STEP, problems)
    return Dataset(
        train=parts["train"],
        validation=parts["validate"],
        test=parts["test"],
        first=first,
        last=last,
        unlabelled=len(frame) - len(labelled),
        taken_as_missing=taken,
    )


def _rows(frame: pd.DataFrame, labels: "pd.Series[float]", config: Config) -> Rows:
    numeric = {feature.name for feature in config.numeric}
    features = pd.DataFrame(
        {
            feature.name: frame[feature.name].astype(np.float32 if feature.name in numeric else object)
            for feature in config.features
        }
    )
    blocks, times = np.arange(len(frame)), None
    if config.time is not None:
        instants = frame[config.time.column]
        local = instants.dt.tz_convert(ZoneInfo(config.time.zone)).dt.tz_localize(None)
        blocks = local.to_numpy().astype("datetime64[D]").astype(np.int64)
        times = instants.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    kind = np.float32 if config.target.task == "regression" else np.int64
    rule = None if config.baseline is None else frame[config.baseline.column].to_numpy(np.float64)
    return Rows(features, labels.to_numpy().astype(kind), blocks, times, frame, rule)


def _by_time(rows: Rows, split: Periods) -> dict[str, Rows]:
    def part(period: Period) -> Rows:
        start, until = (np.datetime64(day).astype(np.int64) for day in (period.start, period.until))
        return rows.take(np.flatnonzero((rows.blocks >= start) & (rows.blocks < until)))

    return {"train": part(split.train), "validate": part(split.validation), "test": part(split.test)}


def _at_random(rows: Rows, split: RandomSplit) -> dict[str, Rows]:
    shuffled = np.random.default_rng(split.random.seed).permutation(len(rows))
    test = round(split.random.test * len(rows))
    validation = test + round(split.random.validation * len(rows))
    named = {"train": shuffled[validation:], "validate": shuffled[test:validation], "test": shuffled[:test]}
    return {name: rows.take(np.sort(positions)) for name, positions in named.items()}


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


def _unusable(name: str, rows: Rows, config: Config) -> list[Problem]:
    where = f"split.{name}"
    minimum = (MINIMUM_ROWS_AT_RANDOM if rows.times is None else MINIMUM_ROWS_IN_TIME)[name]
    if len(rows) < minimum:
        return [Problem(where, f"{len(rows)} labelled rows", f"at least {minimum}")]
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
