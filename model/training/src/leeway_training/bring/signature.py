"""What a graph that somebody else made takes, and how the columns of a sample reach it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import onnx
import pandas as pd
from google.protobuf.message import DecodeError
from onnx import TensorProto

from leeway_training.config import OUTPUTS
from leeway_training.errors import Problem, Refused

STEP = "read the graph"
_NUMBERS: dict[int, str] = {
    TensorProto.FLOAT: "float",
    TensorProto.DOUBLE: "double",
    TensorProto.FLOAT16: "float16",
    TensorProto.BOOL: "bool",
    TensorProto.INT8: "int8",
    TensorProto.INT16: "int16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.UINT8: "uint8",
}


@dataclass(frozen=True)
class GraphInput:
    """An input of the graph as it came.

    Attributes:
        name: in the graph.
        kind: an ONNX element type.
        width: values per row; None where any number goes.
        flat: whether its shape is ``[n]`` and not ``[n, width]``.
    """

    name: str
    kind: int
    width: int | None
    flat: bool

    @property
    def text(self) -> bool:
        """Whether it takes strings."""
        return self.kind == TensorProto.STRING


def read_graph(content: bytes) -> onnx.ModelProto:
    """Parse and check an ONNX file.

    Raises:
        Refused: it is none, holds its weights in other files, or uses an operator that its opset does not have.
    """
    try:
        model = onnx.load_from_string(content)
    except DecodeError as error:
        raise Refused(STEP, [Problem("--onnx", f"is no ONNX file: {error}", "a model.onnx")]) from error
    outside = sorted(
        tensor.name for tensor in _tensors(model.graph) if tensor.data_location == TensorProto.DataLocation.EXTERNAL
    )
    if outside:
        what = f"{len(outside)} tensors lie in other files (first {outside[0]})"
        expected = "one self-contained file: onnx.save(onnx.load(path), path) writes one"
        raise Refused(STEP, [Problem("--onnx", what, expected)])
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = str(error).strip().splitlines()[0]
        raise Refused(STEP, [Problem("--onnx", reason, "a model that the ONNX checker accepts")]) from error
    return model


def graph_inputs(model: onnx.ModelProto) -> list[GraphInput]:
    """List what must be fed: rows first, then at most one more axis.

    Raises:
        Refused: every input that rows of single values cannot be fed to.
    """
    constant = {tensor.name for tensor in model.graph.initializer}  # old graphs list them among the inputs
    found, problems = [], []
    for value in model.graph.input:
        if value.name in constant:
            continue
        kind, dims = value.type.tensor_type.elem_type, value.type.tensor_type.shape.dim
        where = f"input {value.name}"
        if kind not in _NUMBERS and kind != TensorProto.STRING:
            problems.append(Problem(where, "is no tensor of numbers or strings", "numbers or strings"))
        elif not 1 <= len(dims) <= 2:  # noqa: PLR2004 - rows and columns
            problems.append(Problem(where, f"has {len(dims)} axes", "[rows, 1], [rows] or [rows, features]"))
        elif dims[0].HasField("dim_value"):
            what = f"takes {dims[0].dim_value} rows, always"
            problems.append(Problem(where, what, "any number of rows: export it with a dynamic first axis"))
        else:
            flat = len(dims) == 1
            width = 1 if flat else dims[1].dim_value if dims[1].HasField("dim_value") else None
            found.append(GraphInput(value.name, kind, width, flat))
    if not found and not problems:
        problems.append(Problem("--onnx", "has no input", "one input per feature, or one of all features"))
    if problems:
        raise Refused(STEP, problems)
    return found


def match(inputs: list[GraphInput], features: pd.DataFrame) -> Mapping[str, tuple[str, ...]]:
    """Say which columns of the sample feed which input, in order.

    One input per feature is matched by name. A single input ``[n, k]`` takes all columns in the order of the sample,
    since nothing in the graph names them; so does a single ``[n, 1]`` if the sample has one column.

    Raises:
        Refused: every column that is missing, not expected, or of another kind.
    """
    names = [str(name) for name in features]
    if len(inputs) == 1 and (inputs[0].width != 1 or len(names) == 1):
        (one,) = inputs
        if one.width not in (None, len(names)):
            what = f"takes {one.width} values a row; the sample has {len(names)} columns ({', '.join(names)})"
            raise Refused(STEP, [Problem(f"input {one.name}", what, f"{one.width} columns in the order of training")])
        matched = {one.name: tuple(names)}
    else:
        problems = [
            Problem(f"input {one.name}", f"takes {one.width or 'any number of'} values a row", "1, beside other inputs")
            for one in inputs
            if one.width != 1
        ]
        expected = {one.name for one in inputs}
        problems += check_columns([one.name for one in inputs], names) if not problems else []
        if problems:
            raise Refused(STEP, problems)
        matched = {name: (name,) for name in names if name in expected}
    problems = [
        _wrong_kind(one, features[name])
        for one in inputs
        for name in matched[one.name]
        if one.text != (features[name].dtype == object)
    ]
    if problems:
        raise Refused(STEP, problems)
    return matched


def check_columns(expected: list[str], found: list[str]) -> list[Problem]:
    """Name every feature that the sample lacks and every column of it that is none."""
    shown = ", ".join(expected)
    missing = [Problem(f"column {name}", "is missing in the sample", "every input of the model") for name in expected]
    return [problem for problem, name in zip(missing, expected, strict=True) if name not in found] + [
        Problem(f"column {name}", "is no input of the model", f"{shown}, and what --time and --label name")
        for name in found
        if name not in expected
    ]


def clean(name: str) -> str:
    """Turn a column's name into one that requests, graphs and metrics can carry, and that no output has."""
    cleaned = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if cleaned in OUTPUTS:
        return f"{cleaned}_"
    return cleaned if re.match(r"[A-Za-z_]", cleaned) else f"_{cleaned}"


def _wrong_kind(one: GraphInput, column: "pd.Series[Any]") -> Problem:
    first = column.iloc[0]
    if one.text:
        return Problem(
            f"column {column.name}", f"holds numbers (first {first:g})", f"strings, as input {one.name} takes"
        )
    expected = f"numbers, as input {one.name} takes {_NUMBERS[one.kind]}"
    return Problem(f"column {column.name}", f"holds strings (first {first!r})", expected)


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)
