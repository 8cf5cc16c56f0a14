"""Prometheus: what is installed, and what is read from its list of targets."""

from typing import Any

import pytest
import yaml

from cluster.addons import monitoring
from cluster.addons.monitoring import Target


def installed(kind: str) -> dict[str, Any]:
    (found,) = [document for document in yaml.safe_load_all(monitoring.manifests()) if document["kind"] == kind]
    return dict(found)


def target(monitor: str, error: str = "") -> Target:
    return Target(f"podMonitor/{monitor}/0", "10.0.0.1:8082", error)


def test_a_prometheus_is_called_by_its_release_and_not_by_its_module():
    assert monitoring.release("prometheus") == "3.15.0"
    assert monitoring.release("prometheus-operator") == "0.93.0"
    spec = installed("Prometheus")["spec"]
    assert spec["image"] == "docker.io/leeway/prometheus:v3.15.0"
    assert spec["version"] == "v3.15.0"


def test_whatever_any_namespace_asks_for_is_scraped():
    spec = installed("Prometheus")["spec"]
    for kind in ("podMonitor", "serviceMonitor", "probe", "rule"):
        assert spec[f"{kind}Selector"] == spec[f"{kind}NamespaceSelector"] == {}


def test_the_service_has_the_address_that_leeway_is_told():
    service = installed("Service")
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
    ("found", "expected"),
    [
        (None, False),
        ([], False),
        ([target("leeway/models")], False),
        ([target("leeway/models"), target("leeway/operator", "connection refused")], False),
        ([target("leeway/models"), target("leeway/operator")], True),
        ([target("leeway/models"), target("leeway/operator"), target("leeway/x", "down")], True),
        ([target("leeway/models"), target("leeway/models", "down"), target("leeway/operator")], True),
        ([target("leeway/models"), target("other/operator")], False),
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
    ],
)
def test_scraped_is_when_every_monitor_has_a_target_that_is_up(
    found: list[Target] | None,
    expected: bool,  # noqa: FBT001 - a parameter
):
    assert monitoring.scraped(found, ["models", "operator"], "leeway") is expected


def test_the_table_shows_a_line_per_target():
    lines = monitoring.table([target("leeway/models"), target("leeway/operator", "connection refused")]).splitlines()
    assert [line.split(maxsplit=2)[-1] for line in lines[1:]] == ["up", "connection refused"]
    assert "does not answer" in monitoring.table(None)
