import copy
import json
import math
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway_drift.columns import Rows
from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Window
from leeway_drift.detectors.native import native_detectors
from leeway_drift.profile import Profile, ProfileError
from leeway_drift.profile.parse import MAX_COLUMNS

EXAMPLE = json.loads((Path(__file__).parents[2] / "schemas" / "examples" / "drift-profile.json").read_text())


def paths(value: object, path: tuple = ()) -> list[tuple]:
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    return [path, *(found for key, part in inner for found in paths(part, (*path, key)))]


def with_changed(document: object, path: tuple, value: object) -> object:
    if not path:
        return value
    changed = copy.copy(document)
    changed[path[0]] = with_changed(document[path[0]], path[1:], value)
    return changed


def nested() -> list:
    value: list = []
    for _ in range(5000):
        value = [value]
    return value


HALF = "\ud800"  # of a surrogate pair: JSON can say it, UTF-8 cannot

NUMBERS = [True, -1, 0, 10**15, 10**30, 10**400, 1e308, -1e308, 5e-324, 0.5, float("nan"), float("inf")]
LISTS = [[], [[]], [0, 0], [1.0, 1.0], ["a", "a"], [-1, 1], [2, 1], nested(), [0] * 10_000]
hostile = st.sampled_from([None, *NUMBERS, "", "x", HALF, *LISTS, {}, {"a": 1}, {HALF: {}}])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(paths(EXAMPLE)), hostile), min_size=1, max_size=3))
def test_a_changed_document_is_refused_or_judges_in_finite_numbers(changes: list[tuple[tuple, object]]):
    document = EXAMPLE
    for path, value in changes:
        with suppress(KeyError, IndexError, TypeError):  # an earlier change took the place away
            document = with_changed(document, path, value)
    try:
        profile = Profile.parse(document)
    except ProfileError:
        return
    rows = Rows.of({"load": np.array([1, np.nan, -3e38], dtype=np.float32).repeat(100)}, 300)
    counts = Counts.of_request(profile.plan, rows) + Counts.of_response(profile.plan, rows)
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), counts)
    for detector in native_detectors(profile):
        judgement = detector.judge(window, [window] * 7)
        assert judgement.score_ratio is None or math.isfinite(judgement.score_ratio)
        assert judgement.calibrated <= profile.calibrated
        json.dumps([judgement.reason, *(column.name for column in judgement.columns)], ensure_ascii=False).encode()


def test_a_large_value_is_named_in_a_few_words():
    with pytest.raises(ProfileError) as refused:
        Profile.parse([["x" * 1000] * 1000] * 1000)
    assert len(str(refused.value)) < 200


def test_profile_of_more_columns_than_can_be_watched_is_refused():
    column = next(iter(EXAMPLE["features"].values()))
    document = EXAMPLE | {"features": {f"f{index}": column for index in range(MAX_COLUMNS + 1)}}
    with pytest.raises(ProfileError, match=r"profile.features: 1001 names, expected at most 1000"):
        Profile.parse(document)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((), "text", "profile: 'text', expected an object"),
        (("schema_version",), 1, "profile.schema_version: 1, expected 2"),
        (("window", "rows"), "many", r"profile.window.rows: 'many', expected a count"),
        (("features", "hour", "counts"), [1], "profile.features.hour.counts: 1 counts, expected"),
        (("features", "hour", "edges"), [2.0, 1.0], "features.hour.edges: .*strictly increasing"),
        (("features", "hour", "edges"), [1e39], "features.hour.edges.0.: 1e[+]39, expected a finite float32"),
        (("relations", 0, "left"), "nothing", "relations.0..left: 'nothing', expected the name of a feature"),
        (("relations", 0, "left_groups", 0), 10**6, "left_groups: .*numbered from 0 without a gap"),
        (("calibration", "method"), "iid", "calibration.method: 'iid', expected one of time-blocks, none"),
        (("calibration", "detectors", "slow/training", "threshold"), 0, "threshold: 0, expected a number of at least"),
        (("features", "hour", "bounds"), [2.0, 1.0], "hour.bounds: .*a smallest and a largest value"),
        (("features", "hour", "limits", "missing_ratio"), 7, "missing_ratio: 7, expected a number from 0 to 1"),
        (("features", "hour", "scale"), -1.0, "hour.scale: -1.0, expected a number of at least 0"),
        (("faults", 0), {"fault": "x"}, "faults.0.: lacks"),
        (("time_span", "start"), "yesterday", "time_span.start: 'yesterday', expected a time in RFC 3339"),
        (("time_span", "start"), "2024-01-01T00:00:00", "expected a time with its offset from UTC"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(path: tuple, value: object, message: str):
    with pytest.raises(ProfileError, match=message):
        Profile.parse(with_changed(EXAMPLE, path, value))


@pytest.mark.parametrize("key", sorted(EXAMPLE))
def test_what_is_missing_is_named(key: str):
    with pytest.raises(ProfileError, match=f"profile: lacks '{key}'"):
        Profile.parse({name: value for name, value in EXAMPLE.items() if name != key})
