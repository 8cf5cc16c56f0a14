"""What Helm says after an installation: where the models are, and a command that works as it stands."""

from chart.rendering import CHART, VERSION, Manifest, model, run_helm

PROMETHEUS: Manifest = {"operator": {"prometheus": {"url": "http://prometheus.monitoring.svc:9090"}}}


def notes(values: Manifest) -> str:
    text = run_helm(
        "install",
        "mine",
        str(CHART),
        "--namespace=team",
        "--dry-run=client",
        "--set=prerequisites.check=false",
        values=values,
    )
    return text.split("NOTES:\n", 1)[1].strip()


def test_the_call_verifies_the_certificate_of_the_charts_authority() -> None:
    fares = model(hostnames=["fares.leeway.internal"])
    assert notes({"models": {"flights": model(), "fares": fares}, **PROMETHEUS}) == (
        f"leeway {VERSION} as mine in team\n\n"
        "fares 1.0.0  https://fares.leeway.internal\n"
        "flights 1.0.0  https://flights.leeway.internal\n\n"
        "See them:   kubectl get modelrollouts -n team\n"
        "Test them:  helm test mine -n team --logs\n"
        "Call one:\n\n"
        "  address=$(kubectl get gateway mine-leeway -n team -o jsonpath='{.status.addresses[0].value}')\n"
        "  kubectl get secret mine-leeway-gateway-tls -n team -o jsonpath='{.data.ca\\.crt}'"
        " | base64 -d > leeway-ca.crt\n"
        "  curl -sS --cacert leeway-ca.crt --resolve fares.leeway.internal:443:$address"
        " https://fares.leeway.internal/v2/models/fares"
    )


def test_a_gateway_of_ones_own_is_trusted_as_the_system_does() -> None:
    values = {
        "models": {"flights": model(hostnames=["flights.example.com"])},
        "gateway": {"create": False, "port": 8443, "parentRef": {"name": "edge", "namespace": "infra"}},
    }
    text = notes(values)
    assert "kubectl get gateway edge -n infra" in text
    assert "curl -sS --resolve flights.example.com:8443:$address https://flights.example.com:8443/v2/" in text
    assert "cacert" not in text


def test_a_platform_alone_says_how_to_name_a_model() -> None:
    assert "No model yet" in notes({})


def test_what_keeps_releases_from_going_on_is_said_at_once() -> None:
    assert "operator.prometheus.url is empty" in notes({})
    assert "operator.prometheus.url" not in notes(PROMETHEUS)
    assert "operator.prometheus.url" not in notes({"operator": {"enabled": False}, "driftDetector": {"enabled": False}})
    assert "Frozen: year's end" in notes({"operator": {"freeze": "year's end"}})


def test_a_model_whose_figures_nobody_tells_is_named() -> None:
    scaled = model(autoscaling={"targetRequestsInFlight": 4}, hostnames=["fares.leeway.internal"])
    text = notes({"models": {"flights": model(), "fares": scaled}, **PROMETHEUS})
    assert "Nobody serves the custom metrics API now. Until somebody does, no pod is taken away of fares:" in text
    assert "custom metrics API" not in notes({"models": {"flights": model()}, **PROMETHEUS})
