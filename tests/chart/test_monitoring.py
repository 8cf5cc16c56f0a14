"""What a Prometheus is asked to scrape, and what of it is kept."""

import re

import pytest

from chart.rendering import EVERYTHING, PROMETHEUS_OPERATOR, Manifest, Render, Rendered, model

WITHOUT_OPERATOR = tuple(api for api in EVERYTHING if api not in PROMETHEUS_OPERATOR)
MODEL: Manifest = {"models": {"flights": model()}}
MODELS_ONLY: Manifest = {
    "models": {"flights": model(hostnames=["flights.example.com"])},
    "operator": {"enabled": False},
    "driftDetector": {"enabled": False},
    "gateway": {"create": False, "parentRef": {"name": "leeway", "namespace": "leeway"}},
}


def monitors(rendered: Rendered) -> set[str]:
    return {found["metadata"]["name"] for found in rendered.all("PodMonitor")}


def endpoint(rendered: Rendered, name: str) -> Manifest:
    (only,) = rendered.one("PodMonitor", name)["spec"]["podMetricsEndpoints"]
    found: Manifest = only
    return found


def test_every_part_is_scraped(render: Render) -> None:
    assert monitors(render(MODEL)) == {"leeway-models", "leeway-operator", "leeway-drift-detector", "leeway-gateway"}
    assert monitors(render({})) == {"leeway-operator", "leeway-drift-detector", "leeway-gateway"}


@pytest.mark.parametrize(("enabled", "there", "elsewhere"), [("auto", 4, 0), (True, 4, 4), (False, 0, 0)])
def test_by_default_they_are_where_their_kind_is(
    render: Render,
    enabled: bool | str,  # noqa: FBT001 - a value of the chart
    there: int,
    elsewhere: int,
) -> None:
    values = {**MODEL, "monitoring": {"podMonitors": {"enabled": enabled}}}
    assert len(monitors(render(values))) == there
    assert len(monitors(render(values, apis=WITHOUT_OPERATOR))) == elsewhere


def test_what_a_prometheus_selects_carries_its_labels_and_interval(render: Render) -> None:
    values = {**MODEL, "monitoring": {"labels": {"release": "stack"}, "podMonitors": {"interval": "1s"}}}
    for found in render(values).all("PodMonitor"):
        assert found["metadata"]["labels"]["release"] == "stack"
        assert [part["interval"] for part in found["spec"]["podMetricsEndpoints"]] == ["1s"]


def test_labels_for_a_prometheus_do_not_take_the_place_of_the_charts_own(render: Render) -> None:
    values = {**MODEL, "monitoring": {"labels": {"app.kubernetes.io/name": "stack"}}}
    assert {m["metadata"]["labels"]["app.kubernetes.io/name"] for m in render(values).all("PodMonitor")} == {"leeway"}


def test_the_series_of_a_model_server_say_which_slot_and_revision_they_are_of(render: Render) -> None:
    rendered = render({"models": {"flights": model(), "fares": model(hostnames=["fares.leeway.internal"])}})
    spec = rendered.one("PodMonitor", "leeway-models")["spec"]
    assert set(spec["podTargetLabels"]) == {f"leeway.dev/{key}" for key in ("model", "slot", "version", "revision")}
    (expression,) = spec["selector"]["matchExpressions"]
    assert expression == {"key": "leeway.dev/model", "operator": "In", "values": ["fares", "flights"]}
    # A server's own word does not pass for where it runs.
    assert "honorLabels" not in endpoint(rendered, "leeway-models")


def test_a_model_server_is_asked_on_the_port_of_its_metrics(render: Render) -> None:
    rendered = render(MODEL)
    (container,) = rendered.one("ServingRuntime")["spec"]["containers"]
    found = endpoint(rendered, "leeway-models")
    assert found["port"] in {port["name"] for port in container["ports"]}
    (rule,) = found["relabelings"]
    for address in ("10.0.0.1", "[fd00::1]"):
        matched = re.fullmatch(rule["regex"], f"{address}:8080")
        assert matched is not None
        assert rule["replacement"].replace("${1}", matched[1]) == f"{address}:8082"
    assert "--metrics-port=8082" in container["args"]
    ports = [rule["ports"] for rule in rendered.one("NetworkPolicy", "leeway-models")["spec"]["ingress"]]
    assert [{"port": 8082, "protocol": "TCP"}] in ports


