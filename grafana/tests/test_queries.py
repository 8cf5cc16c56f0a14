"""What a dashboard asks, read off its JSON and filled in as Grafana does."""

import re
from typing import Any

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_dashboards.queries import QueryError, grouped, of_panel, panels, selected, substitute, used, variables


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ('up{model=~"$model"}', 'up{model=~"flights"}'),
        ('up{model=~"${model}"}', 'up{model=~"flights"}'),
        ('up{version=~"$version"}', r'up{version=~"(1\\.0\\.0|1\\.1\\.0)"}'),
        ("rate(up[$__rate_interval])", "rate(up[2m])"),
        ("increase(up[$__range])", "increase(up[600s])"),
        ('label_replace(up, "a", "$1", "b", "(.*)")', 'label_replace(up, "a", "$1", "b", "(.*)")'),
    ],
)
def test_variables_are_filled_in_as_grafana_does(expr: str, expected: str) -> None:
    values = {"model": ["flights"], "version": ["1.0.0", "1.1.0"]}
    assert substitute(expr, values, seconds=600) == expected


def test_a_variable_without_a_value_is_named() -> None:
    with pytest.raises(QueryError, match=r"\$model has no value in up"):
        substitute('up{model="$model"}', {"model": []}, seconds=60)


@given(
    st.lists(
        st.text(st.characters(codec="ascii", exclude_categories=["C"], exclude_characters='"'), min_size=1), min_size=1
    )
)
def test_a_filled_in_matcher_matches_the_chosen_values_and_no_others(values: list[str]) -> None:
    expr = substitute('up{version=~"$version"}', {"version": values}, seconds=60)
    parsed: Any = promql_parser.parse(expr)
    (matcher,) = parsed.matchers.matchers
    assert all(re.fullmatch(matcher.value, value) for value in values)
    assert not re.fullmatch(matcher.value, "".join(values) + "x")


def test_grafanas_own_variables_are_not_ones_that_can_be_chosen() -> None:
    assert used('rate(up{model=~"$model"}[$__rate_interval]) / $__range_s') == {"model"}


def test_an_expression_says_what_it_reads_and_groups_by() -> None:
    expr = 'sum by (model) (rate(a_total{code=~"5.."}[5m])) / on (model) max without (pod) (b{slot="a"})'
    assert {(one.metric, one.labels) for one in selected(expr)} == {
        ("a_total", frozenset({"code"})),
        ("b", frozenset({"slot"})),
    }
    assert grouped(expr) == {"model", "pod"}


@pytest.mark.parametrize(("expr", "why"), [("sum by (model (up)", "is no PromQL"), ('{job="x"}', "names no metric")])
def test_what_cannot_be_asked_is_refused(expr: str, why: str) -> None:
    with pytest.raises(QueryError, match=why):
        selected(expr)


def test_panels_in_collapsed_rows_count_too() -> None:
    inner = {"type": "stat", "title": "inner", "targets": [{"refId": "A", "expr": "up"}]}
    board = {"uid": "u", "panels": [{"type": "row", "panels": [inner]}, {"type": "text", "title": "outer"}]}
    assert [panel["title"] for panel in panels(board)] == ["inner", "outer"]
    assert [query.expr for panel in panels(board) for query in of_panel("u", panel)] == ["up"]


def test_a_variable_of_another_kind_is_refused() -> None:
    board = {
        "uid": "u",
        "templating": {"list": [{"type": "query", "name": "pod", "query": {"query": "query_result(up)"}}]},
    }
    with pytest.raises(QueryError, match="variable pod of u asks query_result"):
        variables(board)
