"""From the status document of a version to what its page shows; pure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from leeway_drift.report.svg import Bars, category_bars, histogram, lines, shares

_CATEGORIES_SHOWN = 12


def version_view(version: Mapping[str, Any]) -> dict[str, Any]:
    """The version's document, and beside it ``charts`` of its distributions and ``histories`` of its scores."""
    distributions = version["distributions"] or {"features": {}, "outputs": {}}
    return {
        **version,
        "charts": [
            {"name": name, "kind": kind, "chart": distribution_chart(name, column), **_missing(column)}
            for kind in ("outputs", "features")
            for name, column in distributions[kind].items()
        ],
        "histories": _histories(version["history"]),
    }


def distribution_chart(name: str, column: Mapping[str, Any]) -> Markup:
    """Shares of the reference and of now, side by side in the profile's bins or categories."""
    series = [
        Bars("training", "reference", shares(column["reference"])),
        Bars("now", "now", shares(column["now"])),
    ]
    if column["kind"] == "numeric":
        return histogram(f"Distribution of {name}", bin_labels(column["edges"]), series)
    labels = [*column["categories"], "(not listed)"]
    # Most changed first: with sixty carriers nobody finds the one that is gone.
    changed = sorted(range(len(labels)), key=lambda index: -abs(series[0].shares[index] - series[1].shares[index]))
    shown = sorted(changed[:_CATEGORIES_SHOWN])
    return category_bars(
        f"Distribution of {name}",
        [labels[index] for index in shown],
        [Bars(bars.name, bars.style, [bars.shares[index] for index in shown]) for bars in series],
    )


def bin_labels(edges: Sequence[float]) -> list[str]:
    """One label for each of the ``len(edges) + 1`` bins between cut points."""
    if not edges:
        return ["any"]
    numbers = [f"{edge:.6g}" for edge in edges]
    inner = [f"{low} to {high}" for low, high in pairwise(numbers)]
    return [f"< {numbers[0]}", *inner, f"≥ {numbers[-1]}"]


def _missing(column: Mapping[str, Any]) -> dict[str, float | None]:
    return {
        f"{when}_missing": _share(column[f"{prefix}nulls"], sum(column[when]))
        for when, prefix in (("reference", "reference_"), ("now", "now_"))
    }


def _share(nulls: int, present: int) -> float | None:
    return nulls / (nulls + present) if nulls + present else None


def _histories(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = sorted({name for window in history for name in window["ratios"]})
    ends = [str(window["end"]) for window in history]
    return [
        {
            "name": name,
            "chart": lines(
                f"Score over threshold of {name}",
                ends,
                [window["ratios"].get(name) for window in history],
                alarms=[name in window["detected"] for window in history],
            ),
        }
        for name in names
    ]
