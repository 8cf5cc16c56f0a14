"""The HTML report beside a drift profile: one file, nothing fetched from anywhere; pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from leeway_drift.detectors.interface import Window
from leeway_drift.profile import Profile
from leeway_drift.report.html import environment
from leeway_drift.report.replay import Series
from leeway_drift.report.svg import Bars, category_bars, histogram, lines, shares
from leeway_drift.report.tables import Reference

_BINS = 40
_TAIL = 0.5
_CATEGORIES_SHOWN = 20


def render(
    title: str,
    reference: Reference,
    document: Mapping[str, Any],
    profile: Profile,
    *,
    closed: Sequence[Window],
    series: Sequence[Series],
) -> str:
    """The report as HTML.

    Args:
        title: what the reference is called.
        reference: the rows.
        document: the profile as written.
        profile: the same, parsed.
        closed: the reference's windows.
        series: what each detector said of them.
    """
    ends = [window.end.strftime("%Y-%m-%d %H:%M") for window in closed]
    columns = [
        *((name, "feature", values, document["features"].get(name)) for name, values in reference.features.items()),
        *((name, "output", values, document["outputs"].get(name)) for name, values in reference.outputs.items()),
    ]
    return (
        environment("leeway_drift.report")
        .get_template("report.html")
        .render(
            title=title,
            rows=document["rows"],
            profile=profile,
            days=(closed[-1].end - closed[0].start).total_seconds() / 86400 if closed else None,
            windows=len(closed),
            series=[
                {
                    **{field: getattr(one, field) for field in ("detector", "reference", "judged", "over", "alarms")},
                    "chart": lines(
                        f"Score over threshold of {one.detector}/{one.reference}", ends, one.ratios, alarms=one.detected
                    ),
                }
                for one in series
            ],
            faults=_fault_table(profile),
            columns=[
                {
                    "name": name,
                    "role": role,
                    "monitored": profiled is not None,
                    "missing": _missing(values),
                    "chart": _distribution(name, values, categorical=name in reference.categorical),
                }
                for name, role, values, profiled in columns
            ],
        )
    )


def _fault_table(profile: Profile) -> dict[str, Any]:
    """Faults as rows, columns of the reference as columns; a fault that cannot happen to a column leaves its cell."""
    replayed = {(fault["fault"], fault["column"]): fault for fault in profile.faults}
    columns = list(dict.fromkeys(column for _, column in replayed))
    faults = dict.fromkeys(fault for fault, _ in replayed)
    return {
        "columns": columns,
        "rows": [{"fault": fault, "cells": [replayed.get((fault, column)) for column in columns]} for fault in faults],
    }


def _missing(values: npt.NDArray[Any]) -> float:
    if values.dtype == np.object_:
        return sum(value is None for value in values) / len(values)
    return float(np.isnan(values).mean())


def _distribution(name: str, values: npt.NDArray[Any], *, categorical: bool) -> Markup:
    if categorical:
        return _categories(name, values)
    present = values[np.isfinite(values)]
    if present.size == 0:
        return histogram(f"Distribution of {name}", [], [])
    # A few far values would squeeze all others into one bar: what lies outside is counted into the end bars.
    low, high = np.percentile(present, [_TAIL, 100 - _TAIL])
    counts, edges = np.histogram(np.clip(present, low, high), bins=_BINS, range=(low, high if high > low else low + 1))
    labels = [f"{left:.5g} to {right:.5g}" for left, right in pairwise(edges)]
    return histogram(f"Distribution of {name}", labels, [Bars("reference", "reference", shares(counts.tolist()))])


def _categories(name: str, values: npt.NDArray[Any]) -> Markup:
    present = [value for value in values.tolist() if value is not None]
    ordered = Counter(present).most_common()
    labels = [category for category, _ in ordered[:_CATEGORIES_SHOWN]]
    numbers = [count for _, count in ordered[:_CATEGORIES_SHOWN]]
    if rest := ordered[_CATEGORIES_SHOWN:]:
        labels.append(f"({len(rest)} others)")
        numbers.append(sum(count for _, count in rest))
    return category_bars(f"Categories of {name}", labels, [Bars("reference", "reference", shares(numbers))])
