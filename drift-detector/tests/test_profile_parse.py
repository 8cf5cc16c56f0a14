import copy
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.profile import Profile, ProfileError

EXAMPLE = json.loads((Path(__file__).parents[2] / "schemas" / "examples" / "drift-profile.json").read_text())


def paths(value: object, path: tuple = ()) -> list[tuple]:
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    return [path, *(found for key, part in inner for found in paths(part, (*path, key)))]


def with_changed(path: tuple, value: object) -> object:
    if not path:
        return value
    document = copy.deepcopy(EXAMPLE)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


hostile = st.sampled_from(
    [None, True, -1, 0, 10**15, 10**30, 10**400, 1e308, float("nan"), float("inf"), "", "x", [], [[]], {}, {"a": 1}]
)


@given(st.sampled_from(paths(EXAMPLE)), hostile)
def test_a_changed_document_is_refused_or_read_and_nothing_else(path: tuple, value: object):
    document = with_changed(path, value)
    with suppress(ProfileError):
        assert Profile.parse(document).window_rows == document["window"]["rows"]


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
        (("calibration", "detectors", "slow/training", "threshold"), 0, "threshold: 0, expected a number above 0"),
        (("time_span", "start"), "yesterday", "time_span.start: 'yesterday', expected a time in RFC 3339"),
        (("time_span", "start"), "2024-01-01T00:00:00", "expected a time with its offset from UTC"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(path: tuple, value: object, message: str):
    with pytest.raises(ProfileError, match=message):
        Profile.parse(with_changed(path, value))


@pytest.mark.parametrize("key", sorted(EXAMPLE))
def test_what_is_missing_is_named(key: str):
    with pytest.raises(ProfileError, match=f"profile: lacks '{key}'"):
        Profile.parse({name: value for name, value in EXAMPLE.items() if name != key})
