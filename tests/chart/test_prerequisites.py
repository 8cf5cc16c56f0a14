"""A missing prerequisite is named with the command that installs it, before anything is created."""

import pytest

from chart.rendering import CERT_MANAGER, GATEWAY_API, KSERVE, ChartError, Render, model

MODEL = {"models": {"flights": model()}}


@pytest.mark.parametrize(
    ("apis", "command", "unnamed"),
    [
        ((*GATEWAY_API, *CERT_MANAGER), "helm install kserve-crd ", "helm install cert-manager "),
        ((*KSERVE, *CERT_MANAGER), "helm install envoy-gateway ", "helm install kserve-crd "),
        ((*KSERVE, *GATEWAY_API), "helm install cert-manager ", "helm install envoy-gateway "),
    ],
)
def test_what_is_missing_is_named_with_its_command(
    render: Render, apis: tuple[str, ...], command: str, unnamed: str
) -> None:
    with pytest.raises(ChartError, match=command) as refused:
        render(MODEL, apis=apis)
    assert unnamed not in str(refused.value)


def test_a_release_of_models_alone_names_the_platform_that_it_lacks(render: Render) -> None:
    values = {**MODEL, "crds": {"install": False}, "operator": {"enabled": False}, "driftDetector": {"enabled": False}}
    with pytest.raises(ChartError, match="helm install leeway charts/leeway --namespace leeway"):
        render(values, apis=(*KSERVE, *GATEWAY_API, *CERT_MANAGER))
    assert render(values).one("ModelRollout")


def test_a_gateway_alone_needs_the_gateway_api(render: Render) -> None:
    with pytest.raises(ChartError, match="helm install envoy-gateway "):
        render({"operator": {"enabled": False}, "driftDetector": {"enabled": False}}, apis=CERT_MANAGER)


def test_everything_missing_is_named_at_once(render: Render) -> None:
    with pytest.raises(ChartError, match=r"(?s)kserve-crd.*envoy-gateway.*cert-manager"):
        render(MODEL, apis=())


def test_the_check_can_be_switched_off(render: Render) -> None:
    assert render({**MODEL, "prerequisites": {"check": False}}, apis=()).one("ModelRollout")


def test_cert_manager_is_not_asked_of_a_release_that_has_a_gateway(render: Render) -> None:
    values = {**MODEL, "gateway": {"create": False, "parentRef": {"name": "edge"}}}
    rendered = render(values, apis=(*KSERVE, *GATEWAY_API))
    assert not rendered.all("Certificate")
    assert not rendered.all("Gateway")
