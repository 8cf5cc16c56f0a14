"""make up CONTEXT=name: what its variables mean, and what the chart is told."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cluster.context import command, reach
from cluster.context.found import ENVOY_GATEWAY, Controller, Found, Prometheus
from cluster.context.install import values
from cluster.profiles import FULL, SMALL, Profile
from cluster.up import CHART

FOUND = Found(
    kubernetes="v1.36.3",
    controllers={"envoy-gateway": Controller("gateways", "v1.9.1"), "kserve": Controller("serving", "v0.20.0")},
    gateway_classes={"istio": "istio.io/gateway-controller", "eg": ENVOY_GATEWAY},
    prometheuses=[Prometheus("mon", "main", "http://prometheus-operated.mon.svc:9090", {"release": "stack"}, True)],
)
MODEL = {"storageUri": "oci://registry/leeway/model-flights:1", "version": "1.0.0", "digest": f"sha256:{'0' * 64}"}


def merged(base: Any, over: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}


@pytest.mark.parametrize("profile", [FULL, SMALL])
@pytest.mark.parametrize("model", [MODEL, {}])
def test_the_chart_takes_what_it_is_told(profile: Profile, model: dict[str, str]) -> None:
    told = values(FOUND, profile, {"registry": "registry/team"}, model, loadable=False)
    default = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(merged(default, told), json.loads((CHART / "values.schema.json").read_text(encoding="utf-8")))
    assert merged(default, told)["driftDetector"]["backend"] == {"full": "alibi", "small": "native"}[profile.name]
    assert bool(told["models"]) == bool(model)


def test_the_chart_is_told_what_is_there() -> None:
    told = values(FOUND, FULL, {}, MODEL, loadable=False)
    assert told["gateway"] == {"className": "eg", "envoy": {"serviceType": "LoadBalancer"}}
    assert told["networkPolicy"]["gatewayNamespace"] == "gateways"
    assert told["kserve"]["namespace"] == "serving"
    assert told["operator"]["prometheus"]["url"] == FOUND.prometheuses[0].url
    assert told["monitoring"]["labels"] == {"release": "stack"}


def test_on_one_machine_nobody_waits_for_a_load_balancer() -> None:
    assert values(FOUND, FULL, {}, MODEL, loadable=True)["gateway"]["envoy"]["serviceType"] == "ClusterIP"


def test_without_a_prometheus_nothing_is_told() -> None:
    with pytest.raises(ValueError, match="expected a Prometheus"):
        values(Found(kubernetes="v1.36.3", gateway_classes={"eg": ENVOY_GATEWAY}), FULL, {}, MODEL, loadable=True)


def test_without_a_context_it_is_the_built_in_cluster() -> None:
    assert command.asked({}, "up") is None
    assert command.asked({"CONTEXT": ""}, "down") is None


def test_what_is_asked_for_is_read_from_the_variables() -> None:
    asked = {"CONTEXT": "prod", "PROFILE": "small", "IMAGE_REGISTRY": "ghcr.io/acme"}
    wish = command.asked(asked, "up")
    assert wish is not None
    assert (wish.context, wish.profile, wish.registry, wish.verified) == ("prod", SMALL, "ghcr.io/acme", None)


@pytest.mark.parametrize("other", ["down", "status", "load", "clean"])
def test_a_command_of_the_built_in_cluster_does_nothing_to_it_for_another(other: str) -> None:
    with pytest.raises(RuntimeError, match=f"CONTEXT=prod: {other} is of the built-in cluster"):
        command.asked({"CONTEXT": "prod"}, other)


@pytest.mark.parametrize("other", ["build", "tools"])
def test_what_needs_no_cluster_does_not_mind(other: str) -> None:
    assert command.asked({"CONTEXT": "prod"}, other) is None


def test_prerequisites_are_of_another_cluster() -> None:
    with pytest.raises(RuntimeError, match="expected CONTEXT=name"):
        command.asked({}, "prerequisites")


def test_a_folder_that_nobody_verified_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="verify-release"):
        command.asked({"CONTEXT": "prod", "VERIFIED": str(tmp_path)}, "up")
    for name in ("chart", "values.yaml"):
        (tmp_path / name).touch()
    wish = command.asked({"CONTEXT": "prod", "VERIFIED": str(tmp_path)}, "up")
    assert wish is not None
    assert wish.verified == tmp_path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("minikube", "start the cluster with: minikube start"),
        ("kind-dev", "start the cluster with: kind create cluster --name dev"),
        ("k3d-dev", "start the cluster with: k3d cluster create dev"),
        ("kind-", "expected one of: a, b"),
        ("prod", "expected one of: a, b"),
    ],
)
def test_a_context_that_is_not_there_is_said_and_nothing_is_started(name: str, said: str) -> None:
    message = reach.absent(name, ["b", "a"], "/home/me/.kube/config")
    assert message.startswith(f"CONTEXT={name}: no such context in /home/me/.kube/config; ")
    assert said in message


def test_the_kubeconfig_is_the_one_that_kubectl_reads() -> None:
    assert reach.kubeconfig({"HOME": "/home/me"}) == Path("/home/me/.kube/config")
    assert reach.kubeconfig({"HOME": "/home/me", "KUBECONFIG": "/a:/b"}) == Path("/a:/b")
