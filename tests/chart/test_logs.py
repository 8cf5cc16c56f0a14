"""The level of the log: one for all programs, or one of their own."""

import json
import re

import jsonschema
import pytest
import yaml

from chart.rendering import ROOT, ChartError, Manifest, Render, Rendered, model

MODELS = {"flights": model()}


def levels(rendered: Rendered) -> dict[str, str]:
    """What each program is told, by its container's name."""
    return {
        container["name"]: entry["value"]
        for _, spec in rendered.pod_specs()
        for container in spec["containers"]
        for entry in container.get("env", [])
        if entry["name"] == "LEEWAY_LOG_LEVEL"
    }


def test_every_program_is_told_the_level_and_one_may_have_its_own(render: Render) -> None:
    assert levels(render({"models": MODELS})) == dict.fromkeys(
        ("kserve-container", "drift-detector", "operator"), "info"
    )
    logs: Manifest = {"level": "warning", "levels": {"driftDetector": "debug"}}
    assert levels(render({"models": MODELS, "logs": logs})) == {
        "kserve-container": "warning",
        "drift-detector": "debug",
        "operator": "warning",
    }


def test_a_servers_level_is_part_of_what_its_models_are_run_as_and_no_others(render: Render) -> None:
    def runtime(**logs: str) -> str:
        rendered = render({"models": MODELS, "logs": {"levels": logs}})
        name: str = rendered.one("ModelRollout")["spec"]["runtime"]
        assert name == rendered.one("ServingRuntime")["metadata"]["name"]
        return name

    assert runtime(operator="debug", driftDetector="error") == runtime()
    assert runtime(onnxServer="debug") != runtime()


def test_a_model_may_have_a_level_of_its_own(render: Render) -> None:
    source = model()["model"] | {"env": {"LEEWAY_LOG_LEVEL": "debug"}}
    rendered = render({"models": {"flights": {"model": source}}})
    assert rendered.one("ModelRollout")["spec"]["model"]["env"] == [{"name": "LEEWAY_LOG_LEVEL", "value": "debug"}]


def test_a_server_knows_the_namespace_that_its_lines_name(render: Render) -> None:
    (container,) = render({"models": MODELS}).one("ServingRuntime")["spec"]["containers"]
    assert {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}} in container["env"]


@pytest.mark.parametrize("logs", [{"level": "loud"}, {"level": ""}, {"levels": {"gateway": "debug"}}])
def test_what_is_no_level_or_no_program_is_refused(render: Render, logs: Manifest) -> None:
    with pytest.raises(ChartError, match="logs"):
        render({"logs": logs})


def test_the_page_on_logs_shows_a_line_of_the_schema_and_a_collector_that_knows_it() -> None:
    text = (ROOT / "docs/logs.md").read_text()
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (config,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    schema = json.loads((ROOT / "schemas/log.schema.json").read_text())
    jsonschema.validate(json.loads(example), schema)
    operators = yaml.safe_load(config)["receivers"]["file_log"]["operators"]
    named = set(re.findall(r"attributes\.(\w+)", json.dumps(operators)))
    assert named <= set(schema["properties"])
    (condition,) = [operator["if"] for operator in operators if operator["type"] == "json_parser"]
    pattern = condition.removeprefix('body matches "').removesuffix('"').replace('\\"', '"')
    others = [
        '{"time": "2026-03-02T09:15:00Z", "method": "GET", "code": 503}',
        "I0302 09:15:00.1 controller.go:1] started",
    ]
    assert [bool(re.search(pattern, line)) for line in (example, *others)] == [True, False, False]
    for component in schema["properties"]["component"]["enum"]:
        assert re.search(pattern, example.replace("onnx-server", component))
