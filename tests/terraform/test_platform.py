"""The platform applied to the real charts of its parts, each rendered by the real helm: they take what they are given.

kube-prometheus-stack is no Go module and cannot be had here; its values are only looked at by the module's own tests.
"""

import json
import shutil
import string
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import paths, versions
from cluster.addons import gateway, sources
from cluster.fetch import tools
from terraform.conftest import Terraform
from terraform.programs import Programs

_ROOT = """
variable "charts" {{
  type = map(string)
}}

provider "helm" {{
  kubernetes = {{
    config_path = "/nonexistent"
  }}
}}

module "platform" {{
  source = "../modules/platform"

  charts         = var.charts
  parts          = {{ monitoring = false }}
  prometheus_url = "http://prometheus.observability.svc:9090"
  hostname       = "*.models.example.com"
  gateway        = {{ annotations = {{ "example.com/scheme" = "internal" }} }}
  small          = {small}
  # There is no cluster that could be asked.
  values = {{ leeway = "prerequisites: {{check: false}}" }}
}}

terraform {{
  required_providers {{
    helm = {{
      source = "hashicorp/helm"
    }}
  }}
}}
"""


def charts(folder: Path) -> dict[str, str]:
    """Return where the charts lie that this repository has the sources of, Envoy Gateway's made whole in `folder`."""
    module = sources.files("envoy-gateway") / "charts/gateway-helm"
    whole = folder / "gateway-helm"
    shutil.copytree(module, whole, copy_function=shutil.copyfile)
    whole.chmod(0o755)
    # Upstream's release fills this in.
    template = string.Template((module / "values.tmpl.yaml").read_text(encoding="utf-8"))
    image = f"docker.io/envoyproxy/gateway:{versions.modules()['envoy-gateway'].version}"
    filled = template.substitute(GatewayImage=image, GatewayImagePullPolicy="IfNotPresent")
    (whole / "values.yaml").write_text(filled, encoding="utf-8")
    kserve = sources.files("kserve") / "charts"
    return {
        "cert_manager": str(sources.files("cert-manager") / "deploy/charts/cert-manager"),
        "envoy_gateway": str(whole),
        "kserve_crd": str(kserve / "kserve-crd"),
        "kserve": str(kserve / "kserve-resources"),
        "leeway": str(paths.REPOSITORY / "charts/leeway"),
    }


class Applied:
    """A platform after `terraform apply`."""

    def __init__(self, terraform: Terraform, folder: Path, *, small: bool) -> None:
        assert terraform.programs
        self.programs = Programs(terraform.programs)
        self.programs.helm(renders_with=tools.fetch() / "helm")
        root = terraform.tree / "root"
        root.mkdir()
        (root / "main.tf").write_text(_ROOT.format(small=str(small).lower()), encoding="utf-8")
        # What is valid JSON is a valid expression.
        terraform.variables["charts"] = json.dumps(charts(folder))
        terraform.init("root")
        terraform("root", "apply", "-auto-approve", "-no-color", "-input=false")

    def one(self, release: str, kind: str, name: str) -> dict[str, Any]:
        """Return the one object of a release with this kind and name."""
        found = [
            each
            for each in yaml.safe_load_all(self.programs.rendered(release))
            if each and (each["kind"], each["metadata"]["name"]) == (kind, name)
        ]
        assert len(found) == 1, f"{release}: expected one {kind} {name}, found {len(found)}"
        return dict(found[0])


@pytest.fixture
def applied(fresh: Terraform, tmp_path: Path) -> Applied:
    return Applied(fresh, tmp_path, small=False)


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


def test_a_small_platform_leaves_the_schemas_out(fresh: Terraform, tmp_path: Path) -> None:
    applied = Applied(fresh, tmp_path, small=True)
    kind = applied.one("kserve-crd", "CustomResourceDefinition", "inferenceservices.serving.kserve.io")
    assert "properties" not in kind["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    detector = applied.one("leeway", "Deployment", "leeway-drift-detector")
    assert "drift-detector-native" in detector["spec"]["template"]["spec"]["containers"][0]["image"]
