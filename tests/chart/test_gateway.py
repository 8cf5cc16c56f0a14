"""The Gateway, its certificate and what only Envoy Gateway understands."""

from chart.rendering import CERT_MANAGER, GATEWAY_API, KSERVE, Manifest, Render, model

WITHOUT_ENVOY = (*KSERVE, *GATEWAY_API, *CERT_MANAGER)


def test_the_gateway_speaks_https_only_with_the_certificate(render: Render) -> None:
    rendered = render()
    gateway = rendered.one("Gateway")["spec"]
    assert gateway["gatewayClassName"] == "envoy"
    (listener,) = gateway["listeners"]
    assert listener["protocol"] == "HTTPS"
    assert listener["port"] == 443
    assert listener["hostname"] == "*.leeway.internal"
    certificate = rendered.one("Certificate", "leeway-gateway")["spec"]
    assert listener["tls"]["certificateRefs"] == [{"kind": "Secret", "name": certificate["secretName"]}]
    assert certificate["dnsNames"] == [listener["hostname"]]


def test_only_named_namespaces_may_attach_routes(render: Render) -> None:
    def namespaces(values: Manifest) -> list[str]:
        (listener,) = render(values, namespace="platform").one("Gateway")["spec"]["listeners"]
        assert listener["allowedRoutes"]["namespaces"]["from"] == "Selector"
        (expression,) = listener["allowedRoutes"]["namespaces"]["selector"]["matchExpressions"]
        assert expression["key"] == "kubernetes.io/metadata.name"
        values_: list[str] = expression["values"]
        return values_

    assert namespaces({}) == ["platform"]
    assert namespaces({"gateway": {"allowedNamespaces": ["team", "platform"]}}) == ["platform", "team"]


def test_the_chart_brings_its_own_authority(render: Render) -> None:
    rendered = render()
    root, issuer = rendered.one("Issuer", "leeway-gateway-root"), rendered.one("Issuer", "leeway-gateway-ca")
    authority = rendered.one("Certificate", "leeway-gateway-ca")["spec"]
    leaf = rendered.one("Certificate", "leeway-gateway")["spec"]
    assert root["spec"] == {"selfSigned": {}}
    assert authority["isCA"] is True
    assert authority["issuerRef"]["name"] == root["metadata"]["name"]
    assert issuer["spec"]["ca"]["secretName"] == authority["secretName"]
    assert leaf["issuerRef"] == {"group": "cert-manager.io", "kind": "Issuer", "name": issuer["metadata"]["name"]}


def test_an_issuer_of_ones_own_takes_its_place(render: Render) -> None:
    reference = {"name": "letsencrypt", "kind": "ClusterIssuer"}
    rendered = render({"gateway": {"certificate": {"issuerRef": reference, "duration": "48h"}}})
    assert not rendered.all("Issuer")
    certificate = rendered.one("Certificate")["spec"]
    assert certificate["issuerRef"] == reference
    assert certificate["duration"] == "48h"


def test_envoy_gateways_kinds_are_used_where_they_exist(render: Render) -> None:
    rendered = render({"gateway": {"envoy": {"serviceType": "NodePort"}}})
    gateway = rendered.one("Gateway")
    proxy = rendered.one("EnvoyProxy")
    assert gateway["spec"]["infrastructure"]["parametersRef"] == {
        "group": "gateway.envoyproxy.io",
        "kind": "EnvoyProxy",
        "name": proxy["metadata"]["name"],
    }
    assert proxy["spec"]["provider"]["kubernetes"]["envoyService"]["type"] == "NodePort"
    (log,) = proxy["spec"]["telemetry"]["accessLog"]["settings"]
    assert log["matches"] == ["response.code >= 400"]
    assert proxy["spec"]["telemetry"]["metrics"]["enablePerEndpointStats"] is True
    policy = rendered.one("ClientTrafficPolicy")["spec"]
    assert policy["headers"]["requestID"] == "PreserveOrGenerate"
    assert policy["targetRefs"][0]["name"] == gateway["metadata"]["name"]


def test_envoy_gateways_kinds_are_left_out_elsewhere(render: Render) -> None:
    elsewhere = render(apis=WITHOUT_ENVOY)
    switched_off = render({"gateway": {"envoy": {"enabled": False}}})
    for rendered in (elsewhere, switched_off):
        assert not [o for o in rendered.objects if o["apiVersion"].startswith("gateway.envoyproxy.io")]
        assert "infrastructure" not in rendered.one("Gateway")["spec"]


def test_another_gateway_beside_envoys_gets_nothing_of_envoys(render: Render) -> None:
    rendered = render({
        "gateway": {"className": "traefik", "envoy": {"enabled": False}},
        "networkPolicy": {"gatewayNamespace": "traefik"},
        "models": {"flights": model()},
    })  # fmt: skip
    assert rendered.one("Gateway")["spec"]["gatewayClassName"] == "traefik"
    assert not [o for o in rendered.objects if o["apiVersion"].startswith("gateway.envoyproxy.io")]
    # Its metrics are no Envoy's, and a monitor without targets would be an alarm.
    assert "leeway-gateway" not in {o["metadata"]["name"] for o in rendered.all("PodMonitor")}
    (policy,) = (o for o in rendered.all("NetworkPolicy") if "leeway.dev/model" in str(o["spec"]["podSelector"]))
    assert "envoy-gateway-system" not in str(policy["spec"])


def test_annotations_reach_the_load_balancer(render: Render) -> None:
    annotations = {"service.beta.kubernetes.io/aws-load-balancer-type": "external"}
    rendered = render({"gateway": {"infrastructureAnnotations": annotations}}, apis=WITHOUT_ENVOY)
    assert rendered.one("Gateway")["spec"]["infrastructure"] == {"annotations": annotations}


def test_an_existing_gateway_is_left_alone(render: Render) -> None:
    values = {
        "models": {"flights": model(hostnames=["flights.example.com"])},
        "gateway": {"create": False, "parentRef": {"name": "edge"}},
    }
    kinds = {o["kind"] for o in render(values).objects}
    assert not kinds & {"Gateway", "Certificate", "Issuer", "EnvoyProxy", "ClientTrafficPolicy"}
