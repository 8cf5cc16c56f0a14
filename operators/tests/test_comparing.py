"""What the drift detector answers becomes evidence only if its numbers fit together."""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_operators.core.comparing import Compared, compared
from leeway_operators.core.evidence import DetectorReading

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def arm(version: str, **changes: Any) -> dict[str, Any]:
    return {
        "version": version,
        "profile": f"sha256:{version}",
        "requests": 40,
        "rows": 80,
        "outputs": {
            "probability": {"n": 80, "sum": 20.0, "sumsq": 9.0, "bounded": True},
            "minutes": {"n": 80, "sum": 20.0, "sumsq": 9000.0, "bounded": False},
        },
        "losses": [{"served": "2025-12-31T23:58:00Z", "n": 10, "sum": 2.0, "sumsq": 0.5}],
        "quality": {"n": 80, "bad": 1},
        "cells": "1f",
        "features": {"distance": {"bins": [30, 45], "nulls": 4, "wrong": 1}},
        **changes,
    }


def tick(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "start": f"2026-01-01T00:00:{number * 10:02d}Z",
        "end": f"2026-01-01T00:00:{number * 10 + 9:02d}Z",
        "arms": {"candidate": arm("2"), "stable": arm("1", requests=120)},
        "pairs": {"n": 8, "sum": -0.5, "sumsq": 0.25, "bounded": True, "labelled": 7, "flips": 2, "mismatched": 0},
        **changes,
    }


def answer(*ticks: dict[str, Any], **changes: Any) -> DetectorReading:
    coverage = {"candidate": 0.99, "stable": 1.0}
    return DetectorReading(**{"epoch": "e1", "cursor": "e1:5", "coverage": coverage, "ticks": ticks, **changes})


def look(reading: DetectorReading, **changes: Any) -> Compared:
    settings: dict[str, Any] = {"since": START, "candidate": "2", "stable": "1", "epoch": "e1", "looked": START}
    return compared(reading, **{"sample": 1.0, "mirrored": True, "runs": (), **settings, **changes})


def test_a_tick_has_both_arms_and_only_what_is_bounded() -> None:
    (one,) = look(answer(tick())).ticks
    assert (one.candidate.requests, one.stable.requests, one.candidate.rows) == (40, 120, 80)
    assert set(one.candidate.outputs) == {"probability"}
    assert one.candidate.outputs["probability"].sum == 20
    assert [(losses.n, losses.sumsq) for losses in one.candidate.losses] == [(10, 0.5)]
    assert one.candidate.quality == (80, 1)
    np.testing.assert_array_equal(one.stable.features["distance"], [30, 45, 4, 1])
    assert (one.pairs.n, one.pairs.sum, one.labelled, one.flips) == (8, -0.5, 7, 2)
    assert one.arms_comparable


def test_ticks_from_before_the_step_are_left_out() -> None:
    kept = look(answer(tick(0), tick(1), tick(2)), since=START + 10).ticks
    assert len(kept) == 2


def test_after_a_restart_of_the_detector_no_tick_counts_twice() -> None:
    again = answer(tick(0), tick(1), tick(2), tick(3), epoch="e2")
    assert len(look(again, looked=START + 15).ticks) == 2
    assert len(look(again, epoch=None, looked=None).ticks) == 4


def test_an_arm_of_another_version_counts_nothing() -> None:
    (one,) = look(answer(tick(arms={"candidate": arm("3"), "stable": arm("1")}))).ticks
    assert (one.candidate.requests, one.stable.requests, one.pairs.n, one.flips) == (0, 40, 0, 0)
    assert not one.arms_comparable


def test_an_arm_that_saw_nothing_is_absent() -> None:
    (one,) = look(answer(tick(arms={"stable": arm("1")}))).ticks
    assert (one.candidate.requests, one.stable.requests) == (0, 40)


@pytest.mark.parametrize(("ours", "theirs"), [("1f", "2e"), (None, None), ("1f", None), ([], [])])
def test_features_compare_only_in_the_same_cells(ours: Any, theirs: Any) -> None:
    arms = {"candidate": arm("2", profile="p", cells=ours), "stable": arm("1", profile="p", cells=theirs)}
    assert not look(answer(tick(arms=arms))).ticks[0].arms_comparable


def test_a_detector_that_names_no_cells_has_counted_in_none_that_compare() -> None:
    arms = {"candidate": arm("2", profile="p"), "stable": arm("1", profile="p")}
    for one in arms.values():
        del one["cells"]
    assert not look(answer(tick(arms=arms))).ticks[0].arms_comparable


def test_a_request_that_a_client_sends_again_is_no_pair() -> None:
    (one,) = look(answer(tick()), mirrored=False).ticks
    assert (one.pairs.n, one.labelled, one.flips) == (0, 0, 0)
    assert (one.candidate.rows, one.stable.rows) == (80, 80)


def test_pairs_of_unbounded_scores_count_by_their_labels_alone() -> None:
    pairs = {"n": 8, "sum": -50.0, "sumsq": 900.0, "bounded": False, "labelled": 7, "flips": 2, "mismatched": 0}
    (one,) = look(answer(tick(pairs=pairs))).ticks
    assert (one.pairs.n, one.labelled, one.flips) == (0, 7, 2)


