"""What a bundle gives the drift detector: the profile of the reference, and a sample of its rows if it may."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from leeway_drift.profile import ProfileError, build_profile
from leeway_drift.profile.reference import build_reference
from leeway_training.bundle import readable
from leeway_training.errors import Problem, Refused

STEP = "profile the reference"
_RELIABLY = 0.95


@dataclass(frozen=True)
class Drift:
    """The files, and what they hold for the model card.

    Attributes:
        files: by name.
        profile: content of ``drift-profile.json``.
        kept: names of the features in ``drift-reference.npz``; none without one.
    """

    files: Mapping[str, bytes]
    profile: Mapping[str, Any]
    kept: tuple[str, ...]


def describe_reference(
    features: pd.DataFrame,
    *,
    outputs: Mapping[str, npt.NDArray[np.generic]],
    times: npt.NDArray[np.int64] | None,
    labels: npt.NDArray[np.floating[Any]] | None,
    task: str,
    keep_rows: int,
    private: Collection[str] = (),
    context: Collection[str] = (),
    limits: Mapping[str, Mapping[str, float]] | None = None,
) -> Drift:
    """Profile the reference, and keep rows of it if some may be kept.

    Args:
        features: the reference rows, in order of time if they have one: float32 or objects holding str.
        outputs: the model's answers to them.
        times: epoch seconds ``[n]``; without them nothing is calibrated.
        labels: class or number ``[n]``, NaN where unknown; None without any.
        task: as in the configuration.
        keep_rows: at most so many rows in ``drift-reference.npz``; 0 leaves it out.
        private: features whose values may not be kept: they are counted, but in no row.
        context: calendar fields and ids.
        limits: what is not tolerated, by feature, in the words of `build_profile`.

    Raises:
        Refused: what cannot be profiled.
    """
    columns = {str(name): features[name].to_numpy() for name in features}
    categorical = [name for name, values in columns.items() if values.dtype == object]
    try:
        profile = build_profile(
            columns,
            categorical=categorical,
            outputs=outputs,
            time=times,
            labels=labels,
            task=task,
            context=context,
            limits=limits,
        )
        files = {"drift-profile.json": readable(profile)}
        kept = {name: values for name, values in columns.items() if name not in private} if keep_rows else {}
        if kept:
            files["drift-reference.npz"] = build_reference(
                kept,
                categorical=[name for name in categorical if name in kept],
                profile=profile,
                time=times,
                rows=keep_rows,
            )
    except ProfileError as error:
        raise Refused(STEP, [Problem("the reference", str(error), "rows that can be profiled")]) from error
    return Drift(files, profile, tuple(kept))


def drift_section(drift: Drift) -> str:
    """Tell people what alarms of this model are worth: their rate, and the faults that raise them."""
    raw = (
        f"`drift-reference.npz` holds raw values of {', '.join(drift.kept)}."
        if drift.kept
        else "The bundle holds no rows of the reference, only counts."
    )
    return f"{_calibration(drift)}\n\n{raw}"


def _calibration(drift: Drift) -> str:
    calibration = drift.profile["calibration"]
    if calibration["method"] == "none":
        return (
            "Not calibrated: the reference has no time, or too little of it. Thresholds are conventional values whose "
            "rate of false alarms nobody knows, so that nothing but broken data should wake anybody."
        )
    window, span = drift.profile["window"], drift.profile["time_span"]
    hours = window["seconds"] / 3600
    probability = calibration["window_probability"]
    introduction = (
        f"Calibrated on {calibration['windows']} windows of at least {window['rows']:,} rows and {hours:.1f} h, "
        f"{span['start']} to {span['end']}. Target: {calibration['target_false_alarms_per_30_days']:g} false alarm in "
        f"30 days, all detectors together; to that end each may find {probability:.1%} of windows over its threshold "
        "(an alarm is 2 of 3). Achieved on the reference itself:"
    )
    lines = [
        introduction,
        "",
        "| detector | windows | over, each judged by the others | over, second half judged by the first |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {one['windows']} | {one['achieved']:.1%} | {_share(one['half_to_half'])} |"
        for name, one in calibration["detectors"].items()
    ]
    return "\n".join([*lines, "", *_faults(drift.profile["faults"])])


def _share(known: float | None) -> str:
    return "not known" if known is None else f"{known:.1%}"


def _faults(faults: Collection[Mapping[str, Any]]) -> Iterator[str]:
    if not faults:
        yield "No fault was replayed: no stretch of the reference is quiet enough."
        return
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for fault in faults:
        by_name.setdefault(fault["fault"], []).append(fault)
    yield "Faults replayed on the reference, each from several starts, seen if a detector alarms within 3 windows:"
    yield ""
    yield f"| fault | seen from {_RELIABLY:.0%} of the starts or more | not seen reliably (share of starts) |"
    yield "|---|---|---|"
    for name, replayed in by_name.items():
        shares = {one["column"]: one["seen"] / one["starts"] for one in replayed}
        seen = ", ".join(column for column, share in shares.items() if share >= _RELIABLY)
        missed = ", ".join(f"{column} ({share:.0%})" for column, share in shares.items() if share < _RELIABLY)
        yield f"| {name.replace('_', ' ')} | {seen or 'none'} | {missed or 'none'} |"
