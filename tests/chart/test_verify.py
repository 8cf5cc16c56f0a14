"""The pod of `helm test` that proves the wiring: when there is one, whom it asks, what it may read."""

from typing import Any

import pytest

from chart.rendering import CERT_MANAGER, GATEWAY_API, KSERVE, LEEWAY, ChartError, Manifest, Render, Rendered, model

URL = "http://prometheus.monitoring.svc:9090"
TOLD: Manifest = {"operator": {"prometheus": {"url": URL}}}
WITHOUT_PROMETHEUS = (*KSERVE, *GATEWAY_API, *CERT_MANAGER, *LEEWAY)
NAME = "leeway-verify"


def pods(rendered: Rendered) -> list[str]:
    return [pod["metadata"]["name"] for pod in rendered.all("Pod")]


def test_it_is_there_where_a_prometheus_of_the_operators_kind_is_named(render: Render) -> None:
    pod = render(TOLD).one("Pod", NAME)
    (container,) = pod["spec"]["containers"]
    assert container["command"] == ["leeway-verify"]
    assert container["args"][:2] == ["--release=leeway", f"--prometheus-url={URL}"]
    assert pod["spec"]["serviceAccountName"] == NAME
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"


@pytest.mark.parametrize(
    ("values", "apis"),
    [
        ({}, None),
        (TOLD, WITHOUT_PROMETHEUS),
        ({**TOLD, "helmTest": {"verify": False}}, None),
        ({**TOLD, "helmTest": {"enabled": False}}, None),
    ],
)
def test_nothing_of_it_is_there_otherwise(render: Render, values: Manifest, apis: tuple[str, ...] | None) -> None:
    rendered = render(values) if apis is None else render(values, apis=apis)
    assert not [found for found in rendered.objects if found["metadata"]["name"].endswith("-verify")]


def test_it_can_be_asked_for_where_the_kinds_are_not_known(render: Render) -> None:
    assert NAME in pods(render({**TOLD, "helmTest": {"verify": True}}, apis=WITHOUT_PROMETHEUS))


def test_asked_for_without_a_prometheus_it_is_refused_with_the_value_that_is_missing(render: Render) -> None:
    with pytest.raises(ChartError, match=r"helmTest\.verify: operator\.prometheus\.url is expected"):
        render({"helmTest": {"verify": True}})


def test_it_comes_besides_the_inference(render: Render) -> None:
    assert sorted(pods(render({**TOLD, "models": {"flights": model()}}))) == ["leeway-test", NAME]


def rules(rendered: Rendered, kind: str, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rendered.one(kind, name)["rules"]
    return found


def test_it_reads_and_nothing_else(render: Render) -> None:
    rendered = render(TOLD, namespace="team")
    own, everywhere = rules(rendered, "Role", NAME), rules(rendered, "ClusterRole", "team-leeway-verify")
    assert {verb for rule in (*own, *everywhere) for verb in rule["verbs"]} == {"get", "list"}
    assert [rule["resources"] for rule in everywhere] == [["prometheuses", "alertmanagers"]]
    assert "secrets" not in {resource for rule in own for resource in rule["resources"]}


def test_its_rights_go_when_it_has_succeeded(render: Render) -> None:
    made = [found for found in render(TOLD).objects if found["metadata"]["name"].endswith("-verify")]
    assert sorted(found["kind"] for found in made) == sorted(
        ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Pod"]
    )
    for found in made:
        assert "hook-succeeded" in found["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
    weights = {found["kind"]: int(found["metadata"]["annotations"]["helm.sh/hook-weight"]) for found in made}
    assert all(weights[kind] < weights["Pod"] for kind in weights if kind != "Pod")
