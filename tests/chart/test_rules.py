"""Which alerts and recording rules a release has; what they say is proven in tests/rules."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, EVERYTHING, ROOT, ChartError, Manifest, Render, Rendered, model

WITHOUT_KIND = tuple(api for api in EVERYTHING if not api.endswith("/PrometheusRule"))
MODELS: Manifest = {"models": {"flights": model(), "fares": model(hostnames=["fares.leeway.internal"])}}
MODELS_ONLY: Manifest = {
    "models": {"flights": model(hostnames=["flights.example.com"])},
    "operator": {"enabled": False},
    "driftDetector": {"enabled": False},
    "gateway": {"create": False, "parentRef": {"name": "leeway", "namespace": "leeway"}},
}


def groups(rendered: Rendered) -> dict[str, list[Manifest]]:
    """Rules by the name of their group."""
    found = [group for rule in rendered.all("PrometheusRule") for group in rule["spec"]["groups"]]
    assert len({group["name"] for group in found}) == len(found)
    return {group["name"]: group["rules"] for group in found}


def alerts(rendered: Rendered) -> dict[str, list[Manifest]]:
    """Rules by the name of their alert."""
    found: dict[str, list[Manifest]] = {}
    for rules in groups(rendered).values():
        for rule in rules:
            if "alert" in rule:
                found.setdefault(rule["alert"], []).append(rule)
    return found


def recorded(rendered: Rendered, name: str, **labels: str) -> list[Manifest]:
    rules = (rule for group in groups(rendered).values() for rule in group if rule.get("record") == name)
    return [rule for rule in rules if labels.items() <= rule.get("labels", {}).items()]


def files() -> set[str]:
    return {path.stem for path in (CHART / "files/rules/alerts").glob("*.yaml")}


@pytest.mark.parametrize(
    ("enabled", "there", "elsewhere"), [("auto", True, False), (True, True, True), (False, False, False)]
)
def test_by_default_they_are_where_their_kind_is(
    render: Render,
    enabled: bool | str,  # noqa: FBT001 - a value of the chart
    there: bool,  # noqa: FBT001 - expected
    elsewhere: bool,  # noqa: FBT001 - expected
) -> None:
    values = {**MODELS, "monitoring": {"rules": {"enabled": enabled}}}
    assert bool(alerts(render(values))) is there
    assert bool(alerts(render(values, apis=WITHOUT_KIND))) is elsewhere


def test_the_platform_with_models_has_every_alert_and_each_lies_in_its_own_file(render: Render) -> None:
    found = alerts(render(MODELS))
    assert set(found) == files()


def test_a_platform_without_models_has_none_of_theirs(render: Render) -> None:
    found = set(alerts(render({})))
    assert {"RolloutRolledBack", "DriftAbrupt", "DetectorDown", "TargetDown", "Watchdog"} <= found
    assert not {name for name in found if name.startswith("Model")} - {"ModelDecay"}


def test_a_release_of_models_alone_has_none_of_the_platforms(render: Render) -> None:
    rendered = render(MODELS_ONLY, release="flights", namespace="team")
    found = alerts(rendered)
    assert {"TargetDown", "Watchdog", "ModelNotLoaded"} <= set(found)
    assert not {name for name in found if name.startswith(("Rollout", "Operator", "Detector", "Drift", "Certificate"))}
    assert {rule["metadata"]["name"] for rule in rendered.all("PrometheusRule")} == {
        "flights-leeway-models",
        "flights-leeway-release",
    }
    assert all(rule["labels"]["namespace"] == "team" for rules in found.values() for rule in rules)
    # The Gateway is scraped by the platform's release.
    assert "gateway" not in json.dumps([rule["expr"] for rule in found["TargetDown"] if "absent" in rule["expr"]])


def test_an_alert_can_be_left_out_by_name(render: Render) -> None:
    values = {**MODELS, "monitoring": {"rules": {"exclude": ["Watchdog", "ModelNoTraffic"]}}}
    assert set(alerts(render(values))) == files() - {"Watchdog", "ModelNoTraffic"}
    with pytest.raises(ChartError, match=r"monitoring\.rules\.exclude: Watchdgo is no alert"):
        render({**MODELS, "monitoring": {"rules": {"exclude": ["Watchdgo"]}}})


def test_what_is_recorded_once_a_minute_is_looked_at_once_a_minute(render: Render) -> None:
    (rule,) = (found for found in render(MODELS).all("PrometheusRule") if found["metadata"]["name"] == "leeway-models")
    intervals = {group["name"]: group.get("interval") for group in rule["spec"]["groups"]}
    assert intervals == {
        "leeway.models": None,
        "leeway.slo": "1m",
        "leeway.models.alerts": None,
        "leeway.models.alerts.1m": "1m",
    }
    assert all("Burn" in rule["alert"] for rule in groups(render(MODELS))["leeway.models.alerts.1m"])


def test_objects_are_found_by_a_prometheus_that_looks_for_labels(render: Render) -> None:
    values = {**MODELS, "monitoring": {"labels": {"release": "stack"}}}
    found = render(values).all("PrometheusRule")
    assert len(found) == 4
    assert all(rule["metadata"]["labels"]["release"] == "stack" for rule in found)


def test_alerts_lead_to_a_runbook_and_where_there_is_a_grafana_to_a_dashboard(render: Render) -> None:
    links = {
        "grafana": {"url": "https://grafana.example.com/"},
        "rules": {"runbookURL": "https://wiki.example.com/books/"},
    }
    for name, rules in alerts(render({**MODELS, "monitoring": links})).items():
        for rule in rules:
            assert rule["annotations"]["runbook_url"] == f"https://wiki.example.com/books/{name}.md"
            assert rule["annotations"]["dashboard_url"].startswith("https://grafana.example.com/d/leeway-")
    for rules in alerts(render(MODELS)).values():
        assert all("dashboard_url" not in rule["annotations"] for rule in rules)


def test_a_model_is_promised_its_own_objective_or_the_releases(render: Render) -> None:
    slo: dict[str, Any] = {"availability": 0.99, "latency": {"threshold": "1s"}}
    values = {
        "models": {"flights": model(team="aviation"), "fares": model(hostnames=["fares.leeway.internal"], slo=slo)},
        "monitoring": {"rules": {"slo": {"latency": {"objective": 0.95}}}},
    }
    rendered = render(values)

    def promised(name: str, of: str) -> str:
        (rule,) = recorded(rendered, name, model=of, namespace="leeway")
        expr: str = rule["expr"]
        return expr

    assert promised("model:leeway_availability_objective:ratio", "flights") == "vector(0.999)"
    assert promised("model:leeway_availability_objective:ratio", "fares") == "vector(0.99)"
    assert {promised("model:leeway_latency_objective:ratio", of) for of in ("flights", "fares")} == {"vector(0.95)"}
    assert promised("model:leeway_latency_threshold:seconds", "flights") == "vector(0.3)"
    (slow,) = recorded(rendered, "model:leeway_latency_slow:rate5m")
    assert 'model=~"flights",le="0.3"' in slow["expr"]
    assert 'model=~"fares",le="1.0"' in slow["expr"]
    assert recorded(rendered, "model:leeway_release:info", model="flights", team="aviation")
    (fares,) = recorded(rendered, "model:leeway_release:info", model="fares")
    assert "team" not in fares["labels"]


def test_a_threshold_of_latency_is_a_bucket_bound_of_the_server() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    allowed = schema["$defs"]["slo"]["properties"]["latency"]["properties"]["threshold"]["enum"]
    source = (ROOT / "model/serving/src/leeway_serving/metrics.py").read_text()
    bounds = {
        float(number)
        for number in source.split("BUCKETS = (")[1].split(")")[0].replace("\n", "").split(",")
        if number.strip()
    }
    seconds = {float(text[:-2]) / 1000 if text.endswith("ms") else float(text[:-1]) for text in allowed}
    # Durations are whole milliseconds.
    assert seconds == {bound for bound in bounds if (bound * 1000).is_integer()}


def test_an_operator_of_one_namespace_speaks_of_that_namespace(render: Render) -> None:
    for name in ("RolloutRolledBack", "DriftAbrupt"):
        (everywhere,) = alerts(render(MODELS))[name]
        assert 'namespace="team"' not in everywhere["expr"]
        (one,) = alerts(render({**MODELS, "operator": {"watchNamespace": "team"}}))[name]
        assert 'namespace="team"' in one["expr"]


def test_what_prometheus_fills_in_has_its_braces(render: Render) -> None:
    for path in (CHART / "files/rules").glob("*/*.yaml"):
        assert "]]]" not in path.read_text(), path
    text = yaml.safe_dump(render(MODELS).all("PrometheusRule"))
    assert "[[" not in text
    assert "]]" not in text
    (rule,) = alerts(render(MODELS))["DataQuality"]
    assert rule["labels"]["model_namespace"] == "{{ $labels.namespace }}"


def test_the_files_are_where_the_chart_looks_for_them() -> None:
    strays = [path for path in (CHART / "files/rules").rglob("*") if path.is_file() and path.suffix != ".yaml"]
    assert strays == []
    assert {path.name for path in Path(CHART / "files/rules").iterdir()} == {"alerts", "recording"}
