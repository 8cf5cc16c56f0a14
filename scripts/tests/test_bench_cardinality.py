"""Series: as many of each thing as docs/capacity.md says, by the components' own code; and how they are counted."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from bench import cardinality_fleet, cardinality_prometheus, cardinality_scrape, cardinality_series
from bench.cardinality import by_origin
from bench.cardinality_fleet import Pod
from bench.cardinality_series import SCOPES, Series
from cluster import paths

DOCUMENT = (paths.REPOSITORY / "docs/capacity.md").read_text(encoding="utf-8")
MODELS, VERSIONS, FEATURES = 2, 3, 5
"""Small, and more than one of each: a label that multiplies shows."""


def rows(first: str) -> Iterator[list[str]]:
    """The cells of a table of the document, by the first words of its head."""
    table = DOCUMENT[DOCUMENT.index(f"| {first} |") :].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture(scope="module")
def exposed() -> Iterator[Mapping[str, list[list[Series]]]]:
    """What each pod of a small fleet answers, by component; nothing of the proxy, which is no code of ours."""
    found: dict[str, list[list[Series]]] = {}
    with cardinality_fleet.running(MODELS, VERSIONS, FEATURES) as pods:
        for pod in pods:
            if pod.monitor != "gateway":
                found.setdefault(pod.component, []).append(cardinality_series.parse(pod.scrape()))
        yield found


def test_nothing_has_more_series_than_the_document_says(exposed: Mapping[str, list[list[Series]]]) -> None:
    stated = {cells[0].strip("`"): [int(cell) for cell in cells[1:]] for cells in rows("component")}
    assert stated.keys() == exposed.keys()
    for component, answers in exposed.items():
        most = [cardinality_series.most(answer) for answer in answers]
        found = [max(one[scope] for one in most) for scope in ("process", "model", "version", "output", "feature")]
        assert found == stated[component], component


def test_no_answer_tells_a_series_twice(exposed: Mapping[str, list[list[Series]]]) -> None:
    for component, answers in exposed.items():
        assert [cardinality_series.twice(answer) for answer in answers] == [[]] * len(answers), component


def test_the_document_bounds_every_label_there_is() -> None:
    listed = yaml.safe_load((paths.REPOSITORY / "schemas/metrics.yaml").read_text(encoding="utf-8"))["metrics"]
    labels = {label for metric in listed for label in metric["labels"]}
    assert labels == set(re.findall(r"`(\w+)`", " ".join(cells[0] for cells in rows("label"))))


def test_a_series_is_about_the_finest_thing_that_it_names() -> None:
    text = """# HELP a of nothing
a_total 1
a_bucket{le="+Inf",model="m"} 1
b{model="m",version="1",feature="x",namespace="n"} NaN
b{model="m",version="1",feature="",namespace="n",reason="said \\"no\\", twice"} 1e-05
"""
    series = cardinality_series.parse(text)
    assert [found.scope for found in series] == ["process", "model", "feature", "version"]
    assert dict(series[3].labels)["reason"] == r"said \"no\", twice"
    assert cardinality_series.most(series) == {"process": 1, "model": 1, "version": 1, "output": 0, "feature": 1}


def test_a_series_that_is_told_twice_counts_once_and_is_named() -> None:
    series = cardinality_series.parse('a{model="m",kind="1"} 1\na{kind="1",model="m"} 2\na{kind="2",model="m"} 2\n')
    assert [found.name for found in cardinality_series.twice(series)] == ["a"]
    assert cardinality_series.most(series)["model"] == 2


def test_what_is_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a sample of the text format, found '<html>'"):
        cardinality_series.parse("<html>\n")


def pod(name: str, **labels: str) -> Pod:
    given = {name.replace("_", "-"): value for name, value in labels.items()}
    return Pod("onnx-server", namespace="models", name=name, labels=given, port=7, process=1)


def monitor(name: str, selector: Mapping[str, Any], **endpoint: object) -> dict[str, Any]:
    return {
        "kind": "PodMonitor",
        "metadata": {"name": name, "namespace": "models"},
        "spec": {
            "selector": selector,
            "podTargetLabels": ["leeway.dev/slot"],
            "podMetricsEndpoints": [{"port": "http1", "interval": "10s", **endpoint}],
        },
    }


def test_pods_are_scraped_as_their_monitor_asks() -> None:
    asked = monitor(
        "of-a",
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]},
        honorLabels=True,
        relabelings=[{"sourceLabels": ["__address__"], "targetLabel": "host"}],
        metricRelabelings=[{"sourceLabels": ["__name__"], "regex": "kept", "action": "keep"}],
    )
    other = monitor("of-c", {"matchLabels": {"app": "c"}})
    made = cardinality_scrape.configuration([asked, other], [pod("one", app="a")], evaluated_every="30s")
    (job,) = made["scrape_configs"]
    assert (job["job_name"], job["honor_labels"], job["scrape_interval"]) == ("podMonitor/models/of-a/0", True, "10s")
    assert job["metric_relabel_configs"] == [{"source_labels": ["__name__"], "regex": "kept", "action": "keep"}]
    slot = {"source_labels": ["__meta_kubernetes_pod_label_leeway_dev_slot"], "target_label": "leeway_dev_slot"}
    assert {**slot, "regex": "(.+)"} in job["relabel_configs"]
    assert {"source_labels": ["__address__"], "target_label": "host"} in job["relabel_configs"]
    (target,) = job["static_configs"]
    assert target["labels"]["__meta_kubernetes_pod_name"] == "one"
    assert target["labels"]["__tmp_address"] == "127.0.0.1:7"


def test_a_pod_that_no_monitor_or_several_select_is_an_error() -> None:
    of_a, also = monitor("of-a", {"matchLabels": {"app": "a"}}), monitor("also", {})
    with pytest.raises(ValueError, match=r"pod one: expected one PodMonitor that selects it, found \[\]"):
        cardinality_scrape.configuration([of_a], [pod("one", app="b")], evaluated_every="30s")
    with pytest.raises(ValueError, match=r"found \['of-a', 'also'\]"):
        cardinality_scrape.configuration([of_a, also], [pod("one", app="a")], evaluated_every="30s")


def test_series_are_counted_by_the_monitor_they_come_from() -> None:
    counted = by_origin(
        [
            ({"job": "models/leeway-drift-detector", "__name__": "leeway_drift_detected"}, 3),
            ({"job": "models/leeway-models", "__name__": "up"}, 2),
            ({"__name__": "model:leeway_release:info"}, 1),
            ({"__name__": "ALERTS"}, 1),
        ]
    )
    assert {origin: found.total() for origin, found in counted.items()} == {
        "of drift-detector": 3,
        "that scrapes leave": 2,
        "that rules record": 2,
    }


def test_prometheus_own_metrics_are_read_by_their_text() -> None:
    lines = [
        "# TYPE a gauge",
        "a 1e+06",
        'b_seconds{rule_group="/x/rules.yaml;leeway.slo"} 0.25',
        'b_seconds_x{a="1"} 2',
    ]
    reading = cardinality_prometheus.Reading(0.0, cardinality_prometheus.own_metrics(lines))
    assert reading.values["a"] == 1e6
    assert reading.labelled("b_seconds") == {"/x/rules.yaml;leeway.slo": 0.25}


def test_the_finest_scope_is_the_first_that_is_looked_for() -> None:
    assert list(SCOPES.values()) == ["feature", "output", "version", "model", "process"]
