"""The drift profile: what training saw, as counts without a single raw row, to be compared with what is served."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Rows, column_names
from leeway_drift.counting.counts import Counts, Integers, Plan
from leeway_drift.profile.calibrate import TARGET_PER_30_DAYS, Threshold, calibrate, window_probability
from leeway_drift.profile.describe import describe_categorical, describe_numeric, rounded
from leeway_drift.profile.errors import ProfileError
from leeway_drift.profile.faults import replay_faults
from leeway_drift.profile.model import SCHEMA_VERSION, Profile
from leeway_drift.profile.performance import window_performance
from leeway_drift.profile.quality import QUALITY_ROWS, learn_limits
from leeway_drift.profile.relations import choose_relations
from leeway_drift.profile.windows import MINIMUM_WINDOWS, choose_window, cut_windows

_UNTIMED_WINDOW = (1000, 60.0)
_FIRST_SECOND = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
_LAST_SECOND = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


def build_profile(
    columns: Mapping[str, npt.NDArray[Any]],
    *,
    categorical: Collection[str],
    outputs: Mapping[str, npt.NDArray[Any]],
    time: npt.NDArray[np.int64] | None = None,
    labels: npt.NDArray[np.floating[Any]] | None = None,
    task: str | None = None,
    context: Collection[str] = (),
    limits: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, Any]:
    """Build the profile that a bundle carries as ``drift-profile.json`` (``schemas/drift-profile.schema.json``).

    Equal inputs give equal profiles, on every supported numpy. Values are profiled as float32, as the model sees them.

    Args:
        columns: the model's inputs, each of shape ``[rows]``; NaN is a missing number, None (or NaN among objects) a
            missing category.
        categorical: names of the columns that hold strings.
        outputs: the model's numeric answers for the same rows, each ``[rows]`` or ``[rows, k]``; with k > 1 every
            column is profiled under ``name.0`` … ``name.<k-1>``.
        time: epoch seconds ``[rows]``, in any order. Without it, or with too few windows, nothing is calibrated.
        labels: classes or numbers ``[rows]``, NaN where unknown.
        task: ``binary_classification``, ``multiclass_classification`` or ``regression``; needed with labels.
        context: features that are calendar fields or ids: their data quality is watched, their drift is not.
        limits: by feature, what the user will not tolerate: ``missing_ratio``, ``unseen_ratio``,
            ``out_of_range_ratio`` and ``top_value_ratio`` cap what is learned, ``minimum`` and ``maximum`` are the
            plausible range.

    Returns:
        The profile as JSON-safe Python objects.

    Raises:
        ProfileError: no rows, unequal lengths, infinite numbers, non-strings in a categorical column, or a name that
            is no column.
    """
    declared = limits or {}
    _check_names(columns, categorical, context, declared)
    rows = len(next(iter(columns.values())))
    if rows == 0:
        raise ProfileError("no rows: expected at least one row of reference data")
    features, values = _features(columns, rows, categorical, declared)
    profiled, answers = _outputs(outputs, rows)
    order = _order(time, rows)
    asked = _ordered(values, order)
    answered = _ordered(answers, order)
    instants = None if time is None else time.astype(np.int64)[order]
    window_rows, window_seconds = _UNTIMED_WINDOW if instants is None else choose_window(instants)
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "rows": rows,
        "time_span": None if instants is None else {"start": _rfc3339(instants[0]), "end": _rfc3339(instants[-1])},
        "window": {"rows": window_rows, "seconds": window_seconds},
        "context": sorted(set(context)),
        "features": features,
        "outputs": profiled,
        "relations": [],
        "calibration": {"method": "none", "windows": 0, "target_false_alarms_per_30_days": None, "detectors": {}},
        "performance": {},
        "faults": [],
    }
    document["relations"] = _relations(Profile.parse(document).plan, asked, frozenset(context))
    profile = Profile.parse(document)
    # Windows without time are rows in the order they came in: good enough for limits, not for a rate of alarms.
    beats = np.arange(rows, dtype=np.int64) if instants is None else instants
    _learn_quality(document, profile, (asked, answered), beats, declared)
    offsets = cut_windows(beats, window_rows, window_seconds if instants is not None else 0.0)
    if instants is not None and len(offsets) > MINIMUM_WINDOWS:
        windows = [_count(profile.plan, asked, answered, start, end) for start, end in pairwise(offsets.tolist())]
        mean_seconds = float(instants[offsets[-1] - 1] - instants[0]) / len(windows)
        probability = window_probability(mean_seconds, TARGET_PER_30_DAYS)
        whole = _count(profile.plan, asked, answered, 0, rows)
        document["calibration"] = {
            "method": "time-blocks",
            "windows": len(windows),
            "target_false_alarms_per_30_days": TARGET_PER_30_DAYS,
            "window_probability": rounded(probability),
            "detectors": {
                key: _describe(threshold)
                for key, threshold in calibrate(profile.scored, whole, windows, probability).items()
            },
        }
        document["faults"] = replay_faults(Profile.parse(document), asked, windows, offsets)
    if labels is not None:
        document["performance"] = window_performance(task or "", labels, outputs, order, offsets)
    return document


def _check_names(
    columns: Mapping[str, object], categorical: Collection[str], context: Collection[str], limits: Collection[str]
) -> None:
    if not columns:
        raise ProfileError("no columns: expected at least one input of the model")
    for argument, names in (("categorical", categorical), ("context", context), ("limits", limits)):
        if unknown := sorted(set(names) - set(columns)):
            raise ProfileError(f"{argument} names columns that are not there: {', '.join(unknown)}")


def _features(
    columns: Mapping[str, npt.NDArray[Any]],
    rows: int,
    categorical: Collection[str],
    declared: Mapping[str, Mapping[str, float]],
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    features: dict[str, Any] = {}
    values: dict[str, npt.NDArray[Any]] = {}
    for name, column in columns.items():
        if column.shape != (rows,):
            raise ProfileError(f"column {name}: shape {column.shape}, expected ({rows},) as the first column has")
        if name in categorical:
            features[name], values[name] = describe_categorical(name, column)
        else:
            features[name], values[name] = describe_numeric(f"column {name}", column, declared.get(name, {}))
        features[name]["limits"] = {}
    return features, values


def _outputs(outputs: Mapping[str, npt.NDArray[Any]], rows: int) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    profiled: dict[str, Any] = {}
    values: dict[str, npt.NDArray[Any]] = {}
    for name, output in outputs.items():
        if output.ndim not in (1, 2) or len(output) != rows:
            raise ProfileError(f"output {name}: shape {output.shape}, expected ({rows},) or ({rows}, k)")
        table = output.reshape(rows, -1)
        for index, column in enumerate(column_names(name, table.shape[1])):
            profiled[column], values[column] = describe_numeric(f"output {column}", table[:, index], {})
            profiled[column]["limits"] = {}
    return profiled, values


def _order(time: npt.NDArray[np.int64] | None, rows: int) -> Integers:
    if time is None:
        return np.arange(rows, dtype=np.int64)
    if time.shape != (rows,) or time.dtype.kind not in "iu":
        raise ProfileError(f"time: {time.dtype} of shape {time.shape}, expected epoch seconds as integers, ({rows},)")
    order = np.argsort(time, kind="stable").astype(np.int64)
    for row in (int(order[0]), int(order[-1])):
        if not _FIRST_SECOND <= time[row] <= _LAST_SECOND:
            raise ProfileError(f"time, row {row}: {time[row]}, expected seconds since 1970 of a year from 1 to 9999")
    return order


def _ordered(values: Mapping[str, npt.NDArray[Any]], order: Integers) -> Rows:
    return Rows.of({name: column[order] for name, column in values.items()}, order.size)


def _slice(rows: Rows, start: int, end: int) -> Rows:
    return Rows(rows.numeric, rows.numbers[start:end], rows.categorical, rows.strings[start:end])


def _count(plan: Plan, asked: Rows, answered: Rows, start: int, end: int) -> Counts:
    request = Counts.of_request(plan, _slice(asked, start, end))
    return request + Counts.of_response(plan, _slice(answered, start, end))


def _relations(plan: Plan, asked: Rows, context: frozenset[str]) -> list[dict[str, Any]]:
    chosen = choose_relations(plan, asked, context)
    counted = Counts.of_request(Plan(plan.features, {}, chosen), asked)
    return [
        {
            "left": relation.left,
            "right": relation.right,
            "left_groups": relation.left_groups.tolist(),
            "right_groups": relation.right_groups.tolist(),
            "counts": counted.relations[name].tolist(),
        }
        for name, relation in chosen.items()
    ]


def _learn_quality(
    document: dict[str, Any],
    profile: Profile,
    rows: tuple[Rows, Rows],
    beats: Integers,
    declared: Mapping[str, Mapping[str, float]],
) -> None:
    asked, answered = rows
    offsets = cut_windows(beats, QUALITY_ROWS, 0.0).tolist()
    unrelated = Plan(profile.plan.features, profile.plan.outputs)
    blocks = [_count(unrelated, asked, answered, start, end) for start, end in pairwise(offsets)]
    whole = _count(unrelated, asked, answered, 0, asked.count)
    for part in ("features", "outputs"):
        for name, column in getattr(profile, part).items():
            learned = learn_limits(
                getattr(whole, part)[name],
                [getattr(block, part)[name] for block in blocks],
                numeric=column.numeric,
                declared=declared.get(name, {}) if part == "features" else {},
            )
            # What a model says may be anything that it can say; how often, the prediction detectors judge.
            judged = learned if part == "features" else ("missing_ratio", "wrong_ratio")
            document[part][name]["limits"] = {key: rounded(learned[key]) for key in judged if key in learned}


def _describe(threshold: Threshold) -> dict[str, Any]:
    columns: dict[str, dict[str, Any]] = {}
    for (name, statistic), spread in threshold.spreads.items():
        values = {"median": rounded(spread.median), "above": rounded(spread.above)}
        columns.setdefault(name, {})[statistic] = values
    return {
        "threshold": rounded(threshold.value),
        "windows": threshold.windows,
        "achieved": rounded(threshold.achieved),
        "half_to_half": None if threshold.half_to_half is None else rounded(threshold.half_to_half),
        "columns": columns,
    }


def _rfc3339(seconds: np.int64) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
