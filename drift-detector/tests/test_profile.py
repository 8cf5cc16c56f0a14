import json
import os
import subprocess
from pathlib import Path
from random import Random

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway_drift.columns import Rows
from leeway_drift.counting.counts import Counts
from leeway_drift.profile import Profile, ProfileError, build_profile
from leeway_drift.profile.measure import measure_quality
from tests.profiled import world

PACKAGE = Path(__file__).parents[1]
SCHEMAS = PACKAGE.parent / "schemas"
EXAMPLE = SCHEMAS / "examples" / "drift-profile.json"

numbers = st.lists(
    st.one_of(
        st.floats(width=32, allow_infinity=False),
        st.sampled_from([0.0, -0.0, 1.0, 3.4028234663852886e38, -3.4028234663852886e38]),
    ),
    min_size=1,
    max_size=200,
)
categories = st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=200)


def numeric(values: list[float]) -> dict:
    columns = {"x": np.array(values, dtype=np.float32)}
    return build_profile(columns, categorical=(), outputs={})["features"]["x"]


def fits(document: object) -> None:
    schema = json.loads((SCHEMAS / "drift-profile.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)


def test_example_fits_the_schema_and_is_read():
    document = json.loads(EXAMPLE.read_text())
    fits(document)
    profile = Profile.parse(document)
    assert profile.calibrated
    assert profile.performance.keys() == {"accuracy", "auc", "brier", "calibration_gap", "f1", "log_loss"}
    assert not profile.features["hour"].monitored


@pytest.mark.parametrize("group", ["current-numpy", "oldest-numpy"])
def test_profile_is_the_same_on_every_numpy_and_needs_nothing_else(group: str):
    command = [os.environ["UV"], "run", "--quiet", "--isolated", "--frozen", "--no-default-groups", "--group", group]
    command += ["python", "-W", "error", str(PACKAGE / "tests" / "example_profile.py")]
    printed = subprocess.run(command, cwd=PACKAGE, check=True, capture_output=True, text=True).stdout
    assert printed == EXAMPLE.read_text()


@given(numbers)
def test_every_value_is_counted_once_and_ends_are_empty(values: list[float]):
    column = numeric(values)
    present = [v for v in values if not np.isnan(v)]
    assert len(column["counts"]) == len(column["edges"]) + 1
    assert sum(column["counts"]) == len(present)
    assert column["nulls"] == len(values) - len(present)
    assert column["edges"] == sorted(set(column["edges"]))
    assert column["counts"][0] == 0
    if present and max(present) < np.finfo(np.float32).max:
        assert column["counts"][-1] == 0


@settings(max_examples=20)  # reading the schema takes most of the time
@given(numbers)
def test_whatever_the_numbers_the_profile_fits_the_schema_and_is_read(values: list[float]):
    profile = build_profile({"x": np.array(values, dtype=np.float32)}, categorical=(), outputs={})
    fits(json.loads(json.dumps(profile, allow_nan=False)))
    assert Profile.parse(profile).features["x"].nulls == profile["features"]["x"]["nulls"]


@given(numbers, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter_to_what_is_counted(values: list[float], random: Random):
    shuffled = list(values)
    random.shuffle(shuffled)
    one, other = numeric(values), numeric(shuffled)
    assert one | {"limits": {}} == other | {"limits": {}}


@given(categories)
def test_categories_are_counted_with_the_rest_in_the_last_bin(values: list[str | None]):
    columns = {"c": np.array(values, dtype=object)}
    column = build_profile(columns, categorical=["c"], outputs={})["features"]["c"]
    present = [v for v in values if v is not None]
    assert sum(column["counts"]) + column["nulls"] == len(values)
    assert len(column["categories"]) == min(64, len(set(present)))
    assert dict(zip(column["categories"], column["counts"], strict=False)) == {
        c: present.count(c) for c in column["categories"]
    }


def test_the_rarest_of_many_categories_are_counted_together():
    values = [f"c{k:03}" for k in range(100) for _ in range(k + 1)]
    column = build_profile({"c": np.array(values)}, categorical=["c"], outputs={})["features"]["c"]
    assert column["categories"] == [f"c{k:03}" for k in range(36, 100)]
    assert column["counts"][-1] == sum(range(1, 37))


def test_an_atom_has_a_bin_of_its_own():
    column = numeric([0.0] * 900 + [0.25 + k / 1000 for k in range(100)])
    assert max(column["counts"]) == 900
    atom = column["counts"].index(900)
    assert column["edges"][atom - 1] == 0.0
    assert column["edges"][atom] < 1e-40


def test_a_column_without_any_value_is_profiled_as_such():
    column = numeric([np.nan, np.nan])
    assert column["edges"] == column["bounds"] == []
    assert (column["counts"], column["nulls"], column["minimum"], column["maximum"]) == ([0], 2, None, None)


def test_plausible_range_follows_a_heavy_tail_and_ends_close_to_a_light_one():
    rain = numeric([0.0] * 9890 + [0.1 * (k + 1) for k in range(110)])
    temperature = numeric([k / 100 for k in range(10_000)])
    assert rain["bounds"][1] > 20
    assert temperature["bounds"] == [pytest.approx(-10, abs=0.01), pytest.approx(110, abs=0.02)]


def test_a_bad_day_in_the_reference_does_not_teach_that_nulls_are_normal():
    values = np.arange(20_000) % 97 / 7.0
    values[8000:8400] = np.nan
    assert numeric(values.tolist())["limits"]["missing_ratio"] == pytest.approx(0.22)


def test_chronic_nulls_are_learned_as_they_are():
    values = np.arange(20_000) % 97 / 7.0
    values[np.arange(20_000) // 500 % 4 == 0] = np.nan
    document = build_profile({"x": values}, categorical=[], outputs={})
    assert "missing_ratio" not in document["features"]["x"]["limits"]
    profile = Profile.parse(document)
    usual = Counts.of_request(profile.plan, Rows.of({"x": np.full(500, np.nan, np.float32)}, 500))
    assert (measure_quality(profile, usual)[0].ratio or 0) < 1


def test_a_column_without_any_value_may_stay_so():
    profile = Profile.parse(build_profile({"x": np.full(1000, np.nan)}, categorical=[], outputs={}))
    usual = Counts.of_request(profile.plan, Rows.of({"x": np.full(500, np.nan, np.float32)}, 500))
    assert (measure_quality(profile, usual)[0].ratio or 0) < 1


def test_nothing_missing_tolerated_means_nothing():
    limits = {"x": {"missing_ratio": 0.0}}
    profile = Profile.parse(build_profile({"x": np.arange(1000.0)}, categorical=[], outputs={}, limits=limits))
    values = np.arange(1000, dtype=np.float32)
    values[:3] = np.nan
    few = Counts.of_request(profile.plan, Rows.of({"x": values}, 1000))
    assert measure_quality(profile, few)[0].ratio == pytest.approx(1.0)


def test_column_that_comes_late_in_the_reference_is_judged_as_far_as_it_can():
    late = world(80)
    values = late.columns["load"].copy()
    values[: 30 * 600] = np.nan
    document = build_profile({"load": values}, categorical=[], outputs={}, time=late.time)
    assert document["calibration"]["detectors"]["abrupt/trailing"]["half_to_half"] is None
    assert Profile.parse(document).thresholds["abrupt/trailing"].windows > 40


def test_time_in_milliseconds_is_refused_with_what_was_expected():
    with pytest.raises(ProfileError, match=r"time, row 0: 1700000000000, expected seconds since 1970"):
        build_profile({"x": np.ones(2)}, categorical=[], outputs={}, time=np.array([1_700_000_000_000, 5]))


def test_declared_limits_cap_what_is_learned():
    columns = {"x": np.arange(5000) % 89 / 3.0}
    limits = {"x": {"missing_ratio": 0.001, "minimum": 0.0, "maximum": 40.0}}
    column = build_profile(columns, categorical=(), outputs={}, limits=limits)["features"]["x"]
    assert column["limits"]["missing_ratio"] == 0.001
    assert column["bounds"] == [0.0, 40.0]


def test_no_raw_row_can_be_read_from_a_profile():
    reference = world(60)
    text = json.dumps(reference.profile())
    secret = f"{float(reference.columns['load'][1234])!r}"
    assert secret not in text


def test_without_time_nothing_is_calibrated():
    reference = world(60)
    profile = Profile.parse(reference.profile(timed=False))
    assert not profile.calibrated
    assert (profile.method, profile.target_false_alarms_per_30_days, profile.span) == ("none", None, None)


def test_too_few_windows_calibrate_nothing_but_keep_their_time():
    profile = Profile.parse(world(4).profile())
    assert not profile.calibrated
    assert profile.span is not None


@pytest.mark.parametrize(
    ("columns", "categorical", "outputs", "message"),
    [
        ({}, [], {}, "no columns"),
        ({"x": np.empty(0)}, [], {}, "no rows"),
        ({"x": np.ones(3), "y": np.ones(2)}, [], {}, r"column y: shape \(2,\), expected \(3,\)"),
        ({"x": np.ones(3)}, ["z"], {}, "not there: z"),
        ({"x": np.array([1.0, np.inf])}, [], {}, "column x, row 1: inf"),
        ({"x": np.array([1.0, 1e39])}, [], {}, "column x, row 1: 1e[+]39 is not a finite float32"),
        ({"x": np.array(["a", "b"])}, [], {}, "column x: type .*strings belong in categorical"),
        ({"x": np.array(["a", 3], dtype=object)}, ["x"], {}, "column x, row 1: 3, expected a string"),
        ({"x": np.ones(3)}, [], {"p": np.ones((2, 2))}, r"output p: shape \(2, 2\), expected \(3,\)"),
    ],
)
def test_what_cannot_be_profiled_is_named(columns: dict, categorical: list[str], outputs: dict, message: str):
    with pytest.raises(ProfileError, match=message):
        build_profile(columns, categorical=categorical, outputs=outputs)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"time": np.ones(2, dtype=np.int64)}, r"time: int64 of shape \(2,\), expected epoch seconds"),
        ({"time": np.ones(3)}, "time: float64"),
        ({"context": ["hour"]}, "context names columns that are not there: hour"),
        ({"limits": {"y": {}}}, "limits names columns that are not there: y"),
        ({"labels": np.ones(3)}, "task '', expected one of"),
        ({"labels": np.ones(3), "task": "regression"}, "no output 'prediction'"),
        ({"labels": np.ones(3) * 7, "task": "multiclass_classification"}, "expected classes from 0 to 1"),
        ({"labels": np.ones(2), "task": "binary_classification"}, r"labels: shape \(2,\)"),
    ],
)
def test_what_else_is_wrong_is_named(extra: dict, message: str):
    outputs = {"probabilities": np.full((3, 2), 0.5)}
    with pytest.raises(ProfileError, match=message):
        build_profile({"x": np.ones(3)}, categorical=(), outputs=outputs, **extra)
