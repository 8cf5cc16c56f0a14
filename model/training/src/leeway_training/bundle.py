"""The bundle: a directory of files, a manifest that names each by its hash, and a digest that names them all."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from leeway_training.config import Config, NumericFeature
from leeway_training.dataset import Dataset
from leeway_training.errors import Problem, Refused

STEP = "write the bundle"
_FRAMEWORKS = ("numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "leeway-training")


def canonical(document: Any) -> bytes:
    """Serialise JSON so that equal documents give equal bytes."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest(manifest: Mapping[str, Any]) -> str:
    """Name a bundle: ``sha256:`` and the SHA-256 of the canonical JSON of its manifest."""
    return "sha256:" + hashlib.sha256(canonical(manifest)).hexdigest()


def readable(document: Any) -> bytes:
    """Serialise JSON for files that people read too."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def build_manifest(
    config: Config,
    *,
    dataset: Dataset,
    data_sha256: str,
    rows: int,
    categories: Mapping[str, list[str]],
    metrics: Mapping[str, float],
    files: Mapping[str, bytes],
) -> dict[str, Any]:
    """Describe the bundle (``schemas/manifest.schema.json``).

    Args:
        config: what was trained.
        dataset: what it was trained on.
        data_sha256: the hash over the source files.
        rows: rows of the source, labelled or not.
        categories: of each categorical input.
        metrics: on the test period.
        files: every file but the manifest and the provenance, by relative path.
    """
    manifest = {
        "schema_version": 1,
        "name": config.model.name,
        "version": config.model.version,
        "description": config.model.description,
        "task": config.target.task,
        "frameworks": {name: version(name) for name in _FRAMEWORKS},
        "files": {
            path: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for path, content in sorted(files.items())
        },
        "inputs": [
            _numeric(feature)
            if isinstance(feature, NumericFeature)
            else {
                "name": feature.name,
                "kind": "categorical",
                "dtype": "BYTES",
                "nullable": False,
                "categories": categories[feature.name],
            }
            for feature in config.features
        ],
        "outputs": _outputs(config),
        "metrics": dict(metrics),
        "data": {
            "name": config.data.name,
            "sha256": data_sha256,
            "rows": rows,
            "time_span": [dataset.first, dataset.last],
        },
        "time_column": config.time.column,
    }
    if config.target.task == "binary_classification":
        # The graph's label is the likelier class.
        manifest["decision_threshold"] = 0.5
    if config.entity_key is not None:
        manifest["entity_key"] = config.entity_key
    return manifest


def check_output(output: Path) -> None:
    """Refuse to write over what is there: a bundle, once written, never changes.

    Raises:
        Refused: the path exists.
    """
    if output.exists():
        raise Refused(STEP, [Problem(str(output), "exists", "a path that does not exist yet")])


def write_bundle(output: Path, files: Mapping[str, bytes]) -> None:
    """Write all files, or none: they appear under ``output`` by one rename.

    Raises:
        Refused: the path exists, or cannot be written to.
    """
    check_output(output)
    partial = output.with_name(f".{output.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        try:
            for path, content in files.items():
                (partial / path).write_bytes(content)
            partial.rename(output)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # gone already if all went well
    except OSError as error:
        raise Refused(STEP, [Problem(str(output), str(error), "a path that can be written to")]) from error


def _numeric(feature: NumericFeature) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": feature.name,
        "kind": "numeric",
        "dtype": "FP32",
        "nullable": feature.nullable,
    }
    bounds = {"minimum": feature.minimum, "maximum": feature.maximum, "unit": feature.unit}
    return described | {key: value for key, value in bounds.items() if value is not None}


def _outputs(config: Config) -> list[dict[str, Any]]:
    if config.target.task == "regression":
        return [{"name": "prediction", "dtype": "FP32", "shape": [-1, 1]}]
    classes = len(config.target.classes) if config.target.task == "multiclass_classification" else 2
    return [
        {"name": "label", "dtype": "INT64", "shape": [-1]},
        {"name": "probabilities", "dtype": "FP32", "shape": [-1, classes]},
    ]
