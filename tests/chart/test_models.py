"""What a model's entry in the values becomes."""

import re

import pytest

from chart.rendering import DIGEST, ChartError, Manifest, Render, model


def test_a_model_becomes_a_rollout(render: Render) -> None:
    rendered = render({"models": {"flights": model()}}, namespace="team")
    rollout = rendered.one("ModelRollout")
    assert rollout["metadata"]["name"] == "flights"
    assert rollout["metadata"]["namespace"] == "team"
    assert rollout["spec"] == {
        "model": {
            "storageUri": "oci://docker.io/leeway/model-flights:1.0.0",
            "version": "1.0.0",
            "digest": DIGEST,
            "resources": {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "512Mi"}},
        },
        "endpoint": {
            "gateway": {"name": "leeway", "namespace": "team"},
            "hostnames": ["flights.leeway.internal"],
            "timeout": "30s",
        },
        "runtime": rendered.one("ServingRuntime")["metadata"]["name"],
        "capture": {"mode": "kserve"},
        "scaling": {"minReplicas": 1},
        "paused": False,
    }


def test_a_sample_is_for_direct_capture_only(render: Render) -> None:
    direct = {"mode": "direct", "sample": 0.1}
    rendered = render({"models": {"flights": model(capture=direct)}})
    assert rendered.one("ModelRollout")["spec"]["capture"] == direct
    assert render({"models": {"flights": model(capture={"mode": "kserve", "sample": 1})}})
    with pytest.raises(ChartError, match=r"models\.flights\.capture: KServe's logger cannot sample.* sample 0\.1"):
        render({"models": {"flights": model(capture={"sample": 0.1})}})


def test_without_a_digest_none_is_rendered(render: Render) -> None:
    values = {"models": {"flights": {"model": {"storageUri": "s3://models/flights", "version": "1"}}}}
    assert "digest" not in render(values).one("ModelRollout")["spec"]["model"]


def test_a_model_overrides_the_defaults_key_by_key(render: Render) -> None:
    values: Manifest = {
        "modelDefaults": {
            "timeout": "5s",
            "model": {"env": {"A": "default", "B": "default"}},
            "strategy": {"minRequests": 10, "onRevert": "Canary"},
        },
        "models": {"flights": model(strategy={"minRequests": 20}), "fares": model()},
    }
    values["models"]["flights"]["model"]["env"] = {"B": "own"}
    rendered = render(values)
    flights = rendered.one("ModelRollout", "flights")["spec"]
    assert flights["strategy"] == {"minRequests": 20, "onRevert": "Canary"}
    assert flights["endpoint"]["timeout"] == "5s"
    assert flights["model"]["env"] == [{"name": "A", "value": "default"}, {"name": "B", "value": "own"}]
    fares = rendered.one("ModelRollout", "fares")["spec"]
    assert fares["strategy"] == {"minRequests": 10, "onRevert": "Canary"}
    assert fares["model"]["env"] == [{"name": "A", "value": "default"}, {"name": "B", "value": "default"}]


def test_a_secret_of_a_model_stays_a_reference(render: Render) -> None:
    reference = {"valueFrom": {"secretKeyRef": {"name": "token", "key": "token"}}}
    values = {"models": {"flights": model()}, "modelDefaults": {"model": {"env": {"TOKEN": reference}}}}
    assert render(values).one("ModelRollout")["spec"]["model"]["env"] == [{"name": "TOKEN", **reference}]


@pytest.mark.parametrize(
    ("gateway", "hostname"),
    [
        ({"hostname": "*.example.com"}, "flights.example.com"),
        ({"hostname": "models.example.com"}, "models.example.com"),
    ],
)
def test_a_model_without_hostnames_gets_one_of_the_gateway(render: Render, gateway: Manifest, hostname: str) -> None:
    rendered = render({"models": {"flights": model()}, "gateway": gateway})
    assert rendered.one("ModelRollout")["spec"]["endpoint"]["hostnames"] == [hostname]


def test_two_models_with_one_hostname_are_refused_naming_both(render: Render) -> None:
    same = model(hostnames=["same.leeway.internal"])
    with pytest.raises(ChartError, match=r"fares and flights have the same hostname same\.leeway\.internal"):
        render({"models": {"flights": same, "fares": same}})


@pytest.mark.parametrize("hostname", ["flights.example.com", "a.b.leeway.internal", "leeway.internal"])
def test_a_hostname_that_the_listener_does_not_cover_is_refused(render: Render, hostname: str) -> None:
    with pytest.raises(ChartError, match=rf"models\.flights\.hostnames: {re.escape(hostname)} is not covered"):
        render({"models": {"flights": model(hostnames=[hostname])}})


