"""What is done to a cluster of somebody else's: every call of kubectl and helm, by programs in their place."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.addons.kube import Kube
from cluster.context import install
from cluster.context.carry import NoWayError
from cluster.context.decide import UnsupportedError
from cluster.context.install import Wish
from cluster.context.reach import NoContextError
from cluster.profiles import FULL

_STAND_IN = f"""#!{sys.executable} -SE
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
program, arguments = pathlib.Path(__file__).name, sys.argv[1:]
given = sys.stdin.read()
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps([program, *arguments, given]) + "\\n")
for answer in json.loads((folder / "answers").read_text()):
    if all(word in arguments for word in answer["of"]):
        print(answer["is"])
        break
"""
_KIND = {
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "envoyproxies.gateway.envoyproxy.io"},
    "spec": {"group": "gateway.envoyproxy.io"},
}
_WRITES = {"apply", "annotate", "create", "delete", "patch", "label", "replace", "upgrade", "uninstall"}


def listed(*items: dict[str, Any]) -> str:
    return json.dumps({"kind": "List", "items": items})


def definition(name: str, api: str, version: str | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"app.kubernetes.io/version": version} if version else {}},
        "spec": {"versions": [{"name": api, "served": True}]},
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }


def deployment(image: str, **labels: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in labels.items()}
    return {
        "metadata": {"namespace": "there", "labels": named},
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
    }


GATEWAY_API = definition("httproutes.gateway.networking.k8s.io", "v1", "v1.4.0")
EVERY_KIND = (
    definition("certificates.cert-manager.io", "v1"),
    GATEWAY_API,
    definition("envoyproxies.gateway.envoyproxy.io", "v1alpha1"),
    definition("inferenceservices.serving.kserve.io", "v1beta1"),
    definition("prometheuses.monitoring.coreos.com", "v1", "0.93.0"),
)
EVERY_CONTROLLER = (
    deployment("x/controller:v1.21.2")
    | {"metadata": {"namespace": "c", "labels": {"app.kubernetes.io/name": "cert-manager"}}},
    deployment("x/gateway:v1.9.1", control_plane="envoy-gateway"),
    deployment("x/controller:v0.20.0", control_plane="kserve-controller-manager"),
)
CLASS = {"metadata": {"name": "eg"}, "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"}}
PROMETHEUS = {
    "metadata": {"namespace": "mon", "name": "main"},
    "spec": {"podMonitorNamespaceSelector": {}, "ruleNamespaceSelector": {}},
}


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers what it is told to, and remembers what was asked of it."""

    folder: Path

    @property
    def kube(self) -> Kube:
        return Kube(self.folder / "kubeconfig", self.folder, "prod")

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    @property
    def written(self) -> list[list[str]]:
        return [call for call in self.calls if _WRITES.intersection(call)]

    @property
    def releases(self) -> list[str]:
        return [call[call.index("--install") + 1] for call in self.calls if "--install" in call]

    def values(self, release: str) -> dict[str, Any]:
        (call,) = [call for call in self.calls if "--install" in call and release in call]
        read: dict[str, Any] = yaml.safe_load(call[-1])
        return read


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    for program in ("kubectl", "helm"):
        (tmp_path / program).write_text(_STAND_IN)
        (tmp_path / program).chmod(0o755)
    has(tmp_path)
    return Cluster(tmp_path)


def has(
    folder: Path,
    definitions: tuple[dict[str, Any], ...] = (),
    deployments: tuple[dict[str, Any], ...] = (),
    kubernetes: str = "v1.36.3",
) -> None:
    """Say what is on the cluster."""
    answers = [
        {"of": ["nodes"], "is": listed({"metadata": {}, "spec": {}})},
        {"of": ["get-contexts"], "is": "dev\nprod"},
        {"of": ["version"], "is": json.dumps({"serverVersion": {"gitVersion": kubernetes}})},
        {"of": ["customresourcedefinitions"], "is": listed(*definitions)},
        {"of": ["deployments"], "is": listed(*deployments)},
        {"of": ["gatewayclasses"], "is": listed(CLASS) if deployments else listed()},
        {"of": ["prometheuses"], "is": listed(PROMETHEUS)},
        {"of": ["apiservices"], "is": listed({})},
        {"of": ["template"], "is": yaml.safe_dump(_KIND)},
        {"of": ["apply"], "is": "customresourcedefinition.apiextensions.k8s.io/envoyproxies.gateway.envoyproxy.io"},
        {"of": ["customresourcedefinition.apiextensions.k8s.io/envoyproxies.gateway.envoyproxy.io"],
         "is": listed(EVERY_KIND[0])},
    ]  # fmt: skip
    (folder / "answers").write_text(json.dumps(answers))


