"""Which implementation of the Gateway API a cluster gets, and what of it the chart is told."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.addons import gateways, kubernetes, plan, traefik
from cluster.addons.kube import Kube
from cluster.box.network import Addresses


def documents(kind: str) -> list[dict[str, Any]]:
    """The documents of that kind in Traefik's manifest."""
    found = yaml.safe_load_all(kubernetes.manifest("traefik", image="x"))
    return [document for document in found if document["kind"] == kind]


def test_the_implementations_are_those_that_can_be_named():
    assert gateways.CHOICE.choose("", None) is gateways.DEFAULT
    assert gateways.CHOICE.choose("traefik", None).title == "Traefik"
    with pytest.raises(ValueError, match=r"GATEWAY=nginx: expected one of envoy, traefik"):
        gateways.CHOICE.choose("nginx", None)


def test_a_cluster_with_traefik_gets_nothing_of_envoys():
    kube, addresses = Kube(Path("kubeconfig"), Path("tools")), Addresses(0)
    chosen = gateways.CHOICE.choose("traefik", None)
    steps = {step.name: step for step in plan.steps(kube, lambda _: None, lambda: addresses, gateway_api=chosen)}
    assert not [name for name in steps if "envoy" in name.lower()]
    assert set(steps["Traefik"].needs) == {"load traefik", "Gateway API", "CoreDNS"}


def test_the_chart_is_told_the_class_and_where_the_proxies_run():
    values = gateways.CHOICE.choose("traefik", None).values
    (gateway_class,) = documents("GatewayClass")
    (deployment,) = documents("Deployment")
    assert values["gateway"]["className"] == gateway_class["metadata"]["name"]
    assert values["networkPolicy"]["gatewayNamespace"] == deployment["metadata"]["namespace"]
    assert gateways.DEFAULT.values == {}  # what the chart has as its defaults


def test_traefik_takes_its_address_from_its_own_service_and_listens_on_the_listeners_port():
    (service,) = documents("Service")
    (deployment,) = documents("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    address = "--providers.kubernetesgateway.statusaddress.service"
    assert f"{address}.name={service['metadata']['name']}" in container["args"]
    assert f"{address}.namespace={service['metadata']['namespace']}" in container["args"]
    # Traefik finds the entry point of a listener by its port.
    assert "--entrypoints.https.address=:443" in container["args"]
    assert service["spec"]["ports"][0]["port"] == 443
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_traefik_tells_nobody_outside_of_itself():
    (deployment,) = documents("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {"--global.checknewversion=false", "--global.sendanonymoususage=false"} <= set(container["args"])


def test_the_namespace_of_traefik_holds_to_the_restricted_profile():
    (namespace,) = documents("Namespace")
    assert namespace["metadata"]["name"] == traefik.NAMESPACE
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
