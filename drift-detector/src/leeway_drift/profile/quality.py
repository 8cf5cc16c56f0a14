"""What share of a column may be missing, unlisted, out of range or one and the same value."""

from collections.abc import Mapping, Sequence

from leeway_drift.counting.counts import ColumnCounts

QUALITY_ROWS = 200
"""Rows that a judgement of data quality needs; limits are learned on windows of about as many."""

SLACK = {"missing_ratio": 0.05, "unseen_ratio": 0.02, "out_of_range_ratio": 0.01, "wrong_ratio": 0.02}
"""What is tolerated of a column that was perfect in the reference."""

CAP = 0.2
"""A limit is at most this much above the reference's overall share, unless a tenth of its windows is that bad."""

_MARGIN = 1.1
_CONSTANT = 0.95  # a column whose windows hold this much of one value cannot be told from a stuck one


def quality_ratios(counts: ColumnCounts, *, numeric: bool) -> dict[str, float]:
    """Shares of a column's values by kind of fault; empty if nothing was counted."""
    if counts.total == 0:
        return {}
    ratios = {"missing_ratio": counts.nulls / counts.total, "wrong_ratio": counts.wrong / counts.total}
    ratios["top_value_ratio"] = counts.top / counts.total
    if counts.present:
        if numeric:
            ratios["out_of_range_ratio"] = counts.outside / counts.present
        else:
            ratios["unseen_ratio"] = int(counts.bins[-1]) / counts.present
    return ratios


def learn_limits(
    whole: ColumnCounts, windows: Sequence[ColumnCounts], *, numeric: bool, declared: Mapping[str, float]
) -> dict[str, float]:
    """Limits of a column's ratios: 1.1 times what one reference window in a hundred exceeds, within reason.

    A few bad days in the reference do not raise a limit by more than ``CAP``; what a tenth of its windows reaches is
    how the column is, and the limit may be twice that.

    Args:
        whole: the reference.
        windows: its windows of about ``QUALITY_ROWS`` rows.
        numeric: or categorical.
        declared: limits by ratio that the user sets; a learned one is never above them.

    Returns:
        By ratio; without ``top_value_ratio`` if the column is mostly one value by nature, and without a ratio that
        is 1 in whole windows by nature.
    """
    overall = quality_ratios(whole, numeric=numeric)
    seen: dict[str, list[float]] = {}
    for window in windows:
        for name, ratio in quality_ratios(window, numeric=numeric).items():
            seen.setdefault(name, []).append(ratio)
    kinds = [name for name in SLACK if name != ("unseen_ratio" if numeric else "out_of_range_ratio")]
    limits = {}
    for name in kinds:
        usual = overall.get(name, 0.0)
        often, rarely = _quantiles(seen.get(name, [usual]))
        limit = min(max(usual + SLACK[name], rarely * _MARGIN), max(usual + CAP, 2 * often))
        if limit < 1 or rarely < 1:  # else whole windows are like that by nature, and a limit of 1 would be reached
            limits[name] = min(limit, 1.0)
    _, top = _quantiles(seen.get("top_value_ratio", [1.0]))
    if top < _CONSTANT:
        limits["top_value_ratio"] = min(top * 1.25 + 0.1, _CONSTANT)
    return {
        name: min(limits.get(name, 1.0), declared.get(name, 1.0))
        for name in (*kinds, "top_value_ratio")
        if name in limits or declared.get(name, 1.0) < 1
    }


def _quantiles(ratios: Sequence[float]) -> tuple[float, float]:
    """The 90 and 99 % quantiles, as values that occurred."""
    ordered = sorted(ratios)
    return ordered[int(0.9 * (len(ordered) - 1))], ordered[int(0.99 * (len(ordered) - 1))]