# ------------------------------------------------------------------------------------------------------- lossy


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        ({"candidate": 0.7, "stable": 1.0}, "sees 70% of the rows that candidate serves, and 80% are needed"),
        ({"candidate": 1.0, "stable": 0.88}, "sees 100% of the candidate's rows, and 88% of stable's"),
        ({"candidate": 1.0}, "not known yet how much of what stable serves"),
        ({"candidate": math.nan, "stable": 1.0}, "of the rows that candidate serves"),
    ],
)
def test_what_is_lost_beyond_a_bound_is_no_evidence(coverage: dict[str, float], expected: str) -> None:
    lossy = look(answer(tick(), coverage=coverage))
    assert lossy.ticks == ()
    assert lossy.reason is not None
    assert expected in lossy.reason


def test_late_labels_of_an_arm_that_serves_nothing_any_more_need_no_coverage() -> None:
    late = tick(arms={"candidate": arm("2"), "stable": arm("1", requests=0, rows=0)})
    told = look(answer(late, coverage={"candidate": 1.0}))
    assert told.reason is None
    assert [losses.n for losses in told.ticks[0].stable.losses] == [10]


def test_a_sample_is_held_against_what_was_to_be_captured() -> None:
    reading = answer(tick(), coverage={"candidate": 0.24, "stable": 0.25})
    assert look(reading).reason is not None
    sampled = look(reading, sample=0.25)
    assert (len(sampled.ticks), sampled.reason) == (1, None)


# ----------------------------------------------------------------------------------------------------- hostile


def losses(of: dict[str, Any]) -> list[Any]:
    """Of the candidate."""
    listed: list[Any] = of["arms"]["candidate"]["losses"]
    return listed


def broken(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    body = copy.deepcopy(tick(1))
    change(body)
    return body


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.update(start="yesterday"), "ticks[1].start: expected a time with its zone, got 'yesterday'"),
        (lambda t: t.update(start="2026-01-01T00:00:10"), "ticks[1].start"),
        (lambda t: t.pop("arms"), "ticks[1].arms: expected an object, got None"),
        (lambda t: t["arms"]["stable"].update(requests=-1), "ticks[1].arms.stable.requests: expected a count, got -1"),
        (lambda t: t["arms"]["stable"].update(requests=True), "stable.requests: expected a count, got True"),
        (lambda t: t["arms"]["stable"].update(requests=1e300), "stable.requests: expected a count"),
        (lambda t: t["arms"]["candidate"]["quality"].update(bad=99), "quality: expected bad <= n, got 99 of 80"),
        (lambda t: losses(t)[0].update(sum=math.nan), "losses[0].sum: expected a finite number, got nan"),
        (lambda t: losses(t)[0].update(sum=11.0), "losses[0]: expected 0 <= sumsq <= sum <= n"),
        (lambda t: losses(t)[0].update(served="2026"), "losses[0].served: expected a time with its zone, got '2026'"),
        (
            lambda t: losses(t)[0].update(served="2025-12-31T23:58:10Z"),
            "losses[0].served: expected another whole minute",
        ),
        (lambda t: losses(t).append(losses(t)[0]), "losses[1].served: expected another whole minute"),
        (lambda t: losses(t).append(3), "losses[1]: expected an object, got 3"),
        (lambda t: losses(t).extend([{}] * 2000), "candidate.losses: expected a list of up to 2000 minutes"),
        (
            lambda t: t["arms"]["candidate"]["outputs"]["probability"].update(sumsq=21.0),
            "outputs.probability: expected",
        ),
        (lambda t: t["arms"]["candidate"]["outputs"].update(probability=3), "outputs.probability: expected an object"),
        (lambda t: t["arms"]["stable"]["features"]["distance"].update(bins=[1, "2"]), "distance.bins[1]: expected a"),
        (lambda t: t["arms"]["stable"]["features"]["distance"].update(bins=None), "distance.bins: expected a list"),
        (lambda t: t["pairs"].update(flips=8), "pairs: expected flips <= labelled, got 8 of 7"),
        (lambda t: t["pairs"].update(sum=-9.0), "pairs: expected |sum| <= n"),
    ],
)
def test_one_number_that_does_not_fit_makes_the_answer_worthless(
    change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    hostile = look(answer(tick(0), broken(change)))
    assert hostile.ticks == ()
    assert hostile.reason is not None
    assert expected in hostile.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PLACES = (
    "start",
    "arms",
    "arms.candidate.losses",
    "pairs",
    "arms.candidate",
    "arms.candidate.outputs",
    "arms.stable.features",
    "pairs.flips",
)


@given(place=st.sampled_from(PLACES), value=JSON)
def test_whatever_json_it_is_there_is_evidence_or_a_reason(place: str, value: Any) -> None:
    body = tick()
    *parents, last = place.split(".")
    holder = body
    for parent in parents:
        holder = holder[parent]
    holder[last] = value
    result = look(answer(body))
    assert result.reason is not None or all(
        0 <= float(moments.sumsq) <= float(moments.sum) <= float(moments.n)
        for one in result.ticks
        for moments in (*one.candidate.outputs.values(), *one.candidate.losses)
    )
