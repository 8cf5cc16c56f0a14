"""The detector's closed ticks, checked and made into evidence.

The detector is told things by whoever reaches it, so that nothing is believed but numbers that fit together: one tick
that does not makes the whole answer worthless.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leeway_operators.core.evidence import DetectorReading
from leeway_operators.core.served import MINUTE, Run, blocks_of
from leeway_operators.evidence.ticks import ArmTick, DetectorTick, Moments

# Of the rows that a version served and that were to be captured, at least this share has to be seen, in both arms, and
# by the same measure: what is lost is not lost by chance.
LEAST_COVERAGE = 0.8
COVERAGE_DIFFERENCE = 0.1
# Minutes whose labels one tick may tell: the detector tells those of a day.
_MOST_MINUTES = 2000
# Sums of many floats may be off by this share of their count.
_ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What an answer of the detector is worth.

    Attributes:
        ticks: oldest first.
        reason: why the detector's gates cannot be trusted at this look; None: they can.
        runs: with the losses that wait for more.
    """

    ticks: tuple[DetectorTick, ...]
    reason: str | None
    runs: tuple[Run, ...]


class _UnfitError(ValueError):
    """A tick that cannot be what the detector counted: which part, and what was expected."""


def compared(
    reading: DetectorReading,
    *,
    since: float,
    candidate: str,
    stable: str,
    epoch: str | None,
    looked: float | None,
    sample: float,
    mirrored: bool,
    runs: Sequence[Run],
) -> Compared:
    """Check an answer and take its ticks.

    Args:
        reading: the answer.
        since: from when on ticks belong together, seconds since 1970; those that start before are left out.
        candidate: version of the candidate's slot; an arm of another version is on its way out and counts nothing.
        stable: version of stable's slot.
        epoch: of the answer before; None: there is none.
        looked: when that was. After a restart, which begins another epoch, the detector tells ticks again that were
            told by then.
        sample: share of the requests that is captured.
        mirrored: whether both versions get every request. Else the few pairs are of clients that asked again, and a
            gate that is answered by pairs would wait for more.
        runs: spans in which the versions' shares of the traffic stayed the same, oldest first.
    """
    before = runs = tuple(runs)
    if epoch is not None and epoch != reading.epoch and looked is not None:
        since = max(since, looked)
    versions = {"candidate": candidate, "stable": stable}
    ticks = []
    try:
        for index, told in enumerate(reading.ticks):
            if _time(f"ticks[{index}]", told, "start") >= since:
                tick, runs = _tick(f"ticks[{index}]", told, versions, runs)
                ticks.append(tick if mirrored else _unpaired(tick))
    except _UnfitError as error:
        return Compared(ticks=(), reason=f"the drift detector's answer makes no sense: {error}", runs=before)
    lossy = _loss(ticks, reading.coverage, sample)
    if lossy is not None:
        return Compared(ticks=(), reason=lossy, runs=before)
    return Compared(ticks=tuple(ticks), reason=None, runs=runs)


def _unpaired(tick: DetectorTick) -> DetectorTick:
    return replace(tick, pairs=Moments(), labelled=0.0, flips=0.0)


def _loss(ticks: Iterable[DetectorTick], coverage: Mapping[str, float], sample: float) -> str | None:
    """Why too much of an arm is lost; an arm that only got late labels may have no pod left that could say so."""
    asked = {"candidate": 0.0, "stable": 0.0}
    for tick in ticks:
        asked["candidate"] += float(tick.candidate.requests)
        asked["stable"] += float(tick.stable.requests)
    for role, requests in asked.items():
        share = coverage.get(role)
        if share is None:
            if requests > 0:
                return f"it is not known yet how much of what {role} serves the drift detector sees"
        elif not share >= LEAST_COVERAGE * sample:
            return (
                f"the drift detector sees {share:.0%} of the rows that {role} serves, "
                f"and {LEAST_COVERAGE * sample:.0%} are needed"
            )
    ours, theirs = coverage.get("candidate"), coverage.get("stable")
    if ours is not None and theirs is not None and not abs(ours - theirs) <= COVERAGE_DIFFERENCE:
        return f"the drift detector sees {ours:.0%} of the candidate's rows, and {theirs:.0%} of stable's"
    return None


def _tick(
    path: str, tick: Mapping[str, Any], versions: Mapping[str, str], runs: tuple[Run, ...]
) -> tuple[DetectorTick, tuple[Run, ...]]:
    arms = _mapping(path, tick, "arms")
    ours = _arm(f"{path}.arms", arms, "candidate", versions)
    theirs = _arm(f"{path}.arms", arms, "stable", versions)
    cells = [arms[role].get("cells") for role in versions if role in arms]
    pairs, labelled, flips = _pairs(f"{path}.pairs", _mapping(path, tick, "pairs"))
    both = ours is not None and theirs is not None
    if ours is not None and theirs is not None:
        blocks, runs = blocks_of(_losses(path, arms, "candidate"), _losses(path, arms, "stable"), runs)
        ours = replace(ours, losses=tuple(candidate for candidate, _ in blocks))
        theirs = replace(theirs, losses=tuple(stable for _, stable in blocks))
    told = DetectorTick(
        candidate=ours or ArmTick(),
        stable=theirs or ArmTick(),
        arms_comparable=both and isinstance(cells[0], str) and cells[0] == cells[1],
        pairs=pairs if both else Moments(),
        labelled=labelled if both else 0.0,
        flips=flips if both else 0.0,
    )
    return told, runs


