"""The way from a model that somebody else trained to the files of a bundle. No I/O: bytes come in, bytes go out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pandas as pd

from leeway_training.bring.adapt import adapt
from leeway_training.bring.card import Known, brought_card
from leeway_training.bring.estimator import convert_estimator
from leeway_training.bring.sample import Sample
from leeway_training.bring.signature import read_graph
from leeway_training.bundle import Bundle, build_manifest, seal
from leeway_training.drift import describe_reference, drift_section
from leeway_training.errors import Problem, Refused
from leeway_training.evaluate import evaluate
from leeway_training.export import Graph, prove_parity
from leeway_training.golden import golden_cases
from leeway_training.progress import Progress

STEPS = 3
_CATEGORIES = 1000
# What the server allows a golden answer, too. Ours keep 1e-6 since they are fitted on the float32 that is served; what
# others fitted on float64 cannot promise that.
_PARITY = 1e-5


@dataclass(frozen=True)
class Identity:
    """What the bundle is called, and where its sample came from."""

    name: str
    version: str
    description: str
    sample_name: str
    sample_sha256: str


def bundle_onnx(
    content: bytes,
    sample: Sample,
    identity: Identity,
    *,
    keep_rows: int,
    progress: Progress,
    task: str | None = None,
) -> Bundle:
    """Make a bundle of an ONNX file.

    Args:
        content: the file.
        sample: what it is asked.
        identity: what the bundle is called.
        keep_rows: rows of the sample that may be kept in ``drift-reference.npz``.
        progress: told of every step.
        task: what the graph's outputs alone do not tell: whether a number a row is a probability.

    Raises:
        Refused: the file, the sample or the two together cannot make a bundle that is served.
    """
    with progress.step("read the graph"):
        graph = read_graph(content)
    return _bundle(graph, None, sample, identity, keep_rows=keep_rows, notes=(), progress=progress, task=task)


def bundle_estimator(
    estimator: Any,
    sample: Sample,
    identity: Identity,
    *,
    keep_rows: int,
    notes: tuple[str, ...],
    progress: Progress,
) -> Bundle:
    """Make a bundle of a fitted scikit-learn estimator; see `bundle_onnx`.

    Args:
        estimator: a classifier with probabilities or a regressor, alone or in a pipeline.
        sample: what it is asked.
        identity: what the bundle is called.
        keep_rows: rows of the sample that may be kept in ``drift-reference.npz``.
        notes: what was odd when it was read, for the card.
        progress: told of every step.

    Raises:
        Refused: also if the graph answers the sample otherwise than the estimator.
    """
    with progress.step(f"convert {type(estimator).__name__}"):
        converted = convert_estimator(estimator, sample.features, name=identity.name)
        sample = replace(sample, features=converted.features)
    expected = _Expected(converted.expected, converted.labels, converted.classes)
    return _bundle(converted.graph, expected, sample, identity, keep_rows=keep_rows, notes=notes, progress=progress)


@dataclass(frozen=True)
class _Expected:
    answers: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64] | None
    classes: tuple[str, ...] | None


def _bundle(
    model: onnx.ModelProto,
    expected: _Expected | None,
    sample: Sample,
    identity: Identity,
    *,
    keep_rows: int,
    notes: tuple[str, ...],
    progress: Progress,
    task: str | None = None,
) -> Bundle:
    with progress.step("put it behind the inputs and outputs of a bundle, and ask it the sample") as told:
        adapted = adapt(model, sample.features, classes=expected.classes if expected else None, task=task)
        features = sample.features[list(adapted.renamed)].rename(columns=dict(adapted.renamed))
        graph = Graph(adapted.model)
        answers = graph.answer(features)
        parity = None
        if expected is not None:
            parity = prove_parity(answers, expected=expected.answers, labels=expected.labels, tolerance=_PARITY)
            told.append(f"largest difference to scikit-learn {parity.largest_difference:.1e}")
        predicted = answers["prediction" if adapted.classes is None else "probabilities"].astype(np.float64)
    with progress.step("profile the sample, record golden requests, describe") as told:
        labels = _labels(sample.labels, adapted.classes)
        if task not in (None, found := _task(adapted.classes)):
            raise Refused("read the arguments", [Problem("--task", f"says {task}", f"{found}, as the graph answers")])
        task = found
        metrics = _metrics(task, labels, predicted)
        drift = describe_reference(
            features,
            outputs=answers,
            times=sample.times,
            labels=labels,
            task=task,
            keep_rows=keep_rows,
            context=[adapted.renamed[name] for name in sample.context],
        )
        known = Known(
            name=identity.name,
            version=identity.version,
            description=identity.description,
            task=task,
            classes=adapted.classes,
            rows=len(features),
            span=sample.span,
            renamed=adapted.renamed,
            metrics=metrics,
            parity=parity,
            notes=notes,
        )
        files = {
            "model.onnx": adapted.model,
            "golden.json": golden_cases(graph, features, predicted[:, -1]),
            "MODEL_CARD.md": brought_card(known, drift=drift_section(drift)).encode(),
            **drift.files,
        }
        data: dict[str, Any] = {
            "name": identity.sample_name,
            "sha256": identity.sample_sha256,
            "rows": len(features),
            **({} if sample.span is None else {"time_span": sample.span}),
        }
        manifest = build_manifest(
            name=identity.name,
            version=identity.version,
            description=identity.description,
            task=task,
            classes=adapted.classes,
            inputs=[_input(str(name), features[name]) for name in features],
            metrics=metrics,
            data=data,
            files=files,
            extra=_threshold(adapted.classes, answers),
        )
        told.append(", ".join([task.replace("_", " "), *(f"{name} {value:.4f}" for name, value in metrics.items())]))
    return seal(files, manifest)


def _task(classes: tuple[str, ...] | None) -> str:
    if classes is None:
        return "regression"
    return "binary_classification" if len(classes) == 2 else "multiclass_classification"  # noqa: PLR2004 - yes and no


def _labels(column: "pd.Series[Any] | None", classes: tuple[str, ...] | None) -> npt.NDArray[np.float64] | None:
    """Turn the label column into numbers, or positions of classes; NaN where unknown."""
    if column is None:
        return None
    where, known = f"column {column.name}", column.notna()
    if classes is None:
        numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
        if (wrong := known & ~np.isfinite(numbers)).any():
            first = column.index[wrong][0]
            raise Refused("read the labels", [Problem(where, f"row {first} holds {column[first]!r}", "numbers")])
        return np.asarray(numbers, np.float64)
    # A column of whole numbers with gaps is read as floats: 1.0 is the class 1.
    whole = pd.api.types.is_float_dtype(column) and bool((column[known] % 1 == 0).all())
    # So are False and True the classes 0 and 1, unless they are classes themselves.
    whole |= pd.api.types.is_bool_dtype(column) and "True" not in classes
    names = (column[known].astype(np.int64) if whole else column[known]).astype(str)
    places = names.map({name: float(index) for index, name in enumerate(classes)})
    if unknown := sorted(set(names[places.isna()])):
        what = f"holds {', '.join(map(repr, unknown[:5]))}"
        raise Refused("read the labels", [Problem(where, what, f"one of {', '.join(classes)}")])
    return np.asarray(places.reindex(column.index), np.float64)


def _metrics(task: str, labels: npt.NDArray[np.float64] | None, predicted: npt.NDArray[np.float64]) -> dict[str, float]:
    """Measure on the labelled rows; a metric that they do not define is left out."""
    if labels is None or not (known := ~np.isnan(labels)).any():
        return {}
    measured = evaluate(task, labels[known], predicted[known])
    return {name: value for name, value in measured.items() if np.isfinite(value)}


def _threshold(classes: tuple[str, ...] | None, answers: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, float]:
    """0.5 if the graph's label is the likelier class; a threshold of its own is not known from outside."""
    if classes is None or len(classes) != 2:  # noqa: PLR2004 - yes and no
        return {}
    likelier = answers["probabilities"][:, 1].astype(np.float64) > 0.5  # noqa: PLR2004 - of two
    return {"decision_threshold": 0.5} if np.array_equal(answers["label"] == 1, likelier) else {}


def _input(name: str, values: "pd.Series[Any]") -> dict[str, Any]:
    if values.dtype != object:
        nullable = bool(values.isna().any())
        return {"name": name, "kind": "numeric", "dtype": "FP32", "nullable": nullable}
    found = sorted(set(values))
    if len(found) > _CATEGORIES:
        what = f"holds {len(found)} different strings"
        expected = f"at most {_CATEGORIES} categories; ids and free text are no features that can be watched"
        raise Refused("describe the inputs", [Problem(f"column {name}", what, expected)])
    return {"name": name, "kind": "categorical", "dtype": "BYTES", "nullable": False, "categories": found}
