"""Fixtures of the chart tests: the rendering, and the real CRDs of what the chart stands on."""

import json
import subprocess
import tomllib
import zipfile

import pytest
import yaml

from chart.kserve_schemas import CrdLoader
from chart.rendering import CHART, EVERYTHING, ROOT, Manifest, Render, Rendered, run_helm

# Where each module keeps the CRDs that the chart's objects are made of.
CRD_FILES = {
    "kserve": tuple(
        f"config/crd/full/serving.kserve.io_{kind}.yaml" for kind in ("inferenceservices", "servingruntimes")
    ),
    "gateway-api": tuple(
        f"config/crd/standard/gateway.networking.k8s.io_{kind}.yaml" for kind in ("gateways", "httproutes")
    ),
    "cert-manager": ("deploy/crds/cert-manager.io_issuers.yaml", "deploy/crds/cert-manager.io_certificates.yaml"),
    "envoy-gateway": tuple(
        f"charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_{kind}.yaml"
        for kind in ("envoyproxies", "clienttrafficpolicies")
    ),
    "prometheus-operator": tuple(
        f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
        for kind in ("alertmanagerconfigs", "podmonitors", "prometheusrules")
    ),
}


@pytest.fixture(scope="session")
def render() -> Render:
    """Renders the chart as an installation into a cluster that has the given APIs."""

    def rendered(
        values: Manifest | None = None,
        *,
        release: str = "leeway",
        namespace: str = "leeway",
        apis: tuple[str, ...] = EVERYTHING,
        upgrade: bool = False,
    ) -> Rendered:
        arguments = ["template", release, str(CHART), f"--namespace={namespace}"]
        arguments += [f"--api-versions={api}" for api in apis]
        arguments += ["--is-upgrade"] if upgrade else []
        text = run_helm(*arguments, values=values)
        return Rendered([found for found in yaml.load_all(text, yaml.CSafeLoader) if found])

    return rendered


@pytest.fixture(scope="session")
def crds(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Manifest]:
    """(apiVersion, kind) → schema of the very versions that Leeway is proven with, from their Go modules."""
    schemas: dict[tuple[str, str], Manifest] = {}
    modules = tomllib.loads((ROOT / "scripts/cluster/versions.toml").read_text())["modules"]
    texts = [(CHART / "charts/crds/crds/modelrollouts.yaml").read_text()]
    for name, paths in CRD_FILES.items():
        module = f"{modules[name]['path']}@{modules[name]['version']}"
        # Only the zip is asked for, so that a module which wants a newer Go than ours is no obstacle.
        done = subprocess.run(
            ["go", "mod", "download", "-json", module],
            cwd=tmp_path_factory.mktemp("go"),
            capture_output=True,
            text=True,
            check=False,
        )
        archive = json.loads(done.stdout or "{}").get("Zip")
        assert archive, f"{module} could not be downloaded: {done.stdout}{done.stderr}"
        with zipfile.ZipFile(archive) as files:
            texts += [files.read(f"{module}/{path}").decode() for path in paths]
    for crd in (found for text in texts for found in yaml.load_all(text, CrdLoader) if found):
        spec = crd["spec"]
        for version in spec["versions"]:
            api_version = f"{spec['group']}/{version['name']}"
            schemas[api_version, spec["names"]["kind"]] = version["schema"]["openAPIV3Schema"]
    return schemas
