"""A cluster of somebody else's: what is there decides what is done."""

import re
from dataclasses import replace

import pytest
import yaml

from cluster import paths, versions
from cluster.context import parts
from cluster.context.decide import KINDS, OUR_CLASS, UnsupportedError, decide, table
from cluster.context.found import ENVOY_GATEWAY, Controller, Definition, Found, Prometheus
from cluster.context.parts import Support, charts, numbers, supported
from cluster.profiles import FULL, SMALL

SUPPORTED = {
    "Kubernetes": Support("v1.32.0", "v1.36.3"),
    "cert-manager": Support("v1.15.0", "v1.21.2"),
    "Gateway API": Support("v1.2.0", "v1.7.0"),
    "Envoy Gateway": Support("v1.9.0", "v1.9.1"),
    "KServe": Support("v0.20.0", "v0.20.0"),
    "Prometheus Operator": Support("v0.70.0", "v0.93.0"),
}
EMPTY = Found(kubernetes="v1.36.3")
PROMETHEUS = Prometheus("mon", "main", "http://prometheus-operated.mon.svc:9090", {}, everywhere=True)
CERTIFICATES, ROUTES, PROXIES, SERVICES, PROMETHEUSES = KINDS
FULLY = Found(
    kubernetes="v1.36.3",
    definitions={
        CERTIFICATES: Definition("v1.21.2", frozenset({"v1"})),
        ROUTES: Definition("v1.7.0", frozenset({"v1", "v1beta1"})),
        PROXIES: Definition(None, frozenset({"v1alpha1"})),
        SERVICES: Definition(None, frozenset({"v1beta1"})),
        PROMETHEUSES: Definition("0.93.0", frozenset({"v1"})),
    },
    controllers={
        "cert-manager": Controller("cert-manager", "v1.21.2"),
        "envoy-gateway": Controller("gateways", "v1.9.1"),
        "kserve": Controller("kserve", "v0.20.0"),
    },
    gateway_classes={"eg": ENVOY_GATEWAY},
    prometheuses=(PROMETHEUS,),
)


def kind(name: str, version: str | None, api: str = "v1") -> Found:
    return replace(FULLY, definitions={**FULLY.definitions, name: Definition(version, frozenset({api}))})


def running(part: str, version: str | None) -> Found:
    return replace(FULLY, controllers={**FULLY.controllers, part: Controller("there", version)})


def refusal(found: Found) -> str:
    with pytest.raises(UnsupportedError) as caught:
        decide(found, SUPPORTED)
    return str(caught.value)


def test_an_empty_cluster_gets_all_of_it_in_the_order_of_need():
    plan = decide(EMPTY, SUPPORTED)
    assert plan.missing == ["cert-manager", "Envoy Gateway", "KServe", "Prometheus"]
    assert (plan.gateway_class, plan.make_class) == (OUR_CLASS, True)


def test_of_a_cluster_that_has_all_of_it_nothing_is_touched():
    plan = decide(FULLY, SUPPORTED)
    assert plan.missing == []
    assert (plan.gateway_class, plan.make_class) == ("eg", False)
    assert plan.notes == ()


@pytest.mark.parametrize(
    ("names", "controller", "missing"),
    [
        ([CERTIFICATES], "cert-manager", "cert-manager"),
        ([PROXIES], "envoy-gateway", "Envoy Gateway"),
        ([SERVICES], "kserve", "KServe"),
    ],
)
def test_what_is_missing_is_installed_and_nothing_else(names: list[str], controller: str, missing: str):
    without = replace(
        FULLY,
        definitions={name: it for name, it in FULLY.definitions.items() if name not in names},
        controllers={name: it for name, it in FULLY.controllers.items() if name != controller},
    )
    assert decide(without, SUPPORTED).missing == [missing]


