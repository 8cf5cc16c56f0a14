"""What Prometheus and Alertmanager made of what they select: targets, rules, receivers, autoscalers' metrics."""

import pytest

from leeway_operators.verify.core import loaded
from leeway_operators.verify.core.relabel import drops
from tests.verify.world import Manifest, alert, manifest, rules, target

POOL = "podMonitor/models/leeway-models/0"
FILE = "/etc/prometheus/rules/main-0/models-leeway-0f1d3c1e-0000-4000-8000-0123456789ab.yaml"


def test_a_monitor_has_targets_that_answer() -> None:
    (finding,) = loaded.targets([manifest("PodMonitor", "leeway-models")], [target(POOL), target(POOL)])
    assert (finding.verdict, finding.why) == ("found", "2 up")


def test_a_target_that_does_not_answer_is_named_with_its_error() -> None:
    down = target(POOL, "down", "connection refused", job="models/leeway-models", pod="a-0", namespace="models")
    (finding,) = loaded.targets([manifest("PodMonitor", "leeway-models")], [target(POOL), down])
    assert (finding.what, finding.why) == ("target models/leeway-models a-0", "connection refused")
    assert finding.next == "kubectl -n models describe pod a-0"


def test_a_monitor_without_targets_is_a_gap_and_another_ones_targets_are_not_its_own() -> None:
    monitor = manifest("PodMonitor", "leeway", {"selector": {"matchLabels": {"app": "x"}}})
    (finding,) = loaded.targets([monitor], [target(POOL)])
    assert finding.verdict == "missing"
    assert "app=x" in finding.next


def group(health: str = "ok", error: str = "", file: str = FILE) -> Manifest:
    return {"name": "g", "file": file, "rules": [{"name": "Slow", "health": health, "lastError": error}]}


@pytest.mark.parametrize(
    ("groups", "verdict", "why"),
    [
        ([group()], "found", "1 rules evaluated"),
        ([group("err", "many-to-many matching")], "missing", "many-to-many matching"),
        ([group("unknown")], "missing", "not evaluated yet"),
        ([], "missing", "has not loaded it"),
        ([group(file=FILE.replace("leeway", "leeway-other"))], "missing", "has not loaded it"),
    ],
)
def test_each_group_is_loaded_and_each_rule_is_evaluated(groups: list[Manifest], verdict: str, why: str) -> None:
    (finding,) = loaded.rules([rules(alert("Slow", "x"))], groups)
    assert finding.verdict == verdict
    assert why in finding.why


def test_a_prometheus_that_tells_nobody_is_a_gap() -> None:
    assert loaded.alertmanagers([]).verdict == "missing"
    assert loaded.alertmanagers(["http://10.0.0.9:9093"]).verdict == "found"


CONFIG = manifest("AlertmanagerConfig", "leeway", {"receivers": [{"name": "slack"}, {"name": "mail"}]})


@pytest.mark.parametrize(
    ("running", "verdict", "why"),
    [
        ("receivers: [models/leeway/slack, models/leeway/mail]", "found", "2 receivers"),
        ("receivers: [models/leeway/slack]", "missing", "mail"),
        (None, "missing", "could not be asked"),
    ],
)
def test_every_receiver_is_in_the_configuration_that_runs(running: str | None, verdict: str, why: str) -> None:
    (finding,) = loaded.receivers([CONFIG], running, [])
    assert finding.verdict == verdict
    assert why in finding.why


def test_why_a_configuration_was_refused_is_told_by_the_event_or_the_status() -> None:
    event = {"type": "Warning", "regarding": {"name": "leeway"}, "note": "no such Secret"}
    (finding,) = loaded.receivers([CONFIG], "", [event])
    assert "no such Secret" in finding.why
    condition = {"type": "Accepted", "status": "False", "message": "bad url"}
    (finding,) = loaded.receivers([{**CONFIG, "status": {"bindings": [{"conditions": [condition]}]}}], "", [])
    assert "bad url" in finding.why


def autoscaler(**status: object) -> Manifest:
    wanted = [
        {"type": "Resource", "resource": {"name": "cpu"}},
        {"type": "Pods", "pods": {"metric": {"name": "in_flight"}}},
    ]
    return manifest("HorizontalPodAutoscaler", "flights-a-scale", {"metrics": wanted}, status=status)


def test_an_autoscaler_is_told_each_metric_that_prometheus_has_to_bring() -> None:
    told = [{"type": "Pods", "pods": {"metric": {"name": "in_flight"}}}]
    (finding,) = loaded.autoscalers([autoscaler(currentMetrics=told)])
    assert finding.verdict == "found"
    failed = {"type": "ScalingActive", "status": "False", "reason": "FailedGetPodsMetric", "message": "no metrics API"}
    (finding,) = loaded.autoscalers([autoscaler(conditions=[failed])])
    assert (finding.verdict, finding.why) == ("missing", "no metrics API")


@pytest.mark.parametrize("reason", ["ScalingDisabled", "FailedGetScale"])
def test_an_autoscaler_of_an_idle_slot_is_told_nothing_and_that_is_no_gap(reason: str) -> None:
    idle = {"type": "AbleToScale", "status": "False", "reason": reason, "message": "…"}
    (finding,) = loaded.autoscalers([autoscaler(conditions=[idle])])
    assert finding.verdict == "expected"


@pytest.mark.parametrize(
    ("relabelings", "metric", "expected"),
    [
        ([{"sourceLabels": ["__name__"], "regex": "a_(b|c)", "action": "keep"}], "a_b", False),
        ([{"sourceLabels": ["__name__"], "regex": "a_(b|c)", "action": "keep"}], "a_d", True),
        ([{"sourceLabels": ["__name__"], "regex": "a_.+", "action": "drop"}], "a_b", True),
        ([{"sourceLabels": ["code"], "regex": "5..", "action": "drop"}], "a_b", False),
        ([], "a_b", False),
    ],
)
def test_what_a_monitor_drops_by_name_is_known(relabelings: list[Manifest], metric: str, *, expected: bool) -> None:
    monitor = manifest("PodMonitor", "gateway", {"podMetricsEndpoints": [{"metricRelabelings": relabelings}]})
    assert drops([monitor], "models/gateway", metric) is expected
    assert not drops([monitor], "models/other", metric)
