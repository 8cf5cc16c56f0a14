"""Reading what a cluster of somebody else's has, from the answers of its API server."""

from typing import Any

import pytest

from cluster.context import found
from cluster.context.found import Controller, Definition, Prometheus


def definition(name: str, *, served: tuple[str, ...] = ("v1",), **metadata: dict[str, str]) -> dict[str, Any]:
    versions = [{"name": version, "served": True} for version in served] + [{"name": "v0", "served": False}]
    return {"metadata": {"name": name, **metadata}, "spec": {"versions": versions}}


def deployment(image: str, labels: dict[str, str], namespace: str = "there") -> dict[str, Any]:
    containers = [{"image": image}]
    return {
        "metadata": {"namespace": namespace, "labels": labels},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def prometheus(namespace: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": "main"}, "spec": spec}


EVERYWHERE = {f"{kind}{what}": {} for kind in ("podMonitor", "rule") for what in ("Selector", "NamespaceSelector")}


@pytest.mark.parametrize(
    ("metadata", "version"),
    [
        ({"annotations": {"gateway.networking.k8s.io/bundle-version": "v1.7.0"}}, "v1.7.0"),
        ({"annotations": {"operator.prometheus.io/version": "0.93.0"}}, "0.93.0"),
        ({"labels": {"app.kubernetes.io/version": "v1.21.2"}}, "v1.21.2"),
        ({"annotations": {"controller-gen.kubebuilder.io/version": "v0.19.0"}}, None),
        ({}, None),
    ],
)
def test_the_version_of_a_kind_is_where_its_makers_write_it(metadata: dict[str, dict[str, str]], version: str | None):
    read = found.definitions({"items": [definition("x", **metadata)]})
    assert read == {"x": Definition(version, frozenset({"v1"}))}


def test_a_version_that_is_not_served_does_not_count():
    read = found.definitions({"items": [definition("x", served=("v1alpha1", "v1"))]})
    assert read["x"].served == {"v1alpha1", "v1"}


KSERVE = {"control-plane": "kserve-controller-manager"}


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("kserve/kserve-controller:v0.20.0", "v0.20.0"),
        ("registry.example.com:5000/kserve-controller:v0.20.1-rc1", "v0.20.1-rc1"),
        ("kserve/kserve-controller:v0.20.0@sha256:0a", "v0.20.0"),
        ("registry.example.com:5000/kserve-controller@sha256:0a", None),
        ("kserve/kserve-controller:latest", None),
    ],
)
def test_what_a_controller_runs_is_its_images_tag(image: str, version: str | None):
    read = found.controllers({"items": [deployment(image, KSERVE)]})
    assert read == {"kserve": Controller("there", version)}


def test_an_image_without_a_version_leaves_it_to_the_label():
    labels = {"control-plane": "envoy-gateway", "app.kubernetes.io/version": "v1.9.1"}
    read = found.controllers({"items": [deployment("mirror/gateway@sha256:0a", labels)]})
    assert read == {"envoy-gateway": Controller("there", "v1.9.1")}


def test_a_label_that_is_no_version_tells_none():
    labels = {"control-plane": "envoy-gateway", "app.kubernetes.io/version": "latest"}
    assert found.controllers({"items": [deployment("x/gateway:main", labels)]})["envoy-gateway"].version is None
    read = found.definitions({"items": [definition("x", labels={"app.kubernetes.io/version": "main"})]})
    assert read["x"].version is None


def test_cert_managers_webhook_is_not_its_controller():
    name = {"app.kubernetes.io/name": "cert-manager"}
    webhook = deployment("x/webhook:v9.9.9", {**name, "app.kubernetes.io/component": "webhook"})
    controller = deployment("x/controller:v1.21.2", {**name, "app.kubernetes.io/component": "controller"})
    assert found.controllers({"items": [webhook]}) == {}
    assert found.controllers({"items": [controller, webhook]})["cert-manager"].version == "v1.21.2"


def test_others_deployments_are_none_of_the_parts():
    assert found.controllers({"items": [deployment("nginx:1.2.3", {"app": "nginx"})]}) == {}


def test_leeway_is_told_by_its_operator():
    parts = {"app.kubernetes.io/part-of": "leeway"}
    operator = deployment("leeway/operators:0.1.0", {**parts, "app.kubernetes.io/component": "operator"}, "ml")
    detector = deployment("leeway/drift-detector:0.1.0", {**parts, "app.kubernetes.io/component": "drift-detector"})
    assert found.leeways({"items": [operator, detector]}) == ["ml"]


def test_a_prometheus_has_the_address_of_the_operators_service():
    read = found.prometheuses({"items": [prometheus("mon", **EVERYWHERE)]})
    assert read == [Prometheus("mon", "main", "http://prometheus-operated.mon.svc:9090", {}, everywhere=True)]
    (other,) = found.prometheuses({"items": [prometheus("mon", serviceName="mine", routePrefix="/prom/")]})
    assert other.url == "http://mine.mon.svc:9090/prom"


def test_what_a_prometheus_selects_by_is_put_on_monitors_and_rules():
    # As kube-prometheus-stack installs it unless it is told otherwise.
    selecting = {kind: {"matchLabels": {"release": "stack"}} for kind in ("podMonitorSelector", "ruleSelector")}
    (one,) = found.prometheuses({"items": [prometheus("mon", **{**EVERYWHERE, **selecting})]})
    assert one.labels == {"release": "stack"}


def test_the_prometheus_that_looks_everywhere_comes_first():
    narrow, wide = prometheus("a", podMonitorSelector={}), prometheus("b", **EVERYWHERE)
    read = found.prometheuses({"items": [narrow, wide]})
    assert [(one.namespace, one.everywhere) for one in read] == [("b", True), ("a", False)]


def test_a_namespace_is_ours_when_it_says_so():
    assert not found.is_ours(None)
    assert not found.is_ours({"metadata": {"name": "leeway"}})
    assert found.is_ours({"metadata": {"name": "leeway", "annotations": {found.MADE: found.MADE_BY}}})


def test_a_namespace_says_what_was_begun():
    assert found.begun(None) == found.begun({"metadata": {"name": "leeway"}}) == []
    begun = {"metadata": {"name": "leeway", "annotations": {found.INSTALLING: "Envoy Gateway,KServe"}}}
    assert found.begun(begun) == ["Envoy Gateway", "KServe"]