def test_a_gateway_api_of_another_implementation_stays():
    found = replace(
        EMPTY,
        definitions={ROUTES: FULLY.definitions[ROUTES]},
        gateway_classes={"istio": "istio.io/gateway-controller"},
    )
    plan = decide(found, SUPPORTED)
    assert ("Gateway API", False) in [(one.part, one.install) for one in plan.decisions]
    assert "Envoy Gateway" in plan.missing
    assert plan.has_gateway_api
    assert not decide(EMPTY, SUPPORTED).has_gateway_api
    assert (plan.gateway_class, plan.make_class) == (OUR_CLASS, True)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (replace(FULLY, kubernetes="v1.31.9"), "Kubernetes: v1.31.9 is there; expected v1.32.0 or newer, below v2"),
        (running("cert-manager", "v1.14.7"), "cert-manager: v1.14.7 is there; expected v1.15.0"),
        (kind(ROUTES, "v1.1.0"), "Gateway API: v1.1.0 is there; expected v1.2.0"),
        (running("envoy-gateway", "v1.8.2"), "Envoy Gateway: v1.8.2 is there"),
        (running("kserve", "v0.19.0"), "KServe: v0.19.0 is there; expected v0.20.0 or newer, below v1"),
        (running("kserve", "v1.0.0"), "KServe: v1.0.0 is there"),
        (kind(PROMETHEUSES, "0.65.1"), "Prometheus Operator: 0.65.1 is there"),
    ],
)
def test_a_version_that_is_not_supported_is_refused(found: Found, said: str):
    assert said in refusal(found)


def test_everything_that_is_in_the_way_is_said_at_once():
    old = replace(running("kserve", "v0.15.0"), kubernetes="v1.28.0", prometheuses=())
    assert [line.partition(":")[0] for line in refusal(old).splitlines()] == ["Kubernetes", "KServe", "Prometheus"]


@pytest.mark.parametrize("version", ["v1.36.9+k3s1", "v1.36.3-eks-1a2b3c", "v1.32"])
def test_a_distributions_version_counts_by_its_numbers(version: str):
    assert decide(replace(FULLY, kubernetes=version), SUPPORTED).missing == []


def test_a_newer_minor_is_taken_and_said_to_be_untried():
    plan = decide(running("kserve", "v0.21.0"), SUPPORTED)
    (kserve,) = [one for one in plan.decisions if one.part == "KServe"]
    assert not kserve.install
    assert kserve.note == "newer than v0.20.0, the last that was tried"
    assert "newer than" not in decide(running("kserve", "v0.20.3"), SUPPORTED).decisions[-2].note


def test_a_version_that_nobody_tells_is_taken_and_said():
    plan = decide(running("kserve", None), SUPPORTED)
    (kserve,) = [one for one in plan.decisions if one.part == "KServe"]
    assert (kserve.install, kserve.found, kserve.note) == (False, "of no version that it tells", "proven with v0.20.0")


@pytest.mark.parametrize("part", ["cert-manager", "Envoy Gateway", "KServe", "Prometheus"])
def test_what_an_interrupted_call_has_begun_is_finished_and_not_taken_for_somebody_elses(part: str):
    half = replace(
        FULLY, controllers={}, prometheuses=(), begun=("cert-manager", "Envoy Gateway", "KServe", "Prometheus")
    )
    assert part in decide(half, SUPPORTED).missing
    assert decide(replace(FULLY, begun=(part,)), SUPPORTED).missing == [part]


def test_kinds_that_nobody_answers_for_are_refused():
    found = replace(FULLY, controllers={k: v for k, v in FULLY.controllers.items() if k != "cert-manager"})
    assert "certificates.cert-manager.io is there, and no Deployment that answers for it" in refusal(found)


def test_a_kind_in_another_api_version_is_refused_by_what_is_served():
    assert "expected certificates.cert-manager.io in v1, which is not served (v1alpha2)" in refusal(
        kind(CERTIFICATES, "v1.21.2", "v1alpha2")
    )


def test_a_controller_without_its_kind_is_refused():
    found = replace(FULLY, definitions={k: v for k, v in FULLY.definitions.items() if k != SERVICES})
    assert f"KServe: its controller runs in kserve, but the kind {SERVICES} is missing" in refusal(found)


def test_an_operator_without_a_prometheus_is_refused_since_nothing_would_move():
    assert "without evidence no rollout moves" in refusal(replace(FULLY, prometheuses=()))


def test_a_prometheus_that_looks_at_home_only_is_said():
    plan = decide(replace(FULLY, prometheuses=(replace(PROMETHEUS, everywhere=False),)), SUPPORTED)
    assert "mon/main looks for monitors and rules in its own namespace only" in plan.notes[0]


def test_of_several_prometheuses_the_one_that_is_asked_is_named():
    plan = decide(replace(FULLY, prometheuses=(PROMETHEUS, replace(PROMETHEUS, namespace="other"))), SUPPORTED)
    assert plan.decisions[-1].note == "mon/main is asked; not other/main"


