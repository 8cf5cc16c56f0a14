"""From a fitted pipeline to one ONNX graph that takes raw features, and the proof that both answer alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pandas as pd
from skl2onnx import convert_sklearn
from skl2onnx.common._registration import get_converter
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from leeway_training.config import Config
from leeway_training.errors import Problem, Refused

STEP = "prove parity"
PARITY = 1e-6
# The newest that may be asked of the runtime: a newer converter must not silently need a newer server.
_OPSETS = {"": 17, "ai.onnx.ml": 3}

Arrays = Mapping[str, npt.NDArray[np.generic]]


class _WholeNumbers:
    """A container of the converter that writes truth values as 0 and 1, the only whole numbers that onnx takes.

    The converter of histogram gradient boosting hands over numpy booleans (skl2onnx 1.20 with onnx 1.23).
    """

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *args: Any, nodes_missing_value_tracks_true: Sequence[Any], **attributes: Any) -> None:
        tracks = [int(value) for value in nodes_missing_value_tracks_true]
        self._container.add_node(*args, nodes_missing_value_tracks_true=tracks, **attributes)


def _convert_histogram_boosting(scope: Any, operator: Any, container: Any) -> None:
    get_converter(operator.type)(scope, operator, _WholeNumbers(container))


def convert(
    estimator: Any, name: str, inputs: Sequence[tuple[str, Any]], final_types: Sequence[tuple[str, Any]] | None = None
) -> onnx.ModelProto:
    """Convert a fitted scikit-learn estimator, for the opsets that are served.

    Equal estimators give equal graphs: producer and order carry nothing of the run.

    Args:
        estimator: with or without probabilities; a pipeline too.
        name: of the graph.
        inputs: names and skl2onnx types.
        final_types: names and skl2onnx types of the outputs, in order; the converter's own by default.

    Raises:
        MissingConverter, MissingShapeCalculator, RuntimeError: a step that skl2onnx cannot convert.
    """
    graph: onnx.ModelProto = convert_sklearn(
        estimator,
        name,
        list(inputs),
        target_opset=_OPSETS,
        final_types=None if final_types is None else list(final_types),
        options={id(estimator): {"zipmap": False}} if is_classifier(estimator) else None,
        custom_conversion_functions=dict.fromkeys(
            (HistGradientBoostingClassifier, HistGradientBoostingRegressor), _convert_histogram_boosting
        ),
    )
    graph.producer_name, graph.producer_version, graph.doc_string = "leeway", "", ""
    return graph


def serialise(graph: onnx.ModelProto) -> bytes:
    """Check a graph and write it, so that equal graphs give equal bytes."""
    # The converter lists them in the order of a set, which changes with Python's hash seed, and some of them twice.
    versions = sorted((opset.domain, opset.version) for opset in graph.opset_import)
    del graph.opset_import[:]
    graph.opset_import.extend(onnx.helper.make_opsetid(*opset) for opset in dict(versions).items())
    onnx.checker.check_model(graph, full_check=True)
    return bytes(graph.SerializeToString(deterministic=True))


def to_onnx(pipeline: Pipeline, config: Config) -> bytes:
    """Export the pipeline: one input ``[n, 1]`` per feature; outputs as the bundle's contract names them."""
    numeric = {feature.name for feature in config.numeric}
    inputs = [
        (feature.name, FloatTensorType([None, 1]) if feature.name in numeric else StringTensorType([None, 1]))
        for feature in config.features
    ]
    regression = config.target.task == "regression"
    final_types = [("prediction", FloatTensorType([None, 1]))] if regression else None
    graph = convert(pipeline, config.model.name, inputs, final_types)
    graph.doc_string = config.model.description
    return serialise(graph)


class Graph:
    """An exported graph under onnxruntime, on one thread as it is served."""

    def __init__(self, model: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def answer(self, features: pd.DataFrame) -> dict[str, npt.NDArray[np.generic]]:
        """Answer rows: every output of the graph by name, first axis the rows."""
        feeds = {str(name): features[name].to_numpy().reshape(-1, 1) for name in features}
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, feeds), strict=True))


@dataclass(frozen=True)
class Parity:
    """How far the graph and the pipeline are apart on the rows that were compared."""

    rows: int
    largest_difference: float


def prove_parity(
    answers: Arrays,
    *,
    expected: npt.NDArray[np.float64],
    labels: npt.NDArray[np.generic] | None,
    tolerance: float = PARITY,
) -> Parity:
    """Compare what the graph answered with what scikit-learn answers for the same rows.

    For regression the difference is relative to the largest prediction, if that is above 1: a float32 sum is as exact
    as its largest terms.

    Args:
        answers: of the graph, by output.
        expected: probabilities ``[n, classes]``, or numbers ``[n, 1]`` for regression.
        labels: class indexes ``[n]``; None for regression.
        tolerance: the largest difference allowed.

    Raises:
        Refused: probabilities (predictions) further apart than that, or any label that differs.
    """
    problems = []
    if labels is None:
        difference = np.abs(answers["prediction"].astype(np.float64) - expected) / max(1.0, np.abs(expected).max())
    else:
        difference = np.abs(answers["probabilities"].astype(np.float64) - expected)
        if differing := int((answers["label"] != labels).sum()):
            problems.append(Problem("label", f"differs in {differing} of {len(labels)} rows", "no difference"))
    largest = float(difference.max())
    if not largest <= tolerance:
        where = f"row {int(difference.max(axis=1).argmax())} of those compared"
        problems.append(Problem(where, f"ONNX and scikit-learn differ by {largest:.3g}", f"at most {tolerance:g}"))
    if problems:
        raise Refused(STEP, problems)
    return Parity(len(expected), largest)
