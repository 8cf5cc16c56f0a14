"""From a directory to a model that may be served, or the reason why not."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from leeway_serving.bundle import MANIFEST, Bundle, read_bundle
from leeway_serving.errors import ModelError
from leeway_serving.golden import check_golden
from leeway_serving.model import Model
from leeway_serving.openapi import document
from leeway_serving.signature import Input, Output, Signature


@dataclass(frozen=True)
class Told:
    """What the server was told to serve; None where nobody said."""

    version: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Served:
    """A model that has passed every check.

    Attributes:
        name: what clients call it.
        version: the manifest's; of a plain ONNX file the one told, else the start of the file's SHA-256.
        digest: of the bundle, None for a plain ONNX file.
        signature: inputs and outputs.
        model: the graph.
        metadata: body of `GET /v2/models/{name}`.
        openapi: body of `GET /openapi.json`.
        files: the files of the bundle that others may fetch, by name.
        golden_cases: how many known answers were reproduced.
    """

    name: str
    version: str
    digest: str | None
    signature: Signature
    model: Model
    metadata: bytes
    openapi: bytes
    files: Mapping[str, bytes]
    golden_cases: int


def load(directory: Path, *, name: str, told: Told, max_rows: int) -> Served:
    """Verifies, loads and tries out the model in `directory`.

    Args:
        directory: a bundle, or a directory with exactly one `*.onnx` file and no manifest.
        name: what clients call the model.
        told: the version and digest that it must have.
        max_rows: limit on the rows of a request.

    Raises:
        ModelError: the reason why it must not be served.
    """
    if (directory / MANIFEST).exists():
        return _load_bundle(
            read_bundle(directory, expected_digest=told.digest), name=name, told=told, max_rows=max_rows
        )
    if told.digest is not None:
        raise ModelError(f"bundle {told.digest} was to be served; the directory has no {MANIFEST}")
    files = sorted(directory.glob("*.onnx"))
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise ModelError(f"a {MANIFEST} or exactly one *.onnx file was expected in the directory; found: {names}")
    model = Model(files[0])
    version = told.version or sha256(files[0].read_bytes()).hexdigest()[:12]
    return _served(name, version, model, model.signature)


def _load_bundle(bundle: Bundle, *, name: str, told: Told, max_rows: int) -> Served:
    manifest = bundle.manifest
    if told.version not in (None, manifest.version):
        raise ModelError(f"the bundle's version is {manifest.version}; {told.version} was to be served")
    model = Model(bundle.model)
    signature = _agree(manifest.inputs, manifest.outputs, model.signature)
    cases = check_golden(bundle.kept["golden.json"], model, signature, max_rows=max_rows)
    files = MappingProxyType({path: content for path, content in bundle.kept.items() if path != "golden.json"})
    served = _served(name, manifest.version, model, signature, bundle_digest=manifest.digest, task=manifest.task)
    return replace(served, digest=manifest.digest, files=files, golden_cases=cases)


def _agree(inputs: tuple[Input, ...], outputs: tuple[Output, ...], graph: Signature) -> Signature:
    """The manifest's signature with the graph's shapes, once it is sure that both mean the same tensors."""
    for what, declared, actual in (("inputs", inputs, graph.inputs), ("outputs", outputs, graph.outputs)):
        said = sorted((tensor.name, tensor.datatype) for tensor in declared)
        found = sorted((tensor.name, tensor.datatype) for tensor in actual)
        if said != found:
            difference = sorted(set(said) ^ set(found)) or said
            raise ModelError(f"{what} of the manifest and of the graph differ in {difference}")
    for spec in inputs:
        if not graph.by_name[spec.name].scalar:
            raise ModelError(
                f"input '{spec.name}' has shape {[-1, *graph.by_name[spec.name].row_shape]}; [-1, 1] was expected"
            )
    merged = tuple(
        replace(i, row_shape=graph.by_name[i.name].row_shape, rows=graph.by_name[i.name].rows) for i in inputs
    )
    return Signature(merged, outputs)


def _served(name: str, version: str, model: Model, signature: Signature, **parameters: Any) -> Served:
    metadata = {
        "name": name,
        "versions": [version],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": i.name, "datatype": i.datatype, "shape": [i.rows or -1, *i.row_shape]} for i in signature.inputs
        ],
        "outputs": [{"name": o.name, "datatype": o.datatype, "shape": list(o.shape)} for o in signature.outputs],
        "parameters": {"version": version, **parameters},
    }
    return Served(
        name=name,
        version=version,
        digest=None,
        signature=signature,
        model=model,
        metadata=orjson.dumps(metadata),
        openapi=document(model=name, version=version, signature=signature),
        files=MappingProxyType({}),
        golden_cases=0,
    )
