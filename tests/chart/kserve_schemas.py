"""What releases of KServe take as InferenceService and ServingRuntime, kept without the words.

The kinds of a release are in its Go module; where that is not to be had, the models of its Python SDK, which are
generated from the same Go types, name the fields and their types, but no bound:

    go mod download -json github.com/kserve/kserve@v0.19.0      # its "Zip" is the file
    python tests/chart/kserve_schemas.py v0.19.0.zip
    pip download --no-deps kserve==0.21.0
    python tests/chart/kserve_schemas.py kserve-0.21.0-py3-none-any.whl

writes fixtures/kserve-<version>.json.gz: kind → apiVersion → schema.
"""

import ast
import gzip
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import yaml

FIXTURES = Path(__file__).parent / "fixtures"
Schemas = dict[str, dict[str, Any]]

_KINDS = {
    "InferenceService": ("serving.kserve.io/v1beta1", "inferenceservices", "v1beta1_inference_service"),
    "ServingRuntime": ("serving.kserve.io/v1alpha1", "servingruntimes", "v1alpha1_serving_runtime"),
}
_PRIMITIVES = {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}


class CrdLoader(yaml.CSafeLoader):
    """Reads `=`, a kind of matcher, as text; PyYAML takes it for a type of YAML 1.1 that it does not know."""


CrdLoader.add_constructor("tag:yaml.org,2002:value", CrdLoader.construct_yaml_str)


def kept() -> dict[str, Path]:
    """The releases whose schemas are kept: version → file."""
    return {path.name.removeprefix("kserve-").removesuffix(".json.gz"): path for path in FIXTURES.glob("kserve-*.gz")}


def read(path: Path) -> Schemas:
    """The schemas that `write` has kept."""
    schemas: Schemas = json.loads(gzip.decompress(path.read_bytes()))
    return schemas


def write(archive: Path, folder: Path = FIXTURES) -> Path:
    """Keep the schemas of a module's zip or an SDK's wheel in `folder`; equal archives give equal bytes.

    Raises:
        ValueError: the archive is neither.
    """
    with zipfile.ZipFile(archive) as files:
        names = files.namelist()
        module = _first(r"github\.com/kserve/kserve@v([^/]+)/", names)
        sdk = _first(r"kserve-([^/]+)\.dist-info/", names)
        if module:
            version, schemas = module[1], _of_module(files, module[0])
        elif sdk:
            version, schemas = sdk[1], _of_sdk(files)
        else:
            raise ValueError(f"{archive}: expected the zip of the module github.com/kserve/kserve or a wheel of kserve")
    path = folder / f"kserve-{version}.json.gz"
    text = json.dumps(schemas, separators=(",", ":"), sort_keys=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path


def _first(pattern: str, names: list[str]) -> re.Match[str] | None:
    return next((found for name in names if (found := re.match(pattern, name))), None)


def _of_module(files: zipfile.ZipFile, folder: str) -> Schemas:
    schemas: Schemas = {}
    for kind, (api_version, plural, _) in _KINDS.items():
        text = files.read(f"{folder}config/crd/full/serving.kserve.io_{plural}.yaml")
        (crd,) = yaml.load_all(text, CrdLoader)
        versions = {version["name"]: version["schema"]["openAPIV3Schema"] for version in crd["spec"]["versions"]}
        schemas[kind] = {api_version: _without_words(versions[api_version.rpartition("/")[2]])}
    return schemas


def _without_words(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_words(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    # A property may be called description; then it is a schema, not a text.
    return {
        name: _without_words(part)
        for name, part in schema.items()
        if not (name == "description" and isinstance(part, str))
    }


def _of_sdk(files: zipfile.ZipFile) -> Schemas:
    models = {}
    for name in files.namelist():
        if re.match(r"kserve/models/\w+\.py$", name):
            for node in ast.parse(files.read(name)).body:
                if isinstance(node, ast.ClassDef):
                    models[node.name] = _literals(node)
    schemas: Schemas = {}
    for kind, (api_version, _, module) in _KINDS.items():
        root = "".join(part.capitalize() for part in module.split("_"))
        schemas[kind] = {api_version: _of_class(root, models)}
    return schemas


def _literals(node: ast.ClassDef) -> dict[str, dict[str, str]]:
    return {
        target.id: ast.literal_eval(part.value)
        for part in node.body
        if isinstance(part, ast.Assign)
        for target in part.targets
        if isinstance(target, ast.Name) and target.id in ("openapi_types", "attribute_map")
    }


def _of_class(name: str, models: dict[str, dict[str, dict[str, str]]]) -> Any:
    model = models[name]
    properties = {
        model["attribute_map"][attribute]: _of_type(written, models)
        for attribute, written in model["openapi_types"].items()
    }
    return {"type": "object", "properties": properties}


def _of_type(written: str, models: dict[str, dict[str, dict[str, str]]]) -> Any:
    if found := re.fullmatch(r"list\[(.*)\]", written):
        return {"type": "array", "items": _of_type(found[1], models)}
    if found := re.fullmatch(r"dict\(str, (.*)\)", written):
        return {"type": "object", "additionalProperties": _of_type(found[1], models)}
    if written in _PRIMITIVES:
        return {"type": _PRIMITIVES[written]}
    # Kinds of Kubernetes itself are in another SDK: whatever they hold is taken.
    return _of_class(written, models) if written in models else {}


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        sys.stdout.write(f"{write(Path(argument))}\n")
