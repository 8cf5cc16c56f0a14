import json
import math
from functools import reduce
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.columns import Rows
from leeway_drift.counting.counts import ColumnPlan, Counts, MalformedCounts, Plan, RelationPlan

EDGES = np.array([0, 1, 2.5, 10], dtype=np.float32)
PLAN = Plan(
    {
        "x": ColumnPlan(EDGES, bounds=(-5.0, 20.0)),
        "c": ColumnPlan(categories=("a", "b")),
        "none": ColumnPlan(np.empty(0, dtype=np.float32)),
    },
    {"p": ColumnPlan(np.array([0, 0.5, 1], dtype=np.float32))},
    {"x~c": RelationPlan("x", "c", np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1]))},
)

values = st.one_of(st.floats(width=32), st.sampled_from([0.0, 1.0, 2.5, 10.0, math.nan, math.inf, -math.inf]))
strings = st.one_of(st.none(), st.sampled_from(["a", "b", "z"]), st.text(max_size=2))
tables = st.lists(st.tuples(values, strings, values), max_size=30)


def rows(table: list[tuple[float, str | None, float]]) -> Rows:
    c = np.empty(len(table), dtype=object)
    c[:] = [row[1] for row in table]
    columns = {"x": np.array([row[0] for row in table], dtype=np.float32), "c": c}
    columns["none"] = np.array([row[2] for row in table], dtype=np.float32)
    return Rows.of(columns, len(table))


def numbers(column: list[float]) -> Counts:
    return Counts.of_request(PLAN, Rows.of({"x": np.array(column, dtype=np.float32)}, len(column)))


def text(counts: Counts) -> str:
    return json.dumps(counts.to_json(), sort_keys=True)


@given(st.lists(tables, max_size=5), st.randoms(use_true_random=False))
def test_parts_in_any_order_add_up_to_the_whole(parts: list[list], random: Random):
    whole = Counts.of_request(PLAN, rows([row for part in parts for row in part]))
    counted = [Counts.of_request(PLAN, rows(part)) for part in parts]
    random.shuffle(counted)
    middle = len(counted) // 2
    none = Counts.none(PLAN)
    left, right = (reduce(lambda a, b: a + b, half, none) for half in (counted[:middle], counted[middle:]))
    assert text(left + right) == text(right + left) == text(whole)


@given(tables)
def test_every_value_is_counted_exactly_once(table: list):
    counts = Counts.of_request(PLAN, rows(table))
    assert counts.rows == len(table)
    for column in counts.features.values():
        assert column.total == len(table)
    assert counts.features["x"].buckets.sum() == counts.features["x"].present


@given(tables)
def test_counts_survive_being_stored(table: list):
    counts = Counts.of_request(PLAN, rows(table)) + Counts.of_response(PLAN, Rows.of({"p": np.ones(2, np.float32)}, 2))
    assert text(Counts.from_json(PLAN, json.loads(text(counts)))) == text(counts)


def test_value_on_an_edge_belongs_to_the_bin_above_and_the_rest_to_the_end_bins():
    counts = numbers([-1, 0, 1, 2.5, 9, 10, math.inf])
    assert counts.features["x"].bins.tolist() == [1, 1, 1, 2, 2]


def test_distance_beyond_the_ends_is_summed_in_units_of_the_plan():
    counts = numbers([-3, -1, 5, 12]).features["x"]
    unit = PLAN.features["x"].unit
    assert unit == 2**-16
    assert (counts.below * unit, counts.above * unit) == (4.0, 2.0)


def test_one_infinity_counts_as_no_more_than_twice_the_range():
    counts = numbers([math.inf, -math.inf]).features["x"]
    assert counts.above == counts.below == 2**21


def test_only_what_is_beyond_the_bounds_is_outside():
    assert numbers([-5, 20, -5.1, 20.5, math.nan, math.inf]).features["x"].outside == 3


def test_null_is_neither_a_value_nor_a_wrong_one():
    counts = numbers([math.nan, 1.0]).features["x"]
    assert (counts.nulls, counts.present, counts.wrong) == (1, 1, 0)


@pytest.mark.parametrize(("column", "top"), [([4.0] * 90 + [5.0] * 10, 90), ([0.0, -0.0, 0.0], 3)])
def test_most_frequent_value_is_bounded_from_above(column: list[float], top: int):
    stored = np.array(column, dtype=np.float32) + np.float32(0)
    counts = Counts.of_request(PLAN, Rows.of({"x": stored}, len(column)))
    assert top <= counts.features["x"].top <= len(column)


def test_values_spread_over_buckets():
    counts = numbers(list(np.linspace(0, 9, 6400))).features["x"]
    assert counts.top < 200


def test_relation_counts_rows_that_have_both_values():
    counts = Counts.of_request(PLAN, rows([(0.5, "a", 0), (3.0, "z", 0), (math.nan, "a", 0), (3.0, None, 0)]))
    assert counts.relations["x~c"].tolist() == [[1, 0], [0, 1]]


def test_column_of_another_type_or_without_values_is_wrong_and_no_crash():
    sent = Rows.of({"x": np.array(["1", None], dtype=object), "c": np.ones(2, dtype=np.float32)}, 2)
    counts = Counts.of_request(PLAN, sent)
    assert [counts.features[name].wrong for name in ("x", "c", "none")] == [2, 2, 2]
    assert counts.relations["x~c"].sum() == 0


def test_memory_does_not_grow_with_rows():
    few, many = numbers([1.0]), numbers([float(k) for k in range(5000)])
    assert few.nbytes == many.nbytes < 10_000


def test_features_and_outputs_are_counted_apart():
    asked = numbers([1.0, 2.0])
    answered = Counts.of_response(PLAN, Rows.of({"p": np.array([0.2, 0.7, 0.9], dtype=np.float32)}, 3))
    both = asked + answered
    assert (both.rows, both.answered) == (2, 3)
    assert both.outputs["p"].bins.tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((), [], "counts: list, expected an object"),
        (("rows",), -1, "rows: -1, expected a count"),
        (("rows",), True, "rows: True, expected a count"),
        (("features",), {}, "features: expected an object with exactly the plan's 3 names"),
        (("features", "x"), {}, "column x: expected an object with bins"),
        (("features", "x", "bins"), [1, 2], "column x, bins: expected a list of 5"),
        (("features", "x", "bins"), [1, 2, 3, 4, 0.5], "column x, bins: 0.5, expected a count"),
        (("features", "x", "nulls"), None, "column x, nulls: None, expected a count"),
        (("relations", "x~c"), [[1, 2]], "relation x~c: expected a list of 2"),
    ],
)
def test_stored_counts_of_something_else_are_refused(path: tuple[str, ...], value: object, message: str):
    document: object = Counts.none(PLAN).to_json()
    if path:
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    else:
        document = value
    with pytest.raises(MalformedCounts, match=message):
        Counts.from_json(PLAN, document)
