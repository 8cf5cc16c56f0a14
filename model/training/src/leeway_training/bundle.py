"""The bundle: a directory of files, a manifest that names each by its hash, and a digest that names them all."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Any

from leeway_training.config import Config, NumericFeature
from leeway_training.errors import Problem, Refused

STEP = "write the bundle"
_FRAMEWORKS = ("numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "leeway-training")


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory.

    Attributes:
        files: every file but ``provenance.json``, by relative path.
        digest: the name of the bundle.
        metrics: of the served graph.
    """

    files: Mapping[str, bytes]
    digest: str
    metrics: Mapping[str, float]


def canonical(document: Any) -> bytes:
    """Serialise JSON so that equal documents give equal bytes."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest(manifest: Mapping[str, Any]) -> str:
    """Name a bundle: ``sha256:`` and the SHA-256 of the canonical JSON of its manifest."""
    return "sha256:" + hashlib.sha256(canonical(manifest)).hexdigest()


def seal(files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Bundle:
    """Put the manifest beside the files it lists."""
    return Bundle({**files, "manifest.json": readable(manifest)}, digest(manifest), manifest["metrics"])


def readable(document: Any) -> bytes:
    """Serialise JSON for files that people read too."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def build_manifest(
    *,
    name: str,
    version: str,
    description: str,
    task: str,
    classes: Sequence[str] | None,
    inputs: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, float],
    data: Mapping[str, Any],
    files: Mapping[str, bytes],
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe the bundle (``schemas/manifest.schema.json``).

    Args:
        name: of the model.
        version: of the model.
        description: one sentence for people.
        task: as in the configuration.
        classes: what the class indexes mean; None for regression.
        inputs: in the order of rows that are lists; see `inputs_of`.
        metrics: of the served graph.
        data: what was learnt from, or what was sampled.
        files: every file but the manifest and the provenance, by relative path.
        extra: what not every bundle has: ``time_column``, ``entity_key``, ``decision_threshold``.
    """
    outputs: list[dict[str, Any]] = [{"name": "prediction", "dtype": "FP32", "shape": [-1, 1]}]
    if classes is not None:
        outputs = [
            {"name": "label", "dtype": "INT64", "shape": [-1]},
            {"name": "probabilities", "dtype": "FP32", "shape": [-1, len(classes)]},
        ]
    return {
        "schema_version": 1,
        "name": name,
        "version": version,
        "description": description,
        "task": task,
        "frameworks": {name: distribution_version(name) for name in _FRAMEWORKS},
        "files": {
            path: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for path, content in sorted(files.items())
        },
        "inputs": [dict(one) for one in inputs],
        "outputs": outputs,
        **({} if classes is None else {"classes": list(classes)}),
        "metrics": dict(metrics),
        "data": dict(data),
        **extra,
    }


def inputs_of(config: Config, categories: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Describe the features of a configuration, with the categories that were found or declared."""
    return [
        _numeric(feature)
        if isinstance(feature, NumericFeature)
        else {
            "name": feature.name,
            "kind": "categorical",
            "dtype": "BYTES",
            "nullable": False,
            "categories": categories[feature.name],
            **_said(unit=feature.unit, privacy=None if feature.privacy == "keep" else feature.privacy),
        }
        for feature in config.features
    ]


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
    return {
        "name": feature.name,
        "kind": "numeric",
        "dtype": "FP32",
        "nullable": feature.nullable,
        **_said(
            minimum=feature.minimum,
            maximum=feature.maximum,
            unit=feature.unit,
            privacy=None if feature.privacy == "keep" else feature.privacy,
        ),
    }


def _said(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
