"""The proof as a whole, and how it is told."""

import json
from typing import Any

from leeway_operators.verify.core import report
from leeway_operators.verify.core.finding import Finding
from leeway_operators.verify.core.proof import Inventory, prove
from tests.verify.world import FakePrometheus, alert, manifest, prometheus, rules, series, target

FILE = "/etc/prometheus/rules/main-0/models-leeway-0f1d3c1e-0000-4000-8000-0123456789ab.yaml"
ALERTMANAGER = prometheus({}, {}, kind="Alertmanager", of="alertmanagerConfig")


def chosen(*kinds: str) -> dict[str, Any]:
    """A Prometheus that selects everything of some kinds."""
    both = [prometheus({}, {}, of=of) for of in kinds]
    return {"metadata": both[0]["metadata"], "spec": {key: value for one in both for key, value in one["spec"].items()}}


def inventory(by: Any = None, **changes: Any) -> Inventory:
    objects: dict[str, Any] = {
        "PodMonitor": [manifest("PodMonitor", "leeway-models")],
        "PrometheusRule": [rules(alert("Errors", 'requests_total{code="500"} > 0', summary="{{ $labels.model }}"))],
        "AlertmanagerConfig": [manifest("AlertmanagerConfig", "leeway", {"receivers": [{"name": "slack"}]})],
        **changes,
    }
    selecting = {"Prometheus": [by or chosen("pod", "rule")], "Alertmanager": [ALERTMANAGER]}
    return Inventory(objects=objects, selecting=selecting, namespaces={"models": {}})


def live(**changes: Any) -> FakePrometheus:
    world: dict[str, Any] = {
        "held": [series("requests_total", model="flights", code="200")],
        "active": [target("podMonitor/models/leeway-models/0")],
        "loaded": [{"name": "g", "file": FILE, "rules": [{"name": "Errors", "health": "ok"}]}],
        "runs": "receiver: models/leeway/slack",
        **changes,
    }
    return FakePrometheus(**world)


def gaps(findings: list[Finding]) -> list[str]:
    return [finding.what for finding in findings if finding.verdict == "missing"]


def test_a_release_that_is_wired_has_no_gap_and_says_what_was_looked_at() -> None:
    findings = prove(inventory(), live())
    assert gaps(findings) == []
    assert [(finding.what, finding.verdict) for finding in findings] == [
        ("requests_total{code,model}", "found"),
        ('requests_total{code="500"}', "expected"),
        ("PodMonitor models/leeway-models", "found"),
        ("PrometheusRule models/leeway", "found"),
        ("AlertmanagerConfig models/leeway", "found"),
        ("targets of PodMonitor models/leeway-models", "found"),
        ("group g of PrometheusRule models/leeway", "found"),
        ("Alertmanagers of Prometheus", "found"),
        ("receivers of AlertmanagerConfig models/leeway", "found"),
    ]


def test_what_nobody_selects_is_one_gap_and_not_asked_for_again_as_a_target() -> None:
    of_others = {**chosen("pod", "rule")["spec"], "podMonitorSelector": {"matchLabels": {"a": "b"}}}
    told = inventory(by={**chosen("pod"), "spec": of_others})
    assert gaps(prove(told, live(active=[]))) == ["PodMonitor models/leeway-models"]


def test_alerts_that_nobody_is_told_are_a_gap() -> None:
    assert gaps(prove(inventory(AlertmanagerConfig=[]), live(tells=[]))) == ["Alertmanagers of Prometheus"]


def test_without_rules_no_alertmanager_is_needed() -> None:
    assert gaps(prove(inventory(AlertmanagerConfig=[], PrometheusRule=[]), live(tells=[], loaded=[]))) == []


def test_a_broken_dashboard_is_a_gap_beside_the_others() -> None:
    broken = manifest("ConfigMap", "dashboards", data={"a.json": "[]"})
    assert gaps(prove(inventory(ConfigMap=[broken]), live())) == ["a.json of ConfigMap dashboards is no JSON object"]


def test_what_may_not_be_read_is_a_gap() -> None:
    findings = prove(Inventory(objects={}, refused={"PrometheusRule": "forbidden"}), FakePrometheus())
    assert [(finding.what, finding.why) for finding in findings] == [("PrometheusRule objects", "forbidden")]


def test_the_table_ends_with_the_gaps_in_full_and_their_number() -> None:
    long = "x" * 300
    findings = [
        Finding(kind="metric", what="gone", verdict="missing", used_by=("a", "b", "c"), why=long, next="look there"),
        Finding(kind="metric", what="there", verdict="found", why=long),
    ]
    header, there, gone, _, summary = report.table(findings).splitlines()
    assert header.split() == ["WHAT", "USED", "BY", "VERDICT", "WHY", "NEXT"]
    assert there.startswith("there")
    assert long not in there
    assert long in gone
    assert "a, b and 1 more" in gone
    assert gone.endswith("look there")
    assert summary == "1 found, 0 absent for a reason, 1 missing: 1 gap"


def test_the_document_has_every_finding_and_the_number_of_gaps() -> None:
    findings = prove(inventory(), live(runs=""))
    document = json.loads(report.document(findings))
    assert document["gaps"] == 1
    assert document["findings"][0] == {
        "kind": "metric",
        "what": "requests_total{code,model}",
        "verdict": "found",
        "used_by": ["alert Errors"],
        "why": "",
        "next": "",
    }
