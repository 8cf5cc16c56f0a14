"""The platform applied to the real charts of its parts, each rendered by the real helm: they take what they are given.

kube-prometheus-stack and prometheus-adapter are in no Go module and cannot be had here; their values are only looked at
by the module's own tests.
"""

import shutil
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from cluster import paths
from cluster.addons import gateway
from cluster.fetch import tools
from infrastructure import parts
from terraform.conftest import Terraform
from terraform.programs import Programs


class Applied:
    """A platform after `terraform apply`."""

    def __init__(self, terraform: Terraform, *, small: bool) -> None:
        assert terraform.programs
        self.programs = Programs(terraform.programs)
        self.programs.helm(renders_with=tools.fetch() / "helm")
        shutil.copytree(paths.REPOSITORY / "tests/terraform/root", terraform.tree / "root")
        # There is no cluster that could be asked.
        values = {**parts.published(), "leeway": "prerequisites: {check: false}"}
        given = parts.variables(
            kubeconfig="/nonexistent",
            charts=parts.charts(),
            values=values,
            small=small,
            hostname="*.models.example.com",
            prometheus_url="http://prometheus.observability.svc:9090",
        )
        terraform.variables.update({name.removeprefix("TF_VAR_"): value for name, value in given.items()})
        terraform.init("root")
        terraform("root", "apply", "-auto-approve", "-no-color", "-input=false")

    def one(self, release: str, kind: str, name: str) -> Mapping[str, Any]:
        """Return the one object of a release with this kind and name."""
        found = [
            each for each in self._objects(release) if each and (each["kind"], each["metadata"]["name"]) == (kind, name)
        ]
        assert len(found) == 1, f"{release}: expected one {kind} {name}, found {len(found)}"
        return found[0]

    @cache  # noqa: B019 - it lives as long as the test
    def _objects(self, release: str) -> list[Mapping[str, Any]]:
        # By libyaml: in Python alone, KServe's kinds take six times as long.
        return list(yaml.load_all(self.programs.rendered(release), yaml.CSafeLoader))


@pytest.fixture(scope="module")
def applied(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Applied:
    return Applied(terraform.anew(tmp_path_factory.mktemp("platform")), small=False)


def test_the_charts_of_the_parts_take_their_values(applied: Applied) -> None:
    controller = applied.one("cert-manager", "Deployment", "cert-manager")
    assert "--enable-certificate-owner-ref=true" in controller["spec"]["template"]["spec"]["containers"][0]["args"]
    assert (
        '"defaultDeploymentMode": "Standard"'
        in applied.one("kserve", "ConfigMap", "inferenceservice-config")["data"]["deploy"]
    )
    reference = applied.one("leeway-cluster", "GatewayClass", "envoy")["spec"]["parametersRef"]
    proxy = applied.one("leeway-cluster", "EnvoyProxy", reference["name"])
    assert proxy["metadata"]["namespace"] == reference["namespace"]
    assert proxy["spec"] == gateway.gateway_class()[0]["spec"], "as the built-in cluster has it"
    labels = applied.one("leeway-cluster", "Namespace", "leeway")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
    edge = applied.one("leeway", "Gateway", "leeway")["spec"]
    assert edge["gatewayClassName"] == "envoy"
    assert edge["listeners"][0]["hostname"] == "*.models.example.com"
    assert edge["infrastructure"]["annotations"]["example.com/scheme"] == "internal"


def test_kserves_kinds_have_their_schemas(applied: Applied) -> None:
    kind = applied.one("kserve-crd", "CustomResourceDefinition", "inferenceservices.serving.kserve.io")
    assert kind["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["predictor"]


def test_a_small_platform_leaves_the_schemas_out(fresh: Terraform) -> None:
    applied = Applied(fresh, small=True)
    kind = applied.one("kserve-crd", "CustomResourceDefinition", "inferenceservices.serving.kserve.io")
    assert "properties" not in kind["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    detector = applied.one("leeway", "Deployment", "leeway-drift-detector")
    assert "drift-detector-native" in detector["spec"]["template"]["spec"]["containers"][0]["image"]
