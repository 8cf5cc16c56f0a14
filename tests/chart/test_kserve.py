"""KServe's releases take what chart and operator hand it: the pinned one by its own kinds, others as they were kept.

Of 0.21 only the SDK's models are known: they name fields and types, so that a bound that it may have added is not seen.
"""

import copy
import json
import tomllib
from typing import Any

import jsonschema
import pytest

from chart import kserve_schemas
from chart.rendering import ROOT, Manifest, Render
from chart.test_manifests import RELEASES, closed_object

GOLDEN = ROOT / "operators/tests/golden"
PINNED = tomllib.loads((ROOT / "scripts/cluster/versions.toml").read_text())["modules"]["kserve"]["version"].lstrip("v")
KEPT = kserve_schemas.kept()
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
