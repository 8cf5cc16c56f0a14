"""From a fitted pipeline to one ONNX graph that takes raw features, and the proof that both answer alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pandas as pd
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.pipeline import Pipeline

from leeway_training.config import Config
from leeway_training.errors import Problem, Refused

STEP = "prove parity"
PARITY = 1e-6
# The newest that may be asked of the runtime: a newer converter must not silently need a newer server.
_OPSETS = {"": 17, "ai.onnx.ml": 3}

Arrays = Mapping[str, npt.NDArray[np.generic]]


def to_onnx(pipeline: Pipeline, config: Config) -> bytes:
    """Export the pipeline: one input ``[n, 1]`` per feature; outputs as the bundle's contract names them.

    Equal pipelines give equal bytes: name and producer carry nothing of the run.
    """
    numeric = {feature.name for feature in config.numeric}
    inputs = [
        (feature.name, FloatTensorType([None, 1]) if feature.name in numeric else StringTensorType([None, 1]))
        for feature in config.features
    ]
    if config.target.task == "regression":
        settings: dict[str, Any] = {"final_types": [("prediction", FloatTensorType([None, 1]))]}
    else:
        settings = {"options": {id(pipeline): {"zipmap": False}}}
    graph = convert_sklearn(pipeline, config.model.name, inputs, target_opset=_OPSETS, **settings)
    graph.producer_name, graph.producer_version, graph.doc_string = "leeway", "", config.model.description
    # The converter lists them in the order of a set, which changes with Python's hash seed, and some of them twice.
    versions = sorted((opset.domain, opset.version) for opset in graph.opset_import)
    del graph.opset_import[:]
    graph.opset_import.extend(onnx.helper.make_opsetid(*opset) for opset in dict(versions).items())
    onnx.checker.check_model(graph, full_check=True)
    return bytes(graph.SerializeToString(deterministic=True))


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


def prove_parity(pipeline: Pipeline, features: pd.DataFrame, answers: Arrays) -> Parity:
    """Compare what the graph answered with what the pipeline answers for the same rows.

    For regression the difference is relative to the largest prediction, if that is above 1: a float32 sum is as exact
    as its largest terms.

    Raises:
        Refused: probabilities (predictions) further apart than 1e-6, or any label that differs.
    """
    problems = []
    if "prediction" in answers:
        expected = np.asarray(pipeline.predict(features), np.float64).reshape(-1, 1)
        difference = np.abs(answers["prediction"].astype(np.float64) - expected) / max(1.0, np.abs(expected).max())
    else:
        difference = np.abs(
            answers["probabilities"].astype(np.float64) - np.asarray(pipeline.predict_proba(features), np.float64)
        )
        differing = int((answers["label"] != pipeline.predict(features)).sum())
        if differing:
            problems.append(Problem("label", f"differs in {differing} of {len(features)} rows", "no difference"))
    largest = float(difference.max())
    if not largest <= PARITY:
        where = f"row {int(difference.max(axis=1).argmax())} of the test period"
        problems.append(Problem(where, f"ONNX and scikit-learn differ by {largest:.3g}", f"at most {PARITY:g}"))
    if problems:
        raise Refused(STEP, problems)
    return Parity(len(features), largest)
