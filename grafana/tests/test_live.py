"""Asking a Prometheus, played by one that answers from a table."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from leeway_dashboards.live import Gap, PrometheusError, Span, ask, choices, connect, gaps
from leeway_dashboards.queries import Dashboard, QueryError, queries

SPAN = Span(1000.0, 4600.0)


def target(ref: str, expr: str, *, instant: bool = False) -> dict[str, Any]:
    return {"refId": ref, "expr": expr, "legendFormat": "", "instant": instant}


def board(*targets: dict[str, Any], several: bool = False) -> Dashboard:
    variable = {"name": "model", "type": "query", "query": {"query": "label_values(up, model)"}, "multi": several}
    panel = {"type": "timeseries", "title": "Panel", "targets": list(targets)}
    return {"uid": "board", "panels": [panel], "templating": {"list": [variable]}}


class Prometheus:
    """Knows some expressions and the values of one label; keeps what it was asked."""

    def __init__(self, *known: str, models: tuple[str, ...] = ("flights", "fares")) -> None:
        self.known, self.models = known, list(models)
        self.asked: list[httpx.QueryParams] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        self.asked.append(asked)
        if request.url.path.endswith("/values"):
            return httpx.Response(200, json={"status": "success", "data": self.models})
        if asked["query"] == "sum(":
            return httpx.Response(400, json={"status": "error", "error": "parse error"})
        found = [{"metric": {"a": "b"}, "values": [[1, "2"], [16, "NaN"]], "value": [1, "2"]}]
        result = found if asked["query"] in self.known else []
        return httpx.Response(200, json={"status": "success", "data": {"result": result}})


def get(answer: Callable[[httpx.Request], httpx.Response]) -> Any:
    return connect(httpx.Client(base_url="http://prometheus/", transport=httpx.MockTransport(answer)))


def told(found: list[Gap]) -> list[tuple[str, str, str]]:
    return [(gap.query.ref, gap.asked, gap.reason) for gap in found]


def test_a_query_without_data_is_named_with_what_was_asked() -> None:
    one = board(target("A", 'x{model="$model"}'), target("B", 'y{model="$model"}'))
    prometheus = Prometheus('x{model="fares"}')
    # Sorted, `fares` is asked for first, and the query that gave data then is not asked again.
    assert told(gaps(get(prometheus), one, SPAN, {})) == [("B", 'y{model="fares"}', "no data")]
    assert sum(asked.get("query", "").startswith("x") for asked in prometheus.asked) == 1


def test_data_for_one_of_the_models_are_enough() -> None:
    one = board(target("A", 'x{model="$model"}'))
    assert gaps(get(Prometheus('x{model="flights"}')), one, SPAN, {}) == []
    assert len(gaps(get(Prometheus('x{model="flights"}')), one, SPAN, {"model": ["fares"]})) == 1


def test_what_is_shown_for_an_instant_may_be_over() -> None:
    prometheus = Prometheus("x")
    assert gaps(get(prometheus), board(target("A", "x", instant=True)), SPAN, {}) == []
    (asked,) = [asked for asked in prometheus.asked if "query" in asked]
    assert (asked["start"], asked["end"]) == ("1000.000", "4600.000")


def test_a_query_that_prometheus_refuses_is_a_gap_and_is_asked_once() -> None:
    prometheus = Prometheus()
    found = gaps(get(prometheus), board(target("A", "sum(")), SPAN, {})
    assert told(found) == [("A", "sum(", "sum(: parse error")]
    assert sum("query" in asked for asked in prometheus.asked) == 1


def test_a_variable_of_several_values_is_asked_for_all_of_them_at_once() -> None:
    (chosen,) = choices(get(Prometheus()), board(several=True), SPAN, {})
    assert chosen == {"model": ["fares", "flights"]}
    assert [chosen["model"] for chosen in choices(get(Prometheus()), board(), SPAN, {})] == [["fares"], ["flights"]]


def test_a_variable_without_values_is_named() -> None:
    with pytest.raises(QueryError, match="variable model of board: no series of up has a label model"):
        next(choices(get(Prometheus(models=())), board(), SPAN, {}))


def test_a_given_value_is_taken_where_it_is_and_only_there() -> None:
    two = board()
    variables = two["templating"]["list"]
    namespace = {**variables[0], "name": "namespace", "query": {"query": "label_values(up, namespace)"}}
    model = {**variables[0], "query": {"query": 'label_values(up{namespace="$namespace"}, model)'}}
    two["templating"]["list"] = [namespace, model]
    known = {"up": ["drills", "models"], 'up{namespace="drills"}': ["fares"], 'up{namespace="models"}': ["flights"]}

    def prometheus(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"status": "success", "data": known[request.url.params["match[]"]]})

    found = list(choices(get(prometheus), two, SPAN, {"model": ["flights"]}))
    assert found == [{"namespace": ["models"], "model": ["flights"]}]
    with pytest.raises(QueryError, match=r"no series of up\{namespace=\"\$namespace\"\} has model hotels"):
        next(choices(get(prometheus), two, SPAN, {"model": ["hotels"]}))


def test_series_have_their_labels_and_points() -> None:
    (query,) = queries(board(target("A", "x")))
    (found,) = ask(get(Prometheus("x")), query, {}, SPAN)
    assert found.labels == {"a": "b"}
    assert found.points[0] == (1.0, 2.0)
    assert len(found.points) == 2


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), httpx.Response(200, json=["x"])])
def test_what_is_no_prometheus_is_said(answer: httpx.Response) -> None:
    with pytest.raises(PrometheusError):
        get(lambda _: answer)("query", {"query": "up"})


def test_a_prometheus_that_is_away_is_named() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(PrometheusError, match=r"http://prometheus/ gave no answer .* refused"):
        get(away)("query", {"query": "up"})
