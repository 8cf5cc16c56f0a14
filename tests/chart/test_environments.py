"""Each environment's values render to what the API server takes, and keep what the environment promises."""

from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from chart.rendering import DIGEST, ROOT, ChartError, Render, Rendered, model
from chart.test_manifests import KUBERNETES, closed_object

DEPLOY = ROOT / "deploy"
ENVIRONMENTS = sorted(file.stem.removeprefix("values-") for file in DEPLOY.glob("values-*.yaml"))


def values(environment: str) -> dict[str, Any]:
    """The environment's values with a model, which models-<environment>.yaml would bring."""
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / f"values-{environment}.yaml").read_text())
    return loaded | {"models": {"flights": model()}}


@pytest.fixture(params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def rendered(render: Render, environment: str) -> Rendered:
    return render(values(environment), upgrade=True)


def test_every_object_is_valid(rendered: Rendered, crds: dict[tuple[str, str], Any]) -> None:
    for manifest in rendered.objects:
        schema = crds.get((manifest["apiVersion"], manifest["kind"]))
        if schema is None:
            for version in KUBERNETES:
                kubernetes_validate.validate(manifest, version, strict=True)
        else:
            jsonschema.Draft4Validator(closed_object(schema)).validate(manifest)


def test_a_platform_is_installed_before_there_is_a_model(render: Render, environment: str) -> None:
    assert render(values(environment) | {"models": {}}).all("ModelRollout") == []


def test_the_four_environments_that_docs_name_are_there() -> None:
    assert ENVIRONMENTS == ["dev", "minikube", "prod", "staging"]


@pytest.mark.parametrize("file", sorted(DEPLOY.glob("models-*.yaml")), ids=lambda file: file.stem)
def test_the_models_of_an_environment_are_bundles_by_digest(render: Render, file: Path) -> None:
    content = yaml.safe_load(file.read_text())
    assert set(content) == {"models"}
    for name, entry in content["models"].items():
        assert set(entry) == {"model"}, f"{name}: how it is served is said in values-*.yaml"
        assert set(entry["model"]) == {"storageUri", "version", "digest"}, name
    render(values(file.stem.removeprefix("models-")) | content)


def test_nothing_moves_in_production_without_evidence_and_a_person(render: Render) -> None:
    spec = render(values("prod")).one("ModelRollout")["spec"]
    assert spec["strategy"]["approval"] == {"required": True}
    assert [step["weight"] for step in spec["strategy"]["steps"]] == [5, 25, 50]
    assert spec["scaling"]["minReplicas"] == 2
    assert render(values("prod")).one("Deployment", "leeway-operator")["spec"]["replicas"] == 2


def test_staging_rehearses_steps_and_development_does_not(render: Render) -> None:
    assert render(values("staging")).one("ModelRollout")["spec"]["strategy"]["steps"]
    assert "steps" not in render(values("dev")).one("ModelRollout")["spec"].get("strategy", {})


def test_a_laptop_needs_no_load_balancer(render: Render) -> None:
    proxy = render(values("minikube")).one("EnvoyProxy")["spec"]["provider"]["kubernetes"]
    assert proxy["envoyService"]["type"] == "ClusterIP"


def test_only_people_who_were_named_are_told(render: Render) -> None:
    told = {name: bool(render(values(name)).all("AlertmanagerConfig")) for name in ENVIRONMENTS}
    assert told == {"dev": False, "minikube": False, "prod": True, "staging": True}


def test_images_can_be_pinned_by_digest(render: Render) -> None:
    tag = f"0.1.0@{DIGEST}"
    images = {key: {"tag": tag} for key in ("onnxServer", "driftDetector", "driftDetectorNative", "operators")}
    specs = dict(render(values("prod") | {"images": images}).pod_specs())
    assert specs
    for title, spec in specs.items():
        assert all(container["image"].endswith(f":{tag}") for container in spec["containers"]), title


@pytest.mark.parametrize("tag", [f"@{DIGEST}", "0.1.0@sha256:abc", "0.1.0@"])
def test_half_a_digest_is_refused(render: Render, tag: str) -> None:
    with pytest.raises(ChartError, match="does not match pattern"):
        render(values("dev") | {"images": {"operators": {"tag": tag}}})
