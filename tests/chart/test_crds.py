"""The ModelRollout kind arrives before the first model and is brought up to date by each upgrade."""

import yaml

from chart.rendering import CHART, Render, run_helm

CRD_FILE = CHART / "charts/crds/crds/modelrollouts.yaml"


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
