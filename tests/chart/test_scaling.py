"""What replicas follow, besides CPU: requests in flight and per second, which prometheus-adapter tells of pods."""

import re
from typing import Any

import promql_parser
import pytest
import yaml

from chart.rendering import CHART, ROOT, ChartError, Manifest, Render, model

ADAPTER: Manifest = yaml.safe_load((CHART / "files/prometheus-adapter.yaml").read_text())
RULES: list[Manifest] = ADAPTER["rules"]["custom"]
# What prometheus-adapter puts in for one question of an autoscaler.
ASKED = {"GroupBy": "pod", "LabelMatchers": 'namespace="leeway",pod=~"flights-a-1|flights-a-2"'}


def spec(render: Render, **autoscaling: Any) -> Manifest:
    rendered = render({"models": {"flights": model(autoscaling=autoscaling)}})
    one, other = (rendered.one("HorizontalPodAutoscaler", f"flights-{slot}-scale")["spec"] for slot in "ab")
    assert one["metrics"] == other["metrics"]
    found: Manifest = one
    return found


def metrics(render: Render, **autoscaling: Any) -> dict[str, Manifest]:
    """Targets of the HPA by metric."""
    found = {}
    for metric in spec(render, **autoscaling)["metrics"]:
        source = metric[metric["type"][0].lower() + metric["type"][1:]]
        found[source.get("name") or source["metric"]["name"]] = source["target"]
    return found


def series(rule: Manifest) -> str:
    """Name of the series that a rule looks for."""
    found = re.match(r"\w+", rule["seriesQuery"])
    assert found
    return found[0]


def test_requests_in_flight_and_per_second_count_beside_cpu(render: Render) -> None:
    assert metrics(render, targetRequestsInFlight=4, targetRequestsPerSecond=2000000) == {
        "cpu": {"type": "Utilization", "averageUtilization": 70},
        "leeway_inference_requests_in_flight": {"type": "AverageValue", "averageValue": "4"},
        "leeway_inference_requests_per_second": {"type": "AverageValue", "averageValue": "2000000"},
    }


def test_cpu_can_be_left_out(render: Render) -> None:
    assert list(metrics(render, targetCPUUtilizationPercentage=0, targetRequestsInFlight=4)) == [
        "leeway_inference_requests_in_flight"
    ]


def test_a_model_can_scale_by_other_figures_than_the_release(render: Render) -> None:
    values = {
        "autoscaling": {"targetCPUUtilizationPercentage": 0, "targetRequestsPerSecond": 50},
        "models": {"flights": model(), "fares": model(autoscaling={"targetRequestsPerSecond": 5, "maxReplicas": 2})},
    }
    rendered = render(values)
    targets = {
        name: rendered.one("HorizontalPodAutoscaler", f"{name}-a-scale")["spec"]["metrics"][0]["pods"]["target"]
        for name in values["models"]
    }
    assert [targets[name]["averageValue"] for name in ("flights", "fares")] == ["50", "5"]


def test_an_autoscaler_that_follows_nothing_is_refused_by_the_models_name(render: Render) -> None:
    with pytest.raises(ChartError, match=r"models\.flights\.autoscaling: .*above 0 is expected, or enabled: false"):
        spec(render, targetCPUUtilizationPercentage=0)
    nothing = {"enabled": False, "targetCPUUtilizationPercentage": 0}
    assert not render({"models": {"flights": model(autoscaling=nothing)}}).all("HorizontalPodAutoscaler")


def test_how_fast_replicas_follow_is_kubernetes_own_unless_it_is_said(render: Render) -> None:
    assert "behavior" not in spec(render)
    slow = {"scaleDown": {"stabilizationWindowSeconds": 600, "policies": [_policy("Pods")]}}
    assert spec(render, behavior=slow)["behavior"] == slow


@pytest.mark.parametrize(
    ("autoscaling", "message"),
    [
        ({"targetRequestsInFlight": -1}, r"targetRequestsInFlight.*minimum: got -1, want 0"),
        ({"targetRequestsInFlight": "4"}, r"targetRequestsInFlight.*got string, want integer"),
        ({"targetRequestsPerSecond": 0.5}, r"targetRequestsPerSecond.*want integer"),
        ({"targetRequests": 4}, r"additional properties 'targetRequests' not allowed"),
        ({"behavior": {"scaledown": {}}}, r"behavior.*'scaledown' not allowed"),
        ({"behavior": {"scaleUp": {"stabilizationWindowSeconds": 3601}}}, r"want 3,?600"),
        ({"behavior": {"scaleUp": {"policies": [{"type": "Pods"}]}}}, r"missing properties"),
    ],
)
def test_nonsense_is_refused_by_where_it_is(render: Render, autoscaling: Manifest, message: str) -> None:
    with pytest.raises(ChartError, match=message):
        spec(render, **autoscaling)


def test_the_adapter_has_a_rule_for_each_metric_that_an_autoscaler_may_ask_for(render: Render) -> None:
    asked = set(metrics(render, targetRequestsInFlight=1, targetRequestsPerSecond=1)) - {"cpu"}
    assert {rule["name"]["as"] for rule in RULES} == asked


@pytest.mark.parametrize("rule", RULES, ids=series)
def test_a_rule_reads_what_model_servers_expose_and_tells_it_by_pod(rule: Manifest) -> None:
    listed = yaml.safe_load((ROOT / "schemas/metrics.yaml").read_text())["metrics"]
    (metric,) = [entry for entry in listed if entry["name"] == series(rule)]
    assert metric["component"] == "onnx-server"
    assert rule["resources"]["overrides"] == {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}
    # A counter has to be a rate, or replicas would follow the age of a pod.
    assert ("rate(" in rule["metricsQuery"]) == (metric["type"] == "counter")
    query = re.sub(r"<<\.(\w+)>>", lambda found: (ASKED | {"Series": series(rule)})[found[1]], rule["metricsQuery"])
    assert series(rule) in promql_parser.parse(query).prettify()


def test_no_rule_hides_behind_a_series_of_its_own_name() -> None:
    listed = {entry["name"] for entry in yaml.safe_load((ROOT / "schemas/metrics.yaml").read_text())["metrics"]}
    # Rules of others make metrics of series by their names, a counter's without its end.
    taken = listed | {name.removesuffix("_total") for name in listed}
    assert not taken & {rule["name"]["as"] for rule in RULES}
    assert ADAPTER["rules"]["default"] is False


def _policy(kind: str) -> Manifest:
    return {"type": kind, "value": 1, "periodSeconds": 60}