def _arm(path: str, arms: Mapping[str, Any], role: str, versions: Mapping[str, str]) -> ArmTick | None:
    if role not in arms:
        return None
    path, arm = f"{path}.{role}", _mapping(path, arms, role)
    if arm.get("version") != versions[role]:
        return None
    quality = _mapping(path, arm, "quality")
    faulty = (_count(f"{path}.quality", quality, "n"), _count(f"{path}.quality", quality, "bad"))
    if faulty[1] > faulty[0]:
        raise _UnfitError(f"{path}.quality: expected bad <= n, got {faulty[1]:g} of {faulty[0]:g}")
    outputs = _mapping(path, arm, "outputs")
    return ArmTick(
        requests=_count(path, arm, "requests"),
        rows=_count(path, arm, "rows"),
        outputs={
            name: _shares(f"{path}.outputs.{name}", _mapping(f"{path}.outputs", outputs, name))
            for name in outputs
            if _mapping(f"{path}.outputs", outputs, name).get("bounded") is True
        },
        quality=faulty,
        features={
            name: _cells(f"{path}.features.{name}", _mapping(f"{path}.features", _mapping(path, arm, "features"), name))
            for name in _mapping(path, arm, "features")
        },
    )


def _losses(path: str, arms: Mapping[str, Any], role: str) -> dict[float, Moments]:
    """Of one arm, by the minute in which predictions were served."""
    path = f"{path}.arms"
    entries, path = _mapping(path, arms, role).get("losses"), f"{path}.{role}.losses"
    if not isinstance(entries, list) or len(entries) > _MOST_MINUTES:
        raise _UnfitError(f"{path}: expected a list of up to {_MOST_MINUTES} minutes, got {_short(entries)}")
    losses: dict[float, Moments] = {}
    for index, entry in enumerate(entries):
        where = f"{path}[{index}]"
        if not isinstance(entry, Mapping):
            raise _UnfitError(f"{where}: expected an object, got {_short(entry)}")
        served = _time(where, entry, "served")
        if served % MINUTE or served in losses:
            raise _UnfitError(f"{where}.served: expected another whole minute, got {_short(entry['served'])}")
        losses[served] = _shares(where, entry)
    return losses


def _shares(path: str, value: Mapping[str, Any]) -> Moments:
    """Sums over numbers in [0, 1]."""
    n, total, squares = _count(path, value, "n"), _number(path, value, "sum"), _number(path, value, "sumsq")
    slack = _ROUNDING * (n + 1)
    if not -slack <= squares <= total + slack <= n + 2 * slack:
        raise _UnfitError(f"{path}: expected 0 <= sumsq <= sum <= n, got {squares:g}, {total:g}, {n:g}")
    total = min(max(total, 0.0), n)
    return Moments(n=n, sum=total, sumsq=min(max(squares, 0.0), total))


def _pairs(path: str, value: Mapping[str, Any]) -> tuple[Moments, float, float]:
    """Sums over differences in [-1, 1], pairs with labels, and labels that differ."""
    n, total, squares = _count(path, value, "n"), _number(path, value, "sum"), _number(path, value, "sumsq")
    labelled, flips = _count(path, value, "labelled"), _count(path, value, "flips")
    if flips > labelled:
        raise _UnfitError(f"{path}: expected flips <= labelled, got {flips:g} of {labelled:g}")
    if value.get("bounded") is not True:
        return Moments(), labelled, flips
    slack = _ROUNDING * (n + 1)
    if not (abs(total) <= n + slack and -slack <= squares <= n + slack):
        raise _UnfitError(f"{path}: expected |sum| <= n and 0 <= sumsq <= n, got {total:g}, {squares:g}, {n:g}")
    return Moments(n=n, sum=min(max(total, -n), n), sumsq=min(max(squares, 0.0), n)), labelled, flips


def _cells(path: str, value: Mapping[str, Any]) -> NDArray[np.float64]:
    """Bins, then nulls, then wrong values."""
    bins = value.get("bins")
    if not isinstance(bins, list):
        raise _UnfitError(f"{path}.bins: expected a list, got {_short(bins)}")
    counts = [_whole(f"{path}.bins[{index}]", count) for index, count in enumerate(bins)]
    return np.array([*counts, _count(path, value, "nulls"), _count(path, value, "wrong")], dtype=np.float64)


def _time(path: str, value: Mapping[str, Any], key: str) -> float:
    text = value.get(key)
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise _UnfitError(f"{path}.{key}: expected a time with its zone, got {_short(text)}")
    return time.timestamp()


def _mapping(path: str, value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    if not isinstance(found, Mapping):
        raise _UnfitError(f"{path}.{key}: expected an object, got {_short(found)}")
    return found


def _number(path: str, value: Mapping[str, Any], key: str) -> float:
    found = value.get(key)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise _UnfitError(f"{path}.{key}: expected a finite number, got {_short(found)}")
    return float(found)


def _count(path: str, value: Mapping[str, Any], key: str) -> float:
    return _whole(f"{path}.{key}", value.get(key))


def _whole(path: str, found: Any) -> float:
    if type(found) is not int or not 0 <= found <= 1 << 53:  # beyond, a float is no count any more
        raise _UnfitError(f"{path}: expected a count, got {_short(found)}")
    return float(found)


def _short(value: Any) -> str:
    return f"{value!r}"[:60]
