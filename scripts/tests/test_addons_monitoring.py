"""The monitoring stack: what is installed, and what is read from Prometheus' list of targets."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cluster.addons import monitoring
from cluster.addons.monitoring import Target
from cluster.node import cloud
from cluster.up import CHART


def every(kind: str) -> Iterator[dict[str, Any]]:
    return (dict(document) for document in yaml.safe_load_all(monitoring.manifests()) if document["kind"] == kind)


def installed(kind: str, name: str | None = None) -> dict[str, Any]:
    (found,) = [document for document in every(kind) if name in (None, document["metadata"]["name"])]
    return found


def kept(monitor: dict[str, Any]) -> re.Pattern[str]:
    """The metrics that a monitor keeps, as Prometheus matches them: the whole name."""
    (endpoint,) = monitor["spec"].get("podMetricsEndpoints") or monitor["spec"]["endpoints"]
    (pattern,) = [rule["regex"] for rule in endpoint["metricRelabelings"] if rule.get("sourceLabels") == ["__name__"]]
    return re.compile(rf"(?:{pattern})\Z")


def target(monitor: str, error: str = "") -> Target:
    return Target(f"podMonitor/{monitor}/0", "10.0.0.1:8082", error)


def test_a_prometheus_is_called_by_its_release_and_not_by_its_module():
    assert monitoring.release("prometheus") == "3.15.0"
    assert monitoring.release("prometheus-operator") == "0.93.0"
    spec = installed("Prometheus")["spec"]
    assert spec["image"] == "docker.io/leeway/prometheus:v3.15.0"
    assert spec["version"] == "v3.15.0"


def test_a_restarted_prometheus_remembers_how_long_every_alert_of_the_chart_has_lasted():
    alerts = (CHART / "files/rules/alerts").glob("*.yaml")
    lasting = {(int(n), unit) for file in alerts for n, unit in re.findall(r"for: (\d+)([a-z]+)", file.read_text())}
    grace = installed("Prometheus")["spec"]["rules"]["alert"]["forGracePeriod"]
    assert lasting
    assert grace == "1m"
    assert {unit for _, unit in lasting} <= {"m", "h", "d"}  # of these one is no shorter


def test_whatever_any_namespace_asks_for_is_scraped():
    spec = installed("Prometheus")["spec"]
    for kind in ("podMonitor", "serviceMonitor", "probe", "rule", "scrapeConfig"):
        assert spec[f"{kind}Selector"] == spec[f"{kind}NamespaceSelector"] == {}


def test_alerts_go_to_an_alertmanager_that_any_release_configures():
    alertmanager, service = installed("Alertmanager"), installed("Service", "alertmanager")
    assert alertmanager["spec"]["image"] == "docker.io/leeway/alertmanager:v0.34.2"
    assert alertmanager["spec"]["version"] == "v0.34.2"
    assert alertmanager["spec"]["alertmanagerConfigSelector"] == {}
    assert alertmanager["spec"]["alertmanagerConfigNamespaceSelector"] == {}
    (port,) = service["spec"]["ports"]
    assert (service["metadata"]["namespace"], port["port"]) == ("monitoring", 9093)
    assert service["spec"]["selector"]["alertmanager"] == alertmanager["metadata"]["name"]
    (told,) = installed("Prometheus")["spec"]["alerting"]["alertmanagers"]
    assert (told["namespace"], told["name"], told["port"]) == ("monitoring", "alertmanager", port["name"])


@pytest.mark.parametrize("kind", ["Prometheus", "Alertmanager"])
def test_what_is_recorded_and_silenced_outlives_the_pod(kind: str):
    spec = installed(kind)["spec"]
    assert spec["storage"]["volumeClaimTemplate"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    # The box gives a volume to this user, and the kubelet would give a folder inside it to root.
    assert spec["securityContext"]["runAsUser"] == cloud.POD_UID
    assert spec["storage"]["disableMountSubPath"] is True


def test_prometheus_keeps_less_than_its_volume_holds():
    spec = installed("Prometheus")["spec"]
    claim = spec["storage"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"]
    assert int(spec["retentionSize"].removesuffix("GiB")) < int(claim.removesuffix("Gi"))


def test_kube_state_metrics_may_read_what_it_tells_of_and_nothing_else():
    (container,) = installed("Deployment", "kube-state-metrics")["spec"]["template"]["spec"]["containers"]
    (resources,) = [a.partition("=")[2].split(",") for a in container["args"] if a.startswith("--resources=")]
    rules = installed("ClusterRole", "kube-state-metrics")["rules"]
    assert sorted(resource for rule in rules for resource in rule["resources"]) == sorted(resources)
    assert {verb for rule in rules for verb in rule["verbs"]} == {"list", "watch"}


def test_what_kube_state_metrics_says_of_a_pod_is_not_taken_for_its_own():
    (endpoint,) = installed("PodMonitor", "kube-state-metrics")["spec"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True
    assert installed("PodMonitor", "kube-state-metrics")["spec"]["jobLabel"] == "app.kubernetes.io/name"


@pytest.mark.parametrize(
    ("kind", "name", "wanted", "unwanted"),
    [
        ("ServiceMonitor", "kubelet", "container_memory_working_set_bytes", "container_fs_reads_total"),
        ("ServiceMonitor", "kubelet", "container_oom_events_total", "container_memory_rss"),
        ("PodMonitor", "cert-manager", "certmanager_certificate_expiration_timestamp_seconds", "go_goroutines"),
        ("PodMonitor", "controllers", "controller_runtime_reconcile_errors_total", "go_goroutines"),
        ("PodMonitor", "monitoring", "alertmanager_notifications_failed_total", "prometheus_tsdb_head_chunks"),
        ("PodMonitor", "monitoring", "prometheus_notifications_dropped_total", "prometheus_http_requests_total"),
        ("PodMonitor", "prometheus-operator", "prometheus_operator_managed_resources", "go_goroutines"),
    ],
)
def test_of_the_clusters_own_programs_only_what_is_asked_for_is_kept(kind: str, name: str, wanted: str, unwanted: str):
    pattern = kept(installed(kind, name))
    assert pattern.match(wanted)
    assert not pattern.match(unwanted)


def test_the_kubelets_are_found_by_the_service_that_the_operator_writes():
    (container,) = installed("Deployment", "prometheus-operator")["spec"]["template"]["spec"]["containers"]
    (service,) = [a.partition("=")[2] for a in container["args"] if a.startswith("--kubelet-service=")]
    monitor = installed("ServiceMonitor", "kubelet")["spec"]
    namespace, name = service.split("/")
    assert monitor["namespaceSelector"]["matchNames"] == [namespace]
    assert monitor["selector"]["matchLabels"]["app.kubernetes.io/name"] == name


def test_the_service_has_the_address_that_leeway_is_told():
    service = installed("Service", "prometheus")
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    (port,) = service["spec"]["ports"]
    assert f"http://{name}.{namespace}.svc:{port['port']}" == monitoring.URL
    assert service["spec"]["selector"]["prometheus"] == installed("Prometheus")["metadata"]["name"]


def test_its_namespace_holds_it_to_the_restricted_profile():
    assert installed("Namespace")["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    assert installed("Prometheus")["spec"]["securityContext"]["runAsNonRoot"] is True


def test_a_target_is_up_or_says_why_not():
    def active(pool: str, health: str, error: str) -> dict[str, Any]:
        return {"scrapePool": pool, "labels": {"instance": "10.0.0.1:8082"}, "health": health, "lastError": error}

    answer = {
        "data": {
            "activeTargets": [
                active("podMonitor/leeway/b/0", "down", "connection refused"),
                active("podMonitor/leeway/c/0", "unknown", ""),
                active("podMonitor/leeway/a/0", "up", ""),
            ]
        }
    }
    assert monitoring.targets_of(answer) == [
        target("leeway/a"),
        target("leeway/b", "connection refused"),
        target("leeway/c", "not scraped yet"),
    ]


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (None, ["models", "operator"]),
        ([], ["models", "operator"]),
        ([target("leeway/models")], ["operator"]),
        ([target("leeway/models"), target("leeway/operator", "connection refused")], ["operator"]),
        ([target("leeway/models"), target("leeway/operator")], []),
        ([target("leeway/models"), target("leeway/operator"), target("leeway/x", "down")], []),
        ([target("leeway/models"), target("leeway/models", "down"), target("leeway/operator")], []),
        ([target("leeway/models"), target("other/operator")], ["operator"]),
        ([target("leeway/models"), target("leeway/operator-2")], ["operator"]),
    ],
    ids=[
        "no answer",
        "nothing",
        "one is missing",
        "one is down",
        "all",
        "another's is down",
        "a pod fails",
        "elsewhere",
        "a longer name",
    ],
)
def test_a_monitor_without_a_target_that_is_up_is_named(found: list[Target] | None, missing: list[str]):
    monitors = ["podMonitor/leeway/models", "podMonitor/leeway/operator"]
    assert monitoring.unscraped(found, monitors) == [f"podMonitor/leeway/{name}" for name in missing]


def test_the_table_shows_a_line_per_target():
    lines = monitoring.table([target("leeway/models"), target("leeway/operator", "connection refused")]).splitlines()
    assert [line.split(maxsplit=2)[-1] for line in lines[1:]] == ["up", "connection refused"]
    assert "does not answer" in monitoring.table(None)
