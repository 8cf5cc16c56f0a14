"""Rules, dashboards and the operator's gates become expressions, with the labels that their texts tell."""

import json

import pytest

from leeway_operators.verify.core.grafana import DashboardError, filled, of_dashboards
from leeway_operators.verify.core.promql import read
from leeway_operators.verify.core.uses import ANYTHING, of_gates, of_rules
from tests.verify.world import Manifest, alert, manifest, rules


def dashboard(**board: object) -> Manifest:
    return manifest("ConfigMap", "dashboards", data={"leeway-model.json": json.dumps({"uid": "leeway-model", **board})})


def test_a_rule_is_known_by_its_name() -> None:
    found = list(of_rules([rules({"record": "m:x", "expr": "sum(x)"}, alert("Slow", "m:x > 1"))]))
    assert [(use.by, use.expression, use.records) for use in found] == [
        ("record m:x", "sum(x)", "m:x"),
        ("alert Slow", "m:x > 1", None),
    ]


def test_an_alert_needs_the_labels_that_its_texts_tell_but_for_those_they_ask_for() -> None:
    text = "{{ $labels.model }} of {{ $labels.namespace }}{{ with $labels.version }} {{ $labels.version }}{{ end }}"
    (use,) = of_rules([rules(alert("Slow", "x", description=text))])
    assert use.wanted == {"model", "namespace"}


def test_what_a_text_asks_prometheus_itself_is_an_expression_in_use() -> None:
    text = (
        '{{ with query (printf "m:info{model=\'%s\'}" $labels.model) }}{{ . | first | label "team" }}{{ end }}'
        '{{ range query "max by (slot) (weight) > 0" }}{{ .Labels.slot }} {{ .Value }}{{ end }}'
    )
    alert_itself, team, weight = of_rules([rules(alert("Slow", "x", description=text))])
    assert alert_itself.wanted == {"model"}
    assert (team.by, team.expression) == ("alert Slow, its text", f"m:info{{model='{ANYTHING}'}}")
    assert team.wanted == set(), "a model may be of no team"
    assert weight.expression == "max by (slot) (weight) > 0"
    assert weight.wanted == {"slot"}


def test_panels_in_rows_and_variables_and_annotations_are_read() -> None:
    board = dashboard(
        panels=[
            {"title": "Rate", "targets": [{"expr": "rate(a[$__rate_interval])"}]},
            {"title": "Row", "panels": [{"title": "Inner", "targets": [{"expr": 'b{model=~"$model"}'}]}]},
            {"title": "Logs", "datasource": {"type": "loki"}, "targets": [{"expr": '{app="x"} |= "error"'}]},
        ],
        templating={
            "list": [
                {
                    "name": "model",
                    "type": "query",
                    "query": {"query": 'label_values(c{namespace="$namespace"}, model)'},
                },
                {"name": "source", "type": "datasource", "query": "prometheus"},
                {"name": "plain", "type": "query", "query": "label_values(pod)"},
            ]
        },
        annotations={"list": [{"name": "releases", "expr": "d"}, {"name": "built in"}]},
    )
    found = {use.by: use for use in of_dashboards([board])}
    assert {by: use.expression for by, use in found.items()} == {
        "dashboard leeway-model: Rate": "rate(a[5m])",
        "dashboard leeway-model: Inner": f'b{{model=~"{ANYTHING}"}}',
        "dashboard leeway-model: $model": f'c{{namespace="{ANYTHING}"}}',
        "dashboard leeway-model: releases": "d",
    }
    assert found["dashboard leeway-model: $model"].wanted == {"model"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("topk($n, x)", "topk(3, x)"),
        ("sum by (${group}) (x)", "sum by (pod) (x)"),
        ('x{a="${model:regex}",b="[[slot]]"}', f'x{{a="{ANYTHING}",b="{ANYTHING}"}}'),
        ('label_replace(x, "a", "$1", "b", "(.*)$")', 'label_replace(x, "a", "$1", "b", "(.*)$")'),
        ("increase(x[$__range]) / $__range_s", "increase(x[1h]) / 3600"),
    ],
)
def test_a_variable_is_anything_in_a_string_and_what_is_chosen_elsewhere(expression: str, expected: str) -> None:
    assert filled(expression, {"n": "3", "group": "pod"}) == expected
    assert read(expected).reads


def test_a_dashboard_that_is_no_json_is_named() -> None:
    broken = manifest("ConfigMap", "dashboards", data={"a.json": "{"})
    with pytest.raises(DashboardError, match=r"a\.json of ConfigMap dashboards"):
        list(of_dashboards([broken]))


def test_a_model_that_serves_is_asked_for_in_the_operators_own_words() -> None:
    stable = {"slot": "b", "revision": "0123456789", "version": "2"}
    serves = manifest("ModelRollout", "flights", status={"stable": stable})
    found = list(of_gates([serves, manifest("ModelRollout", "new")]))
    assert {use.by for use in found} == {"gates of models/flights"}
    metrics = {one.metric for use in found for one in read(use.expression).reads}
    assert metrics == {
        "leeway_inference_requests_total",
        "leeway_inference_request_duration_seconds_bucket",
        "envoy_cluster_endpoint_rq_success",
        "envoy_cluster_endpoint_rq_error",
    }
    exact = [use for use in found if use.everywhere]
    assert all('leeway_dev_revision=~"0123456789"' in use.expression for use in exact)
