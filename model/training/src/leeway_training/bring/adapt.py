"""A graph that somebody else made, put behind the bundle's inputs and outputs without touching what it computes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pandas as pd
from onnx import TensorProto, helper

from leeway_training.bring.signature import GraphInput, clean, graph_inputs, match
from leeway_training.errors import Problem, Refused
from leeway_training.export import Graph, serialise

STEP = "adapt the graph"
_PREFIX = "model/"  # no feature's name holds a slash, so that nothing of the graph can clash with the new names
_ML = "ai.onnx.ml"
_EXPECTED = (
    "one of: a number a row (--task binary_classification if it is the probability of class 1); "
    "probabilities [rows, classes]; labels [rows] and probabilities [rows, classes]"
)


@dataclass(frozen=True)
class Adapted:
    """A graph that keeps the bundle's contract.

    Attributes:
        model: the graph.
        renamed: what the inputs are called, by the column of the sample; in the order of rows that are lists.
        classes: what label 0, 1 and on mean; None for regression.
    """

    model: bytes
    renamed: Mapping[str, str]
    classes: tuple[str, ...] | None


def adapt(
    model: onnx.ModelProto, features: pd.DataFrame, *, classes: Sequence[str] | None, task: str | None = None
) -> Adapted:
    """Give a graph one input ``[n, 1]`` per feature and the outputs of the contract.

    A matrix input gets a Concat before it, another number type a Cast, a ZipMap is taken off, labels become the
    positions of their classes; what lies between stays as it is.

    Args:
        model: checked by `signature.read_graph`.
        features: the sample's; float32 or objects holding str.
        classes: in the order of the columns of probabilities, if the caller knows; else the graph must say.
        task: ``binary_classification`` if one number a row is the probability of class 1, which no graph says.

    Raises:
        Refused: a sample that does not fit, an operator that onnxruntime does not know, or outputs that are none of
            those a bundle may have.
    """
    inputs = graph_inputs(model)
    matched = match(inputs, features)
    order = [name for one in inputs for name in matched[one.name]]
    renamed = {name: clean(name) for name in order}
    if len(set(renamed.values())) < len(renamed):
        twice = sorted(name for name in order if list(renamed.values()).count(renamed[name]) > 1)
        problem = Problem("columns", f"{', '.join(twice)} get one name", "names that differ in letters and digits")
        raise Refused(STEP, [problem])
    known = tuple(classes) if classes is not None else _classes(model)
    wrapped = onnx.compose.add_prefix(_without_zipmap(model), _PREFIX)
    _replace_inputs(wrapped, inputs, matched, renamed, features)
    answers = _answers(wrapped, features.rename(columns=renamed)[list(renamed.values())])
    found = _replace_outputs(wrapped, answers, known, task)
    try:
        return Adapted(serialise(wrapped), renamed, found)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().splitlines()[0]
        raise Refused(STEP, [Problem("the graph", reason, "types and shapes that agree with each other")]) from error


def _without_zipmap(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take off what turns probabilities into a list of maps, which is no tensor and cannot be served."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for node in [node for node in model.graph.node if node.op_type == "ZipMap"]:
        model.graph.node.remove(node)
        for output in model.graph.output:
            if output.name == node.output[0]:
                output.CopyFrom(helper.make_tensor_value_info(node.input[0], TensorProto.FLOAT, [None, None]))
    return model


def _classes(model: onnx.ModelProto) -> tuple[str, ...] | None:
    for node in reversed(model.graph.node):  # the last classifier is the one that answers
        for attribute in node.attribute:
            if attribute.name.startswith("classlabels_"):
                labels = [label.decode() for label in attribute.strings] or [str(label) for label in attribute.ints]
                if labels:
                    return tuple(labels)
    return None


def _replace_inputs(
    model: onnx.ModelProto,
    inputs: Sequence[GraphInput],
    matched: Mapping[str, tuple[str, ...]],
    renamed: Mapping[str, str],
    features: pd.DataFrame,
) -> None:
    nodes = []
    for number, one in enumerate(inputs):
        parts = [renamed[name] for name in matched[one.name]]
        last, target = parts[0], _PREFIX + one.name
        if len(parts) > 1:
            last = f"inputs/{number}/joined"
            nodes.append(helper.make_node("Concat", parts, [last], axis=1))
        if one.flat:
            model.graph.initializer.append(helper.make_tensor(f"inputs/{number}/shape", TensorProto.INT64, [1], [-1]))
            nodes.append(helper.make_node("Reshape", [last, f"inputs/{number}/shape"], [f"inputs/{number}/flat"]))
            last = f"inputs/{number}/flat"
        same = one.kind in (TensorProto.FLOAT, TensorProto.STRING)
        nodes.append(
            helper.make_node("Identity", [last], [target])
            if same
            else helper.make_node("Cast", [last], [target], to=one.kind)
        )
    body = [*nodes, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(body)
    fed = {_PREFIX + one.name for one in inputs}
    for value in [value for value in model.graph.input if value.name in fed]:
        model.graph.input.remove(value)
    for name, new in renamed.items():
        kind = TensorProto.STRING if features[name].dtype == object else TensorProto.FLOAT
        model.graph.input.append(helper.make_tensor_value_info(new, kind, [None, 1]))


def _answers(model: onnx.ModelProto, features: pd.DataFrame) -> dict[str, npt.NDArray[np.generic]]:
    try:
        answers = Graph(model.SerializeToString()).answer(features)
    except Exception as error:  # onnxruntime's exceptions have no common base
        reason = str(error).strip().splitlines()[0]
        raise Refused(
            STEP, [Problem("onnxruntime", reason, "a graph it can load, and answer the sample with")]
        ) from error
    problems = []
    for name, values in answers.items():
        shown = name.removeprefix(_PREFIX)
        if not isinstance(values, np.ndarray) or values.ndim == 0 or len(values) != len(features):
            problems.append(Problem(f"output {shown}", "is no tensor with an answer for each row", _EXPECTED))
        elif values.dtype.kind == "f" and not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))[0])
            problems.append(Problem(f"output {shown}", f"is not finite for row {row} of the sample", "a number"))
    if problems:
        raise Refused(STEP, problems)
    return answers


def _replace_outputs(
    model: onnx.ModelProto,
    answers: Mapping[str, npt.NDArray[np.generic]],
    classes: tuple[str, ...] | None,
    task: str | None,
) -> tuple[str, ...] | None:
    """Name, shape and type the outputs as the contract does; return the classes."""
    numbers = [name for name, values in answers.items() if values.dtype.kind == "f"]
    others = [name for name in answers if name not in numbers]
    shown = ", ".join(f"{name.removeprefix(_PREFIX)} {list(values.shape)}" for name, values in answers.items())
    if len(numbers) != 1 or len(others) > 1:
        raise Refused(STEP, [Problem("outputs", f"are {shown}", _EXPECTED)])
    (score,) = numbers
    table = answers[score].reshape(len(answers[score]), -1)
    width = table.shape[1]
    del model.graph.output[:]
    if width == 1 and task == "binary_classification":
        score, table = _with_other_class(model, score, table)
        width = 2
    elif not others and width == 1:
        _node(model, "Cast", [score], "outputs/number", to=TensorProto.FLOAT)
        _reshape(model, "outputs/number", "prediction", [-1, 1])
        model.graph.output.append(helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1]))
        return None
    if width == 1 or table.min() < 0 or not np.allclose(table.sum(axis=1), 1, atol=1e-4):
        what = f"are {shown}, and {score.removeprefix(_PREFIX)} holds no probabilities (its rows do not add up to 1)"
        raise Refused(STEP, [Problem("outputs", what, f"{_EXPECTED}; put a Softmax behind scores")])
    _node(model, "Cast", [score], "outputs/scores", to=TensorProto.FLOAT)
    _reshape(model, "outputs/scores", "probabilities", [-1, width])
    if not others:
        _node(model, "ArgMax", ["probabilities"], "label", axis=1, keepdims=0)
        classes = classes or tuple(map(str, range(width)))
    else:
        classes = _index_labels(model, others[0], answers[others[0]], width, classes)
    if len(classes) != width:
        what = f"names {len(classes)} classes and gives {width} probabilities"
        raise Refused(STEP, [Problem("the graph", what, "a probability for each class")])
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, [None]))
    model.graph.output.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, width]))
    return classes


def _with_other_class(
    model: onnx.ModelProto, output: str, given: npt.NDArray[np.generic]
) -> tuple[str, npt.NDArray[np.generic]]:
    """Put the probability of class 0 before that of class 1, in the graph and in its answers ``[rows, 1]``."""
    yes = given.astype(np.float32)
    if yes.min() < 0 or yes.max() > 1:
        what = f"answers {yes.min():g} to {yes.max():g}"
        expected = "the probability of class 1, from 0 to 1; put a Sigmoid behind scores"
        raise Refused(STEP, [Problem(f"output {output.removeprefix(_PREFIX)}", what, expected)])
    _node(model, "Cast", [output], "outputs/number", to=TensorProto.FLOAT)
    _reshape(model, "outputs/number", "outputs/yes", [-1, 1])
    model.graph.initializer.append(helper.make_tensor("outputs/one", TensorProto.FLOAT, [1], [1.0]))
    _node(model, "Sub", ["outputs/one", "outputs/yes"], "outputs/no")
    _node(model, "Concat", ["outputs/no", "outputs/yes"], "outputs/both", axis=1)
    return "outputs/both", np.hstack([1 - yes, yes])


def _index_labels(
    model: onnx.ModelProto,
    output: str,
    labels: npt.NDArray[np.generic],
    width: int,
    classes: tuple[str, ...] | None,
) -> tuple[str, ...]:
    """Turn each label into the position of its class."""
    shown = f"output {output.removeprefix(_PREFIX)}"
    _reshape(model, output, "outputs/labels", [-1])
    given = {str(value) for value in labels.reshape(-1)}
    counted = tuple(map(str, range(width)))
    if labels.dtype.kind in "iub":
        classes = classes or counted
        _node(model, "Cast", ["outputs/labels"], "outputs/classes", to=TensorProto.INT64)
        if given <= set(counted) and not given <= set(classes):
            _node(model, "Identity", ["outputs/classes"], "label")  # False and True come as 0 and 1
            return classes
        numbered = all(name.removeprefix("-").isdecimal() for name in classes)
        if unknown := given - set(classes if numbered else ()):
            what = f"answers {', '.join(sorted(unknown)[:5])}"
            raise Refused(STEP, [Problem(shown, what, f"one of {', '.join(classes)}")])
        known = helper.make_tensor(
            "outputs/known", TensorProto.INT64, [1, len(classes)], [int(name) for name in classes]
        )
        model.graph.initializer.append(known)
        _reshape(model, "outputs/classes", "outputs/column", [-1, 1])
        _node(model, "Equal", ["outputs/column", "outputs/known"], "outputs/is")
        _node(model, "Cast", ["outputs/is"], "outputs/place", to=TensorProto.INT64)
        _node(model, "ArgMax", ["outputs/place"], "label", axis=1, keepdims=0)
        return classes
    if classes is None or given - set(classes):
        what = "answers strings, and no node of the graph lists them in the order of probabilities"
        raise Refused(STEP, [Problem(shown, what, "labels that are numbers, or a graph that names its classes")])
    version = next((opset.version for opset in model.opset_import if opset.domain == _ML), None)
    if version is None:
        version = 3
        model.opset_import.append(helper.make_opsetid(_ML, version))
    keys = (
        {"classes_strings": list(classes)}
        if version == 1
        else {"keys_strings": list(classes), "values_int64s": list(range(width))}
    )
    _node(model, "LabelEncoder", ["outputs/labels"], "label", domain=_ML, **keys)
    return classes


def _node(model: onnx.ModelProto, operator: str, inputs: list[str], output: str, **attributes: Any) -> None:
    model.graph.node.append(helper.make_node(operator, inputs, [output], **attributes))


def _reshape(model: onnx.ModelProto, source: str, target: str, shape: list[int]) -> None:
    name = f"{target}/shape"
    model.graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [len(shape)], shape))
    _node(model, "Reshape", [source, name], target)
