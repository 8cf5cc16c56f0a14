"""How Grafana gets the dashboards: a ConfigMap each, labelled for its sidecar."""

import json
import re
import zlib

import pytest

from chart.rendering import CHART, EVERYTHING, Manifest, Render, Rendered, model

FILES = sorted((CHART / "files" / "dashboards").glob("*.json"))
MODELS_ONLY: Manifest = {
    "models": {"flights": model(hostnames=["flights.example.com"])},
    "operator": {"enabled": False},
    "driftDetector": {"enabled": False},
    "gateway": {"create": False, "parentRef": {"name": "leeway", "namespace": "leeway"}},
}
UIDS = {"leeway-fleet", "leeway-model", "leeway-rollout", "leeway-drift", "leeway-telemetry", "leeway-slo"}


def shipped(rendered: Rendered) -> list[Manifest]:
    """ConfigMaps with a dashboard."""
    found = rendered.all("ConfigMap")
    return [one for one in found if one["metadata"]["labels"].get("app.kubernetes.io/component") == "dashboard"]


def test_each_dashboard_comes_as_it_was_generated(render: Render) -> None:
    found = shipped(render())
    told = {name: json.loads(text) for one in found for name, text in one["data"].items()}
    assert told == {path.name: json.loads(path.read_text()) for path in FILES}
    assert {board["uid"] for board in told.values()} == UIDS
    assert len({one["metadata"]["name"] for one in found}) == len(found) == len(UIDS)


def test_the_sidecar_finds_them_by_its_label_and_puts_them_into_a_folder(render: Render) -> None:
    for found in shipped(render()):
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found["metadata"]["annotations"] == {"grafana_folder": "Leeway"}


def test_another_sidecar_looks_for_other_labels(render: Render) -> None:
    wanted = {"labels": {"dashboards": "yes", "app.kubernetes.io/name": "grafana"}, "annotations": {"folder": "ML"}}
    for found in shipped(render({"monitoring": {"dashboards": wanted}})):
        assert found["metadata"]["labels"]["dashboards"] == "yes"
        assert found["metadata"]["labels"]["app.kubernetes.io/name"] == "leeway"
        assert found["metadata"]["annotations"]["folder"] == "ML"


def test_they_can_be_left_out(render: Render) -> None:
    assert shipped(render({"monitoring": {"dashboards": {"enabled": False}}})) == []


def test_a_release_of_models_alone_leaves_them_to_the_platforms(render: Render) -> None:
    assert shipped(render(MODELS_ONLY, release="flights", namespace="team")) == []


def test_they_need_nothing_of_the_cluster(render: Render) -> None:
    without = tuple(api for api in EVERYTHING if not api.startswith("monitoring.coreos.com"))
    assert len(shipped(render(apis=without))) == len(FILES)


def test_they_leave_room_in_the_secret_that_helm_keeps_a_release_in(render: Render) -> None:
    # Once as files of the chart, and once as rendered; helm compresses, and the API server allows 1 MiB.
    texts = [path.read_text() for path in FILES] + [json.dumps(found) for found in shipped(render())]
    assert len(zlib.compress("".join(texts).encode())) < 100_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_recorded_series_that_a_dashboard_reads_are_recorded_by_the_chart(render: Render, path: object) -> None:
    rules = render({"models": {"flights": model()}, "monitoring": {"rules": {"enabled": True}}}).all("PrometheusRule")
    groups = [group for rule in rules for group in rule["spec"]["groups"]]
    recorded = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}
    text = CHART.joinpath("files", "dashboards", str(path)).read_text()
    read = set(re.findall(r"\bmodel:leeway_\w+:\w+", text))
    assert read <= recorded
