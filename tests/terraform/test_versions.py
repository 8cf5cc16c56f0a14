"""Terraform installs what the built-in cluster was proven with: scripts/cluster/versions.toml is the one list."""

import re

import pytest
import yaml

from cluster import paths, versions
from cluster.addons import monitoring
from infrastructure import program
from terraform.conftest import SOURCE, folders

_DEFAULT = re.compile(r'(\w+) += optional\(string, "(v?\d[\w.]*)"\)')
_MODULE = (SOURCE / "modules/platform/variables.tf").read_text(encoding="utf-8")


def defaults() -> dict[str, str]:
    """The defaults of the module's variable `versions`, by part."""
    body = _MODULE.partition('variable "versions"')[2].partition("validation {")[0]
    return dict(_DEFAULT.findall(body))


@pytest.mark.parametrize("part", ["cert-manager", "envoy-gateway", "kserve"])
def test_a_part_has_the_version_that_the_cluster_has(part: str) -> None:
    assert defaults()[part.replace("-", "_")] == versions.modules()[part].version


def test_leeway_is_the_chart_of_this_repository() -> None:
    chart = yaml.safe_load((paths.REPOSITORY / "charts/leeway/Chart.yaml").read_text(encoding="utf-8"))
    assert defaults()["leeway"] == chart["version"]


def test_the_monitoring_stack_is_the_one_of_the_pinned_operator() -> None:
    """Chart 90.2.0 is the last with the operator 0.93; another operator needs another chart."""
    assert (defaults()["kube_prometheus_stack"], monitoring.release("prometheus-operator")) == ("90.2.0", "0.93.0")


def test_the_metrics_adapter_is_the_one_of_the_built_in_cluster() -> None:
    """Chart 5.3.0 is the one of prometheus-adapter 0.12.0."""
    assert (defaults()["prometheus_adapter"], versions.modules()["prometheus-adapter"].version) == ("5.3.0", "v0.12.0")


def test_the_metrics_adapter_is_told_what_it_is_told_on_the_built_in_cluster() -> None:
    told = (SOURCE / "modules/platform/releases.tf").read_text(encoding="utf-8")
    proven = (paths.REPOSITORY / "scripts/cluster/addons/manifests/prometheus-adapter.yaml").read_text(encoding="utf-8")
    interval = re.search(r'metricsRelistInterval = "(\w+)"', told)
    more = re.search(r'extraArguments +=\s+\["(.*)"\]', told)
    assert interval
    assert more
    assert f"--metrics-relist-interval={interval[1]}\n" in proven
    assert f"{more[1]}\n" in proven


def test_minikube_runs_the_kubernetes_that_everything_was_proven_on() -> None:
    for file in ("modules/minikube/variables.tf", "environments/minikube/variables.tf"):
        assert versions.kubernetes() in re.findall(r'"(1\.\d+\.\d+)"', (SOURCE / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", folders())
def test_every_folder_asks_for_the_terraform_that_is_looked_for(folder: str) -> None:
    major, minor = program.MINIMUM
    text = (SOURCE / folder / "versions.tf").read_text(encoding="utf-8")
    assert f'required_version = ">= {major}.{minor}, < 2.0"' in text


@pytest.mark.parametrize("folder", folders())
def test_providers_have_a_floor_in_modules_and_a_fence_in_roots(folder: str) -> None:
    text = (SOURCE / folder / "versions.tf").read_text(encoding="utf-8")
    sign = "~> " if folder.startswith("environments/") else ">= "
    assert all(asked.startswith(sign) for asked in re.findall(r'^      version = "(.*)"$', text, re.MULTILINE))


def test_the_charts_that_its_own_prerequisites_name() -> None:
    """What the chart tells people to run, and what Terraform runs, come from the same places."""
    told = (paths.REPOSITORY / "charts/leeway/templates/prerequisites.yaml").read_text(encoding="utf-8")
    homes = set(re.findall(r"oci://[\w./-]+", told))
    assert homes
    assert homes <= set(re.findall(r"oci://[\w./-]+", _MODULE))


def test_kube_state_metrics_tells_the_labels_that_it_tells_on_the_built_in_cluster() -> None:
    """Alerts and dashboards were proven with them."""
    manifest = (paths.REPOSITORY / "scripts/cluster/addons/manifests/kube-state-metrics.yaml").read_text(
        encoding="utf-8"
    )
    proven = re.search(r"--metric-labels-allowlist=(.*)", manifest)
    assert proven
    told = (SOURCE / "modules/platform/releases.tf").read_text(encoding="utf-8")
    for resource in re.findall(r"\w+=\[[^]]*\]", proven[1]):
        assert f'"{resource}"' in told
