"""From chart 0.1.0 to today's: values, objects and kinds of the older one go over as they are."""

import hashlib
import json
import re
import tarfile
from typing import Any

import pytest
import yaml

from chart.narrowing import narrowed
from chart.rendering import CHART, EVERYTHING, ROOT, VERSION, ChartError, Manifest, Rendered, model, run_helm

FIXTURES = ROOT / "tests/chart/fixtures"
OLDER = FIXTURES / "leeway-0.1.0.tgz"
CRD_FILE = "charts/crds/crds/modelrollouts.yaml"
VALUES: dict[str, Manifest] = {
    "one model": {"models": {"flights": model()}},
    "every option": yaml.safe_load((FIXTURES / "values-0.1.0.yaml").read_text(encoding="utf-8")),
}
every_values = pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())


def older(path: str) -> str:
    """Text of a file of chart 0.1.0."""
    with tarfile.open(OLDER) as archive:
        file = archive.extractfile(f"leeway/{path}")
        assert file is not None, f"{path} is no file"
        return file.read().decode()


def both(values: Manifest) -> tuple[Rendered, Rendered]:
    """What Helm installs from 0.1.0, and what it replaces that by."""
    apis = [f"--api-versions={api}" for api in EVERYTHING]
    arguments = ("--namespace=leeway", *apis)
    texts = (
        run_helm("template", "leeway", str(OLDER), *arguments, values=values),
        run_helm("template", "leeway", str(CHART), *arguments, "--is-upgrade", values=values),
    )
    before, after = (Rendered([found for found in yaml.load_all(text, yaml.CSafeLoader) if found]) for text in texts)
    return before, after


def named(rendered: Rendered) -> dict[tuple[str, str], Manifest]:
    return {(found["kind"], found["metadata"]["name"]): found for found in rendered.objects}


def leaves(values: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(values, dict) or not values:
        return {path: values}
    return {key: leaf for name, part in values.items() for key, leaf in leaves(part, f"{path}.{name}").items()}


def test_the_older_chart_is_the_one_that_was_kept() -> None:
    told, name = (FIXTURES / f"{OLDER.name}.sha256").read_text(encoding="utf-8").split()
    assert (name, told) == (OLDER.name, hashlib.sha256(OLDER.read_bytes()).hexdigest())
    assert yaml.safe_load(older("Chart.yaml"))["version"] == "0.1.0"
    assert yaml.safe_load(older("Chart.yaml"))["version"] != VERSION


def test_no_values_of_the_older_chart_are_refused() -> None:
    today = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    changed = narrowed(json.loads(older("values.schema.json")), today)
    # A digest may follow a tag now; that every older tag still is one shows below.
    assert [found for found in changed if not re.fullmatch(r"\.images\.\w+\.tag: pattern differs", found)] == []


@pytest.mark.parametrize("tag", ["", "1.2.3", "0.1.0-abc123", "A_b.c-d", "x" * 128])
def test_a_tag_of_the_older_chart_still_is_one(tag: str) -> None:
    images = {"images": {"operators": {"tag": tag}}}
    assert [rendered.one("Deployment", "leeway-operator") for rendered in both(images)]


def test_what_people_left_to_the_older_defaults_is_what_it_was() -> None:
    before = leaves(yaml.safe_load(older("values.yaml")))
    after = leaves(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")))
    assert {path: after.get(path, "gone") for path in before} == before


@every_values
def test_nothing_is_deleted_but_the_runtime_that_its_content_names(values: Manifest) -> None:
    """The operator has copied that one for the slots that use it."""
    before, after = map(named, both(values))
    assert {kind for kind, _ in before.keys() - after.keys()} <= {"ServingRuntime"}


@every_values
def test_nothing_that_kubernetes_lets_nobody_change_is_changed(values: Manifest) -> None:
    before, after = map(named, both(values))
    fixed = {
        "Deployment": ("selector",),
        "PersistentVolumeClaim": ("accessModes", "storageClassName"),
        "PodDisruptionBudget": ("selector",),
        "Service": ("clusterIP", "selector"),
    }
    compared = 0
    for key in before.keys() & after.keys():
        for field in fixed.get(key[0], ()):
            assert after[key]["spec"].get(field) == before[key]["spec"].get(field), (key, field)
            compared += 1
    assert compared


@every_values
def test_a_model_is_asked_for_as_before_but_by_a_runtime_of_today(values: Manifest) -> None:
    def specs(rendered: Rendered) -> dict[str, Manifest]:
        rollouts = {found["metadata"]["name"]: dict(found["spec"]) for found in rendered.all("ModelRollout")}
        return {name: {**spec, "runtime": None} for name, spec in rollouts.items()}

    before, after = both(values)
    assert specs(after) == specs(before)
    assert after.one("ServingRuntime")["metadata"]["name"] != before.one("ServingRuntime")["metadata"]["name"]


def test_what_the_kind_held_it_still_holds() -> None:
    """Else the API server would drop fields of a status at the operator's next write."""

    def kind(text: str) -> Any:
        return yaml.safe_load(text)["spec"]

    before, after = kind(older(CRD_FILE)), kind((CHART / CRD_FILE).read_text(encoding="utf-8"))
    assert after["names"] == before["names"]
    (one,), (other,) = before["versions"], after["versions"]
    assert [(v["name"], v["served"], v["storage"]) for v in (one, other)] == [("v1alpha1", True, True)] * 2
    assert narrowed(one["schema"]["openAPIV3Schema"], other["schema"]["openAPIV3Schema"]) == []


def test_a_value_of_today_is_refused_by_name_by_the_older_chart() -> None:
    with pytest.raises(ChartError, match=r"additional properties 'tracing' not allowed"):
        run_helm("template", "leeway", str(OLDER), values={"tracing": {"endpoint": ""}})


OPEN: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"required": []}, []),
        ({"properties": {"a": {"type": "integer", "minimum": 0}, "b": {}}}, []),
        ({"properties": {"a": True}}, []),
        ({"properties": {}}, [".a: is no longer taken"]),
        ({"properties": {"a": {"type": "integer", "minimum": 2}}}, [".a: minimum 1 became 2"]),
        ({"properties": {"a": {"type": "string", "minimum": 1}}}, [".a: type differs"]),
        ({"properties": {"a": {"type": "integer", "minimum": 1, "enum": [3]}}}, [".a: enum is new"]),
        ({"required": ["a", "b"]}, [": requires ['b']"]),
        ({"not": {"required": ["b"]}}, [": not differs"]),
    ],
)
def test_a_schema_that_takes_less_is_told_of(change: Manifest, told: list[str]) -> None:
    assert narrowed(OPEN, {**OPEN, **change}) == told


def test_an_environments_values_fit_the_older_chart_that_kind_is_upgraded_from() -> None:
    values = yaml.safe_load((ROOT / "deploy/values-minikube.yaml").read_text(encoding="utf-8"))
    before, after = both(values | {"models": {"flights": model()}})
    assert len(before.all("ModelRollout")) == len(after.all("ModelRollout")) == 1
