"""Traces: nobody is told of a collector unless one is named; then every program is, and may reach it."""

import pytest
import yaml

from chart.rendering import ROOT, ChartError, Manifest, Render, Rendered, model

ENDPOINT = "http://otel-collector.monitoring.svc:4318"
PROGRAMS = {"kserve-container", "drift-detector", "operator"}


def told(rendered: Rendered) -> dict[str, dict[str, str]]:
    """What each program is told of traces, by its container's name."""
    found: dict[str, dict[str, str]] = {}
    for _, spec in rendered.pod_specs():
        for container in spec["containers"]:
            for entry in container.get("env", []):
                if entry["name"].startswith("LEEWAY_TRACING_"):
                    found.setdefault(container["name"], {})[entry["name"]] = entry["value"]
    return found


def ports(rendered: Rendered, name: str) -> set[int]:
    """That a program may reach at any address."""
    rules = rendered.one("NetworkPolicy", name)["spec"]["egress"]
    return {port["port"] for rule in rules if "to" not in rule for port in rule["ports"]}


def render_with(render: Render, tracing: Manifest, **values: Manifest) -> Rendered:
    return render({"models": {"flights": model()}, "tracing": tracing, **values})


def test_every_program_is_told_of_the_collector_and_the_ratio_and_none_without_one(render: Render) -> None:
    assert told(render_with(render, {"sampleRatio": 1})) == {}
    variables = {"LEEWAY_TRACING_ENDPOINT": ENDPOINT, "LEEWAY_TRACING_SAMPLE_RATIO": "0.01"}
    assert told(render_with(render, {"endpoint": ENDPOINT})) == dict.fromkeys(PROGRAMS, variables)


@pytest.mark.parametrize(("ratio", "text"), [(1, "1"), (0.25, "0.25"), (0.00001, "1e-05")])
def test_a_ratio_reaches_the_programs_as_they_read_it(render: Render, ratio: float, text: str) -> None:
    given = told(render_with(render, {"endpoint": ENDPOINT, "sampleRatio": ratio}))
    assert {entry["LEEWAY_TRACING_SAMPLE_RATIO"] for entry in given.values()} == {text}
    assert float(text) == ratio


@pytest.mark.parametrize("name", ["leeway-operator", "leeway-drift-detector"])
def test_the_collectors_port_is_open_where_one_is_named(render: Render, name: str) -> None:
    without = ports(render_with(render, {}), name)
    assert ports(render_with(render, {"endpoint": ENDPOINT}), name) - without == {4318}
    policy: Manifest = {"tracingPorts": [55681, 443]}
    assert {55681, 443} <= ports(render_with(render, {"endpoint": ENDPOINT}, networkPolicy=policy), name)


def test_where_traces_go_is_part_of_what_models_are_run_as_and_nothing_changes_without_it(render: Render) -> None:
    def runtime(tracing: Manifest) -> str:
        name: str = render_with(render, tracing).one("ServingRuntime")["metadata"]["name"]
        return name

    assert runtime({"sampleRatio": 0.5}) == runtime({})
    assert runtime({"endpoint": ENDPOINT}) != runtime({})


@pytest.mark.parametrize(
    "tracing",
    [
        {"endpoint": "otel:4318"},
        {"endpoint": "http://user:secret@otel:4318"},
        {"sampleRatio": 0},
        {"sampleRatio": 1.1},
        {"sampleRatio": "all"},
        {"exporter": "otlp"},
    ],
)
def test_what_is_no_address_or_no_share_is_refused(render: Render, tracing: Manifest) -> None:
    with pytest.raises(ChartError, match="tracing"):
        render_with(render, tracing)


def test_the_page_on_traces_names_every_span_stage_and_attribute() -> None:
    text = (ROOT / "docs/traces.md").read_text()
    contract = yaml.safe_load((ROOT / "schemas/traces.yaml").read_text())
    for span in contract["spans"]:
        attributes = [name for names in span["attributes"].values() for name in names]
        for name in (span["component"], span["name"], *span["stages"], *attributes):
            assert f"`{name}`" in text, f"docs/traces.md says nothing of {name}"