def test_a_gateway_of_ones_own_is_needed_and_used(render: Render) -> None:
    values: Manifest = {"models": {"flights": model(hostnames=["flights.example.com"])}, "gateway": {"create": False}}
    with pytest.raises(ChartError, match=r"gateway\.parentRef\.name"):
        render(values)
    values["gateway"]["parentRef"] = {"name": "edge", "namespace": "infra"}
    endpoint = render(values).one("ModelRollout")["spec"]["endpoint"]
    assert endpoint["gateway"] == {"name": "edge", "namespace": "infra"}


def test_the_runtime_is_what_kserve_asks_of_one(render: Render) -> None:
    spec = render({"models": {"flights": model()}}).one("ServingRuntime")["spec"]
    (container,) = spec["containers"]
    assert container["name"] == "kserve-container"
    assert container["args"][0] == "--model-name={{.Labels.modelname}}"
    # KServe takes the first port for the Service and the logger; the agent takes over an HTTP readiness probe only.
    assert container["ports"][0] == {"name": "http1", "containerPort": 8080, "protocol": "TCP"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 8080}
    assert container["readinessProbe"]["timeoutSeconds"] == 5  # a busy server is not taken away
    assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"
    assert container["startupProbe"]["httpGet"]["path"] == "/v2/health/live"
    # Longer than the agent's drain of 30 s.
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] > 30
    assert spec["supportedModelFormats"] == [{"name": "onnx", "version": "1", "autoSelect": False}]


def test_the_runtime_is_named_by_its_content(render: Render) -> None:
    def name(release: str = "leeway", **values: object) -> str:
        rendered = render({"models": {"flights": model()}, **values}, release=release)
        found: str = rendered.one("ServingRuntime")["metadata"]["name"]
        assert rendered.one("ModelRollout")["spec"]["runtime"] == found
        return found

    assert re.fullmatch(r"leeway-onnx-[0-9a-f]{8}", name())
    # What no model server is run with leaves the name as it is, so that no slot is released again.
    assert name(operator={"protectPredictors": False}) == name()
    assert name(images={"onnxServer": {"tag": "2"}}) != name()
    # Two releases in one namespace must not own one object.
    assert name("other") != name()


def test_a_release_without_models_has_nothing_of_a_model(render: Render) -> None:
    rendered = render({})
    for kind in ("ModelRollout", "ServingRuntime", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Pod"):
        assert not rendered.all(kind), kind


def test_each_slot_scales_by_the_model_servers_cpu(render: Render) -> None:
    rendered = render({"models": {"flights": model(autoscaling={"maxReplicas": 9})}})
    for slot in ("a", "b"):
        spec = rendered.one("HorizontalPodAutoscaler", f"flights-{slot}-scale")["spec"]
        assert spec == {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"flights-{slot}-predictor"},
            "maxReplicas": 9,
            "metrics": [
                {
                    "type": "ContainerResource",
                    "containerResource": {
                        "container": "kserve-container",
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 70},
                    },
                }
            ],
        }


def test_autoscaling_of_one_model_can_be_off(render: Render) -> None:
    values = {"models": {"flights": model(autoscaling={"enabled": False}), "fares": model()}}
    names = {found["metadata"]["name"] for found in render(values).all("HorizontalPodAutoscaler")}
    assert names == {"fares-a-scale", "fares-b-scale"}


def test_more_replicas_at_least_than_at_most_are_refused(render: Render) -> None:
    with pytest.raises(ChartError, match=r"models\.flights: .*minReplicas 5 is above .*maxReplicas 4"):
        render({"models": {"flights": model(scaling={"minReplicas": 5})}})


def test_a_drain_takes_one_pod_of_a_slot_at_a_time_and_is_never_stuck(render: Render) -> None:
    rendered = render({"models": {"flights": model()}})
    for slot in ("a", "b"):
        spec = rendered.one("PodDisruptionBudget", f"flights-{slot}")["spec"]
        assert spec["maxUnavailable"] == 1
        assert spec["selector"]["matchLabels"] == {"leeway.dev/model": "flights", "leeway.dev/slot": slot}


def test_only_gateway_platform_and_scrapers_reach_model_servers(render: Render) -> None:
    spec = render({"models": {"flights": model()}}).one("NetworkPolicy", "leeway-models")["spec"]
    assert spec["podSelector"]["matchExpressions"] == [
        {"key": "leeway.dev/model", "operator": "In", "values": ["flights"]}
    ]
    assert spec["policyTypes"] == ["Ingress"]
    gateway, platform, metrics = spec["ingress"]
    assert gateway["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "envoy-gateway-system"}}}
    ]
    assert [port["port"] for port in gateway["ports"]] == [8080, 9081]
    assert platform["from"][0]["podSelector"]["matchExpressions"][1]["values"] == ["operator", "drift-detector"]
    assert [port["port"] for port in platform["ports"]] == [8080, 8082]
    assert metrics["ports"] == [{"port": 8082, "protocol": "TCP"}]