def test_an_empty_cluster_gets_the_published_charts(cluster: Cluster) -> None:
    install.prerequisites(Wish("prod", FULL), cluster.kube)
    assert sorted(cluster.releases) == [
        "cert-manager",
        "envoy-gateway",
        "kserve",
        "kserve-crd",
        "kube-prometheus-stack",
    ]
    assert (
        cluster.releases.index("cert-manager") < cluster.releases.index("kserve-crd") < cluster.releases.index("kserve")
    )
    (envoy,) = [call for call in cluster.calls if "envoy-gateway" in call]
    assert {"oci://docker.io/envoyproxy/gateway-helm", "--version=v1.9.1", "--wait"} <= set(envoy)


def test_every_call_is_of_the_context_that_was_named(cluster: Cluster) -> None:
    install.prerequisites(Wish("prod", FULL), cluster.kube)
    for call in cluster.calls:
        assert call[1] == {"kubectl": "--context=prod", "helm": "--kube-context=prod"}[call[0]]


def test_a_cluster_that_has_all_of_it_is_only_looked_at(cluster: Cluster) -> None:
    has(cluster.folder, EVERY_KIND, EVERY_CONTROLLER)
    install.prerequisites(Wish("prod", FULL), cluster.kube)
    assert cluster.written == []


def test_beside_a_gateway_api_only_envoy_gateways_own_kinds_are_applied(cluster: Cluster) -> None:
    has(cluster.folder, (GATEWAY_API,))
    install.prerequisites(Wish("prod", FULL), cluster.kube)
    (applied,) = [call for call in cluster.calls if "apply" in call and "CustomResourceDefinition" in call[-1]]
    assert yaml.safe_load(applied[-1]) == _KIND
    assert cluster.values("envoy-gateway") == {"crds": {"enabled": False}}


def test_what_is_begun_is_marked_first_and_last(cluster: Cluster) -> None:
    install.prerequisites(Wish("prod", FULL), cluster.kube)
    marks = [call for call in cluster.written if "annotate" in call]
    assert (cluster.written.index(marks[0]), cluster.written.index(marks[-1])) == (1, len(cluster.written) - 1)
    assert "leeway.dev/installing=cert-manager,Envoy Gateway,KServe,Prometheus" in marks[0]
    assert "leeway.dev/installing-" in marks[-1]


def test_an_unfit_cluster_is_not_touched(cluster: Cluster) -> None:
    has(cluster.folder, kubernetes="v1.30.1")
    with pytest.raises(UnsupportedError, match=r"Kubernetes: v1\.30\.1 is there"):
        install.install(Wish("prod", FULL, registry="registry.example.com"), cluster.kube)
    assert cluster.written == []


def test_a_context_that_is_not_there_asks_nothing_else(cluster: Cluster) -> None:
    with pytest.raises(NoContextError, match="expected one of: dev, prod"):
        install.prerequisites(Wish("staging", FULL), cluster.kube)
    assert len(cluster.calls) == 1


def test_a_published_release_needs_neither_a_registry_nor_a_build(cluster: Cluster, tmp_path: Path) -> None:
    has(cluster.folder, EVERY_KIND, EVERY_CONTROLLER)
    verified = tmp_path / "verified"
    verified.mkdir()
    (verified / "chart").write_text("oci://ghcr.io/acme/charts/leeway@sha256:0a\n")
    (verified / "values.yaml").write_text("images: {registry: ghcr.io/acme, operators: {tag: 0.2.0@sha256:0b}}")

    shown = install.install(Wish("prod", FULL, verified=verified), cluster.kube)

    assert "without a model" in shown
    assert cluster.releases == ["leeway"]
    assert any("oci://ghcr.io/acme/charts/leeway@sha256:0a" in call for call in cluster.calls)
    told = cluster.values("leeway")
    assert told["models"] == {}
    assert told["images"] == {"registry": "ghcr.io/acme", "operators": {"tag": "0.2.0@sha256:0b"}}
    assert any("leeway.dev/made-by=make-up" in call for call in cluster.written)
    assert cluster.calls[-1][2] == "test"


def test_a_checkout_without_a_way_to_the_nodes_is_refused_before_anything_is_done(cluster: Cluster) -> None:
    with pytest.raises(NoWayError, match="IMAGE_REGISTRY"):
        install.install(Wish("prod", FULL), cluster.kube)
    assert cluster.written == []