@pytest.mark.parametrize("component", ["operator", "drift-detector"])
def test_our_own_pods_say_themselves_which_namespace_a_series_is_about(render: Render, component: str) -> None:
    rendered = render()
    name = f"leeway-{component}"
    pod = rendered.one("Deployment", name)["spec"]["template"]
    selected = rendered.one("PodMonitor", name)["spec"]["selector"]["matchLabels"]
    assert selected.items() <= pod["metadata"]["labels"].items()
    found = endpoint(rendered, name)
    assert found["honorLabels"] is True
    assert found["port"] in {port["name"] for port in pod["spec"]["containers"][0]["ports"]}


def test_of_envoy_only_what_became_of_requests_is_kept(render: Render) -> None:
    rendered = render(namespace="platform")
    spec = rendered.one("PodMonitor", "leeway-gateway")["spec"]
    assert spec["namespaceSelector"] == {"matchNames": ["envoy-gateway-system"]}
    assert spec["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "envoy",
        "gateway.envoyproxy.io/owning-gateway-name": "leeway",
        "gateway.envoyproxy.io/owning-gateway-namespace": "platform",
    }
    (asked,) = endpoint(rendered, "leeway-gateway")["params"]["filter"]
    assert re.search(asked, "cluster.httproute/leeway/flights/rule/0.endpoint.10.0.0.1_8080.rq_total")
    assert not re.search(asked, "cluster.httproute/leeway/endpoint/rule/0.upstream_rq_total")
    rule, *_ = endpoint(rendered, "leeway-gateway")["metricRelabelings"]
    assert rule["action"] == "keep"
    assert rule["sourceLabels"] == ["__name__"]
    for name in ("rq_total", "rq_success", "rq_error", "rq_timeout", "cx_connect_fail"):
        assert re.fullmatch(rule["regex"], f"envoy_cluster_endpoint_{name}")
    for name in ("envoy_cluster_upstream_rq_total", "envoy_cluster_endpoint_healthy"):
        assert not re.fullmatch(rule["regex"], name)


def test_what_envoy_counts_says_which_model_it_is_about(render: Render) -> None:
    _, *rules = endpoint(render(), "leeway-gateway")["metricRelabelings"]

    def told(cluster: str) -> dict[str, str]:
        found = {}
        for rule in rules:
            assert rule["sourceLabels"] == ["envoy_cluster_name"]
            if matched := re.fullmatch(rule["regex"], cluster):
                found[rule["targetLabel"]] = re.sub(
                    r"\$\{(\d)\}", lambda part: matched[int(part[1])], rule["replacement"]
                )
        return found

    assert told("httproute/team/flights/rule/1") == {"namespace": "team", "model": "flights"}
    # Copies for a shadow step reach no client, and other routes are no model's.
    assert told("httproute/team/flights/rule/0-mirror-1") == {}
    assert told("xds_cluster") == {}


def test_proxies_of_an_unknown_namespace_are_looked_for_everywhere(render: Render) -> None:
    rendered = render({"networkPolicy": {"gatewayNamespace": ""}})
    assert rendered.one("PodMonitor", "leeway-gateway")["spec"]["namespaceSelector"] == {"any": True}


def test_a_gateway_of_ones_own_is_scraped_by_the_platform_and_not_again_by_a_team(render: Render) -> None:
    platform = {"gateway": {"create": False, "parentRef": {"name": "edge", "namespace": "infra"}}}
    selected = render(platform).one("PodMonitor", "leeway-gateway")["spec"]["selector"]["matchLabels"]
    assert selected["gateway.envoyproxy.io/owning-gateway-name"] == "edge"
    assert selected["gateway.envoyproxy.io/owning-gateway-namespace"] == "infra"
    assert monitors(render(MODELS_ONLY, release="flights", namespace="team")) == {"flights-leeway-models"}


def test_another_gateways_proxies_are_not_taken_for_envoys(render: Render) -> None:
    elsewhere = tuple(api for api in EVERYTHING if not api.startswith("gateway.envoyproxy.io"))
    assert "leeway-gateway" not in monitors(render(apis=elsewhere))
    assert "leeway-gateway" not in monitors(render({"gateway": {"envoy": {"enabled": False}}}))
