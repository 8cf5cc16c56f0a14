import json
import os
import subprocess
from pathlib import Path
from random import Random

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.counting.bins import count_numeric
from leeway_drift.profile import ProfileError, build_profile

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


def test_example_fits_the_schema():
    schema = json.loads((SCHEMAS / "drift-profile.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(EXAMPLE.read_text()), schema, jsonschema.Draft202012Validator)


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


@given(numbers, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(values: list[float], random: Random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert json.dumps(numeric(values), allow_nan=False) == json.dumps(numeric(shuffled), allow_nan=False)


@given(numbers, numbers)
def test_counts_of_parts_add_up_to_counts_of_the_whole(left: list[float], right: list[float]):
    edges = np.array(numeric(left)["edges"], dtype=np.float32)
    a, b = (np.array([v for v in part if not np.isnan(v)], dtype=np.float32) for part in (left, right))
    whole = count_numeric(np.concatenate([a, b]), edges)
    assert whole == [x + y for x, y in zip(count_numeric(a, edges), count_numeric(b, edges), strict=True)]


def test_an_atom_has_a_bin_of_its_own():
    rain = [0.0] * 900 + [0.25 + k / 1000 for k in range(100)]
    column = numeric(rain)
    edges = np.array(column["edges"], dtype=np.float32)
    drizzle = count_numeric(np.full(50, 0.001, dtype=np.float32), edges)
    assert max(column["counts"]) == 900
    assert drizzle[column["counts"].index(900)] == 0


def test_values_outside_the_reference_fall_into_the_end_bins():
    edges = np.array(numeric([1.0, 2.0, 3.0])["edges"], dtype=np.float32)
    counts = count_numeric(np.array([-np.inf, 0.5, 3.5, np.inf, 2.0], dtype=np.float32), edges)
    assert (counts[0], counts[-1]) == (2, 2)


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


def test_a_column_without_any_value_is_profiled_as_such():
    column = numeric([np.nan, np.nan])
    expected = {"kind": "numeric", "edges": [], "counts": [0], "nulls": 2, "minimum": None, "maximum": None}
    assert column == expected


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
