"""docs/compatibility.md names the versions that things are proven on, not those of last month."""

import re
import tomllib

import pytest

from chart.rendering import ROOT, VERSION

PAGE = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8")
PINNED = tomllib.loads((ROOT / "scripts/cluster/versions.toml").read_text(encoding="utf-8"))
MODULES = {
    "Kubernetes, built-in": "kubernetes",
    "KServe, Standard mode": "kserve",
    "Gateway API": "gateway-api",
    "cert-manager": "cert-manager",
    "metrics-server": "metrics-server",
    "prometheus-adapter": "prometheus-adapter",
    "Prometheus Operator": "prometheus-operator",
    "Alertmanager": "alertmanager",
    "kube-state-metrics": "kube-state-metrics",
    "OpenTofu": "opentofu",
}


def told(title: str) -> str:
    """The version in the row of that title."""
    (version,) = re.findall(rf"^\| {re.escape(title)} \| ([^|]*) \|", PAGE, flags=re.MULTILINE)
    return str(version)


@pytest.mark.parametrize(("title", "module"), MODULES.items(), ids=MODULES.keys())
def test_a_row_has_the_version_that_the_cluster_has(title: str, module: str) -> None:
    assert told(title) == PINNED["modules"][module]["version"].removeprefix("v")


def test_the_gateways_and_helm_are_those_of_their_wheels() -> None:
    envoy = PINNED["modules"]["envoy-gateway"]["version"].removeprefix("v")
    assert told("Envoy Gateway, Envoy") == f"{envoy}, {PINNED['wheels']['envoy'].partition('==')[2]}"
    assert told("Traefik") == PINNED["wheels"]["traefik"].partition("==")[2]


def test_prometheus_is_told_by_its_own_name_for_its_version() -> None:
    """The module v0.315.0 is Prometheus 3.15.0."""
    minor, patch = re.fullmatch(r"v0\.3(\d+)\.(\d+)", PINNED["modules"]["prometheus"]["version"]).groups()
    assert told("Prometheus") == f"3.{minor}.{patch}"


def test_the_upgrade_that_is_told_of_leads_to_this_version() -> None:
    assert re.search(rf"^\| 0\.1\.0, .* \| {re.escape(VERSION)}, and back \|", PAGE, flags=re.MULTILINE)


def test_nothing_is_said_to_have_run_without_a_date() -> None:
    rows = [row for row in PAGE.splitlines() if row.startswith("| ") and not re.match(r"\| (what|from) \|", row)]
    undated = [row for row in rows if not re.search(r"\d{4}-\d\d-\d\d \||each `make check` \|", row)]
    assert len(undated) < len(rows)
    assert [row for row in undated if "not run" not in row and "not yet run" not in row] == []
