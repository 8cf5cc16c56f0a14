"""KServe's releases take what chart and operator hand it: the pinned one by its own kinds, others as they were kept.

Of 0.21 only the SDK's models are known: they name fields and types, so that a bound that it may have added is not seen.
"""

import copy
import json
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from chart import kserve_schemas
from chart.rendering import ROOT, Manifest, Render
from chart.test_manifests import RELEASES, closed_object

GOLDEN = ROOT / "operators/tests/golden"
PINNED = tomllib.loads((ROOT / "scripts/cluster/versions.toml").read_text())["modules"]["kserve"]["version"].lstrip("v")
KEPT = kserve_schemas.kept()
PLURALS = ("inferenceservices", "servingruntimes")
versions = pytest.mark.parametrize("version", sorted({*KEPT, PINNED}))


@pytest.fixture(scope="session")
def schemas(crds: dict[tuple[str, str], Manifest]) -> dict[str, dict[tuple[str, str], Manifest]]:
    """Version → (apiVersion, kind) → schema."""
    known = {
        version: {
            (api, kind): schema for kind, apis in kserve_schemas.read(path).items() for api, schema in apis.items()
        }
        for version, path in KEPT.items()
    }
    return {**known, PINNED: {key: crds[key] for key in crds if key[0].startswith("serving.kserve.io/")}}


def golden(name: str) -> Manifest:
    """An object that the operator's tests hold it to."""
    found: Manifest = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return found


def validate(manifest: Manifest, schemas: dict[tuple[str, str], Manifest]) -> None:
    """Refuses also what the API server would drop: a field that this release does not know."""
    schema = schemas[manifest["apiVersion"], manifest["kind"]]
    jsonschema.Draft4Validator(closed_object(schema)).validate(manifest)


def test_the_releases_that_are_tested() -> None:
    assert {"0.16.0", "0.17.0", "0.19.0", "0.20.0", "0.21.0"} <= {*KEPT, PINNED}


@versions
@pytest.mark.parametrize("name", ["inference-service", "inference-service-direct", "runtime-copy"])
def test_what_the_operator_makes_is_valid(schemas: dict[str, Any], version: str, name: str) -> None:
    validate(golden(name), schemas[version])


@versions
def test_what_the_chart_renders_is_valid(schemas: dict[str, Any], version: str, render: Render) -> None:
    runtimes = [found for values in RELEASES.values() for found in render(values).all("ServingRuntime")]
    assert runtimes
    for runtime in runtimes:
        validate(runtime, schemas[version])


@versions
@pytest.mark.parametrize(
    ("field", "value"),
    [("storageUri", 3), ("storageURI", "s3://models/flights"), ("env", {"LOG": "1"})],
)
def test_what_no_release_takes_is_refused(schemas: dict[str, Any], version: str, field: str, value: object) -> None:
    """Else a schema that takes anything would prove nothing."""
    changed = copy.deepcopy(golden("inference-service"))
    changed["spec"]["predictor"]["model"][field] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(changed, schemas[version])


@versions
def test_a_release_has_its_own_fields(schemas: dict[str, Any], version: str) -> None:
    """Canaries came with 0.20: a kept file is the one of the release that it is named by."""
    changed = copy.deepcopy(golden("inference-service"))
    changed["spec"]["canary"] = [{"predictor": {"name": "b"}, "trafficPercent": 5}]
    if tuple(map(int, version.split("."))) >= (0, 20, 0):
        validate(changed, schemas[version])
    else:
        with pytest.raises(jsonschema.ValidationError, match="'canary' was unexpected"):
            validate(changed, schemas[version])


def packed(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_modules_kinds_are_kept_without_words_but_with_a_field_of_that_name(tmp_path: Path) -> None:
    text = """
    spec:
      versions:
      - {name: v1alpha1, schema: {openAPIV3Schema: {description: a kind, properties: {description: {type: string}}}}}
      - {name: v1beta1, schema: {openAPIV3Schema: {type: object}}}
    """
    folder = "github.com/kserve/kserve@v9.8.7/config/crd/full/serving.kserve.io_"
    module = packed(tmp_path / "module.zip", {f"{folder}{kind}.yaml": text for kind in PLURALS})
    kept = kserve_schemas.write(module, tmp_path)
    assert kept.name == "kserve-9.8.7.json.gz"
    assert kserve_schemas.read(kept) == {
        "InferenceService": {"serving.kserve.io/v1beta1": {"type": "object"}},
        "ServingRuntime": {"serving.kserve.io/v1alpha1": {"properties": {"description": {"type": "string"}}}},
    }
    once = kept.read_bytes()
    assert kserve_schemas.write(module, tmp_path).read_bytes() == once


def test_an_sdks_models_are_kept_with_their_fields_types(tmp_path: Path) -> None:
    def written(name: str, types: dict[str, str]) -> str:
        names = {field: field.replace("_u", "U") for field in types}
        return f"class {name}(object):\n    openapi_types = {types}\n    attribute_map = {names}\n"

    models = {
        "v1beta1_inference_service": written(
            "V1beta1InferenceService", {"spec": "V1beta1Spec", "metadata": "V1ObjectMeta"}
        ),
        "v1beta1_spec": written("V1beta1Spec", {"storage_uri": "str", "steps": "list[int]", "env": "dict(str, bool)"}),
        "v1alpha1_serving_runtime": written("V1alpha1ServingRuntime", {}),
    }
    files = {f"kserve/models/{name}.py": text for name, text in models.items()}
    wheel = packed(tmp_path / "sdk.whl", {"kserve-9.8.7.dist-info/METADATA": "", **files})
    kinds = kserve_schemas.read(kserve_schemas.write(wheel, tmp_path))
    assert kinds["InferenceService"]["serving.kserve.io/v1beta1"]["properties"] == {
        "metadata": {},
        "spec": {
            "type": "object",
            "properties": {
                "storageUri": {"type": "string"},
                "steps": {"type": "array", "items": {"type": "integer"}},
                "env": {"type": "object", "additionalProperties": {"type": "boolean"}},
            },
        },
    }


def test_another_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"other\.zip: expected the zip of the module github\.com/kserve/kserve or a wheel"
    ):
        kserve_schemas.write(packed(tmp_path / "other.zip", {"README.md": ""}), tmp_path)
