"""The ModelRollout kind arrives before the first model and is brought up to date by each upgrade."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from chart.rendering import CHART, Render, run_helm

CRD_FILE = CHART / "charts/crds/crds/modelrollouts.yaml"
STRATEGIES = Path(__file__).parent / "strategies.yaml"


def test_helm_creates_the_kind_before_it_maps_the_rest() -> None:
    def included(*, install: bool) -> bool:
        arguments = ("template", "leeway", str(CHART), "--include-crds", "--set=prerequisites.check=false")
        text = run_helm(*arguments, values={"crds": {"install": install}})
        return "# Source: leeway/charts/crds/crds/modelrollouts.yaml" in text

    assert included(install=True)
    assert not included(install=False)


def test_an_upgrade_applies_the_same_kind_first(render: Render) -> None:
    hook = render(upgrade=True).one("CustomResourceDefinition")
    assert hook["metadata"].pop("annotations") == {"helm.sh/hook": "pre-upgrade"}
    assert hook == yaml.safe_load(CRD_FILE.read_text())
    assert not render({"crds": {"install": False}}, upgrade=True).all("CustomResourceDefinition")


def test_an_installation_has_no_hook_that_argo_cd_would_delete_the_kind_for(render: Render) -> None:
    assert not render().all("CustomResourceDefinition")


def rules(schema: Any) -> Iterator[str]:
    """The messages of all rules of a schema."""
    if isinstance(schema, dict):
        yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", []))
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from rules(inner)


def test_every_rule_for_strategies_has_a_case_that_the_api_server_is_asked_about() -> None:
    (version,) = yaml.safe_load(CRD_FILE.read_text())["spec"]["versions"]
    strategy = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["strategy"]
    expected = {case["message"] for case in yaml.safe_load(STRATEGIES.read_text())["refused"].values()}
    assert set(rules(strategy)) <= expected


def test_what_rules_read_is_in_the_defaults_that_they_are_held_against() -> None:
    """The API server checks a schema's defaults against its rules as they stand, and refuses a kind that fails."""
    (version,) = yaml.safe_load(CRD_FILE.read_text())["spec"]["versions"]
    strategy = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["strategy"]
    analysis = strategy["properties"]["analysis"]
    assert analysis["default"] == strategy["default"]["analysis"]
    assert analysis["default"] == {name: analysis["properties"][name]["default"] for name in ("interval", "deadline")}


def test_the_columns_of_kubectl_get() -> None:
    (version,) = yaml.safe_load(CRD_FILE.read_text())["spec"]["versions"]
    shown = [column["name"] for column in version["additionalPrinterColumns"] if column.get("priority", 0) == 0]
    assert shown == ["Stable", "Candidate", "Weight", "Phase", "Verdict", "Reason", "Ready", "Age"]