def test_replicas_that_will_not_follow_are_said():
    assert "metrics-server" in decide(replace(FULLY, metrics=False), SUPPORTED).notes[0]


def test_another_controllers_class_of_our_name_is_refused():
    found = replace(FULLY, gateway_classes={OUR_CLASS: "istio.io/gateway-controller"})
    assert "GatewayClass envoy: expected Envoy Gateway's" in refusal(found)


def test_a_leeway_of_others_is_left_to_them():
    assert "an operator in namespace ml" in refusal(replace(FULLY, leeway=("ml",)))
    assert "an operator in namespace leeway" in refusal(replace(FULLY, leeway=("leeway",)))
    assert "an operator in namespace ml" in refusal(replace(FULLY, leeway=("leeway", "ml"), ours=True))


def test_our_own_leeway_is_upgraded():
    assert decide(replace(FULLY, leeway=("leeway",), ours=True), SUPPORTED).missing == []


def test_the_table_says_for_each_part_what_is_done():
    lines = table(decide(running("kserve", "v0.21.0"), SUPPORTED)).splitlines()
    assert all(re.search(r"is left as it is", line) for line in lines)
    assert any(line.startswith("KServe") and "v0.21.0" in line and "newer than" in line for line in lines)
    assert all(
        "not there" in line and "is installed" in line for line in table(decide(EMPTY, SUPPORTED)).splitlines()[1:]
    )


@pytest.mark.parametrize(("version", "expected"), [("v1.2.3", (1, 2, 3)), ("0.93", (0, 93, 0)), ("1", (1, 0, 0))])
def test_versions_are_compared_by_number(version: str, expected: tuple[int, ...]):
    assert numbers(version) == expected


def test_what_is_no_version_is_refused():
    with pytest.raises(ValueError, match="latest"):
        numbers("latest")


def test_what_is_installed_is_supported():
    assert set(supported()) == set(SUPPORTED)
    assert supported()["KServe"].tried == versions.modules()["kserve"].version
    kubernetes = yaml.safe_load((paths.REPOSITORY / "charts/leeway/Chart.yaml").read_text())["kubeVersion"]
    assert numbers(kubernetes.removeprefix(">=")) == numbers(supported()["Kubernetes"].oldest)


@pytest.mark.parametrize("part", sorted(SUPPORTED))
def test_the_page_says_what_is_supported(part: str):
    page = (paths.REPOSITORY / "docs/clusters.md").read_text(encoding="utf-8")
    name = part.split(maxsplit=1)[0] if part == "Prometheus Operator" else part
    (row,) = re.findall(rf"^\| {name} \|.*$", page, flags=re.MULTILINE)
    major, minor, _ = numbers(supported()[part].oldest)
    assert f"{major}.{minor}" in row.rpartition("|")[0].rpartition("|")[2]


def test_charts_are_those_of_terraform():
    text = (paths.REPOSITORY / "terraform/modules/platform/variables.tf").read_text(encoding="utf-8")
    for part in ("cert-manager", "Envoy Gateway", "KServe", "Prometheus"):
        for chart in charts(part, FULL):
            assert f'"{chart.address}"' in text
            assert f'"{chart.version}"' in text


def test_a_small_cluster_gets_kinds_without_schemas_and_no_alerts_about_itself():
    assert charts("KServe", SMALL)[0].address.endswith("/kserve-crd-minimal")
    assert charts("Prometheus", SMALL)[0].values["defaultRules"] == {"create": False}
    assert parts.charts("Prometheus", FULL)[0].values["defaultRules"] == {"create": True}


def test_beside_a_gateway_api_envoy_gateway_brings_its_own_kinds_only():
    def kind(group: str) -> dict[str, object]:
        return {"kind": "CustomResourceDefinition", "spec": {"group": group}}

    own = kind("gateway.envoyproxy.io")
    rendered = yaml.safe_dump_all([kind("gateway.networking.k8s.io"), own, None, {"kind": "Service", "spec": {}}])
    assert parts.own_kinds(rendered) == [own]
    (chart,) = charts("Envoy Gateway", FULL)
    assert parts.beside(chart).values == {"crds": {"enabled": False}}
    with pytest.raises(ValueError, match=r"group gateway\.envoyproxy\.io"):
        parts.own_kinds(yaml.safe_dump_all([kind("gateway.networking.k8s.io")]))
