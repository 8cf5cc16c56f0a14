"""A scikit-learn estimator that somebody else fitted, converted to ONNX."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pandas as pd
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from leeway_training.bring.signature import check_columns
from leeway_training.errors import Problem, Refused
from leeway_training.export import convert
from leeway_training.pipeline import answers_of

STEP = "convert the estimator"
_WHERE = "--sklearn"


@dataclass(frozen=True)
class Converted:
    """The graph of an estimator, and what the estimator itself answers to the sample.

    Attributes:
        graph: takes one input per column where columns are picked by name, else one matrix.
        features: the sample's columns in the order that the estimator knows them.
        classes: in the order of the columns of probabilities; None for regression.
        expected: probabilities ``[n, classes]``, or numbers ``[n, 1]`` for regression.
        labels: class indexes ``[n]``; None for regression.
    """

    graph: onnx.ModelProto
    features: pd.DataFrame
    classes: tuple[str, ...] | None
    expected: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64] | None


def convert_estimator(estimator: Any, features: pd.DataFrame, *, name: str) -> Converted:
    """Convert a fitted classifier with probabilities, or a regressor; alone or at the end of a pipeline.

    Args:
        estimator: fitted on a DataFrame (then the sample's columns must be those) or on a matrix.
        features: the sample's; float32 or objects holding str.
        name: of the graph.

    Raises:
        Refused: what is no such estimator, is not fitted, does not fit the sample, or cannot be converted.
    """
    _check_kind(estimator)
    features = _in_order(estimator, features)
    texts = [str(name) for name in features if features[name].dtype == object]
    if _picks_columns(estimator):
        inputs = [
            (str(name), StringTensorType([None, 1]) if name in texts else FloatTensorType([None, 1]))
            for name in features
        ]
    elif texts and len(texts) < len(features.columns):
        what = f"takes one matrix; the sample has strings in {', '.join(texts)} and numbers beside them"
        raise Refused(STEP, [Problem(_WHERE, what, "a pipeline that begins with a ColumnTransformer")])
    else:
        kind = StringTensorType if texts else FloatTensorType
        inputs = [("features", kind([None, len(features.columns)]))]
    asked = features if hasattr(estimator, "feature_names_in_") else features.to_numpy()
    try:
        expected = answers_of(estimator, asked)
        predicted = np.asarray(estimator.predict(asked))
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise Refused(STEP, [Problem(_WHERE, f"cannot answer the sample: {reason}", "rows as in training")]) from error
    if predicted.ndim > 1 and predicted.shape[1] > 1:
        raise Refused(STEP, [Problem(_WHERE, f"answers {predicted.shape[1]} values a row", "one output")])
    try:
        graph = convert(estimator, name, inputs)
    except (MissingConverter, MissingShapeCalculator) as error:
        reason = str(error).splitlines()[0]
        raise Refused(STEP, [Problem(_WHERE, reason, "steps that skl2onnx can convert")]) from error
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        # The converters of single steps check what they support each in its own way.
        reason = f"skl2onnx cannot convert it: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        raise Refused(STEP, [Problem(_WHERE, reason, "steps that skl2onnx can convert")]) from error
    if not is_classifier(estimator):
        return Converted(graph, features, None, expected, None)
    classes = np.asarray(estimator.classes_)
    place = {value: index for index, value in enumerate(classes.tolist())}
    labels = np.array([place[value] for value in predicted.reshape(-1).tolist()], np.int64)
    whole = classes.dtype.kind == "f" and bool((classes % 1 == 0).all())  # the graph answers 1 where the class is 1.0
    names = (classes.astype(np.int64) if whole else classes).tolist()
    return Converted(graph, features, tuple(map(str, names)), expected, labels)


def _check_kind(estimator: Any) -> None:
    kind = type(estimator).__name__
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise Refused(STEP, [Problem(_WHERE, f"holds a {kind} that is not fitted", "a fitted estimator")]) from error
    except TypeError as error:
        raise Refused(STEP, [Problem(_WHERE, f"holds a {kind}", "a scikit-learn classifier or regressor")]) from error
    if is_classifier(estimator):
        if not hasattr(estimator, "predict_proba"):
            expected = "one that has, for example CalibratedClassifierCV around it"
            raise Refused(STEP, [Problem(_WHERE, f"holds a {kind} that has no predict_proba", expected)])
        if isinstance(estimator.classes_, list):
            raise Refused(STEP, [Problem(_WHERE, f"answers {len(estimator.classes_)} outputs", "one output")])
    elif not is_regressor(estimator):
        raise Refused(STEP, [Problem(_WHERE, f"holds a {kind}", "a classifier or a regressor")])


def _in_order(estimator: Any, features: pd.DataFrame) -> pd.DataFrame:
    found = [str(name) for name in features]
    if (known := getattr(estimator, "feature_names_in_", None)) is not None:
        if problems := check_columns([str(name) for name in known], found):
            raise Refused(STEP, problems)
        return features[[str(name) for name in known]]
    count = getattr(estimator, "n_features_in_", len(found))
    if count != len(found):
        what = f"takes {count} columns; the sample has {len(found)} ({', '.join(found)})"
        raise Refused(STEP, [Problem(_WHERE, what, f"{count} columns in the order of training")])
    return features


def _picks_columns(estimator: Any) -> bool:
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[0][1]
    return isinstance(estimator, ColumnTransformer)
