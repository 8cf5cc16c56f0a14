"""Every query is PromQL, and reads metrics and labels that somebody emits."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from leeway_dashboards.boards.slo import PERIOD
from leeway_dashboards.main import boards
from leeway_dashboards.queries import Query, grouped, queries, selected, substitute

REPOSITORY = Path(__file__).parents[2]
EMITTED = yaml.safe_load((REPOSITORY / "schemas" / "metrics.yaml").read_text())["metrics"]
FOREIGN = yaml.safe_load((Path(__file__).parent / "foreign-metrics.yaml").read_text())["metrics"]
QUERIES = [query for board in boards() for query in queries(board)]
VALUES = {"namespace": ["team-a", "team-b"], "model": ["flights"], "version": ["1.0.0", "1.1.0"]}

# What a scrape adds to the series of each component (charts/leeway/templates/monitoring/podmonitors.yaml).
OF_PODS = {"namespace", "pod", "job", "instance", "container", "endpoint"}
ADDED = {
    "onnx-server": OF_PODS | {f"leeway_dev_{name}" for name in ("model", "slot", "version", "revision")},
    "drift-detector": OF_PODS,
    "operators": OF_PODS,
}


def known() -> dict[str, set[str]]:
    """Name of each series → its labels."""
    found: dict[str, set[str]] = {one["name"]: set(one["labels"]) for one in FOREIGN}
    for one in EMITTED:
        labels = {*one["labels"], *ADDED[one["component"]]}
        if one["type"] == "histogram":
            found |= {f"{one['name']}_{part}": labels for part in ("count", "sum")}
            found[f"{one['name']}_bucket"] = labels | {"le"}
        else:
            found[one["name"]] = labels
    return found


KNOWN = known()


def labels(metric: str) -> set[str]:
    """Labels that a series of this name has."""
    # Which of these are recorded is a matter of the chart's rules: tests/chart/test_dashboards.py.
    return {"namespace", "model"} if re.fullmatch(r"model:leeway_\w+:\w+", metric) else KNOWN[metric]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_query_reads_series_that_exist_by_labels_that_they_have(query: Query) -> None:
    expr = substitute(query.expr, VALUES, seconds=3600)
    assert "$" not in expr.replace('"$1"', "")
    found = selected(expr)
    assert found
    for one in found:
        assert one.labels <= labels(one.metric), one.metric
    assert grouped(expr) <= set().union(*(labels(one.metric) for one in found))


@pytest.mark.parametrize("query", [query for query in QUERIES if query.legend], ids=str)
def test_a_legend_names_labels_that_the_query_keeps(query: Query) -> None:
    wanted = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
    assert wanted <= grouped(substitute(query.expr, VALUES, seconds=3600))


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_rates_follow_the_resolution_of_the_panel(query: Query) -> None:
    # But for the period of a budget, which is the same however closely one looks.
    windows = re.findall(r"[\w})]\[([^\]]+)\]", query.expr)
    assert set(windows) <= {"$__rate_interval", "$__range", PERIOD}


def about(metric: dict[str, Any]) -> str:
    """How a metric's series begin in an expression."""
    ending = "_(bucket|count|sum)" if metric["type"] == "histogram" else ""
    return f"{metric['name']}{ending}"


@pytest.mark.parametrize("metric", EMITTED, ids=lambda metric: metric["name"])
def test_what_is_emitted_is_shown_somewhere(metric: dict[str, Any]) -> None:
    names = {one.metric for query in QUERIES for one in selected(substitute(query.expr, VALUES, seconds=60))}
    assert any(re.fullmatch(about(metric), name) for name in names)


def test_every_foreign_series_is_read() -> None:
    names = {one.metric for query in QUERIES for one in selected(substitute(query.expr, VALUES, seconds=60))}
    assert [one["name"] for one in FOREIGN if one["name"] not in names] == []
