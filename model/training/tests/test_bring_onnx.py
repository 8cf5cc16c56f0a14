"""An ONNX file that is there already becomes a bundle that answers as the file did, or is refused by name."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from leeway_training.bring.make import STEPS, Identity, bundle_onnx
from leeway_training.bring.sample import take_sample
from leeway_training.bring.signature import clean, read_graph
from leeway_training.bundle import Bundle
from leeway_training.errors import Refused
from leeway_training.export import Graph
from leeway_training.progress import Progress

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
ROWS = pd.DataFrame({"a": np.linspace(-2, 2, 40), "b": np.linspace(3, 1, 40)})
CENTRED = ROWS.assign(b=ROWS["b"] - 2)


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[tuple[str, int, list[int | None]]],
    outputs: list[tuple[str, int, list[int | None]]],
    **constants: np.ndarray,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _sum() -> onnx.ModelProto:
    return _model(
        [helper.make_node("Add", ["a", "b"], ["sum"])],
        [("a", FLOAT, [None, 1]), ("b", FLOAT, [None, 1])],
        [("sum", FLOAT, [None, 1])],
    )


def _matrix(
    last: list[onnx.NodeProto], outputs: list[tuple[str, int, list[int | None]]], columns: int
) -> onnx.ModelProto:
    weights = np.arange(2 * columns, dtype=np.float32).reshape(2, columns) / 7
    times = helper.make_node("MatMul", ["x", "w"], ["scores"])
    return _model([times, *last], [("x", FLOAT, [None, 2])], outputs, w=weights)


def _scores(columns: int) -> onnx.ModelProto:
    return _matrix([], [("scores", FLOAT, [None, columns])], columns)


def _bundle(
    model: onnx.ModelProto | bytes, frame: pd.DataFrame = ROWS, *, task: str | None = None, **columns: Any
) -> Bundle:
    content = model if isinstance(model, bytes) else model.SerializeToString()
    sample = take_sample(frame, **{"time": None, "label": None, **columns})
    identity = Identity("theirs", "1.0.0", "A model.", "rows.csv", "0" * 64)
    progress = Progress(STEPS, stream=StringIO(), clock=lambda: 0.0)
    return bundle_onnx(content, sample, identity, keep_rows=100, progress=progress, task=task)


def _manifest(bundle: Bundle) -> dict[str, object]:
    return json.loads(bundle.files["manifest.json"])


def test_one_input_per_feature_answers_as_before():
    bundle = _bundle(_sum(), ROWS[["b", "a"]])
    answers = Graph(bundle.files["model.onnx"]).answer(ROWS.astype(np.float32))
    assert answers["prediction"][:, 0] == pytest.approx(ROWS["a"] + ROWS["b"], rel=1e-6)
    assert _manifest(bundle)["task"] == "regression"


def test_a_matrix_takes_the_columns_in_the_order_of_the_sample():
    theirs = _scores(1)
    bundle = _bundle(theirs, ROWS[["b", "a"]])
    assert [one["name"] for one in _manifest(bundle)["inputs"]] == ["b", "a"]
    session = ort.InferenceSession(theirs.SerializeToString())
    expected = session.run(None, {"x": ROWS[["b", "a"]].to_numpy(np.float32)})[0]
    assert Graph(bundle.files["model.onnx"]).answer(ROWS.astype(np.float32))["prediction"] == pytest.approx(expected)


def test_other_number_types_flat_inputs_and_awkward_names_reach_the_graph():
    theirs = _model(
        [
            helper.make_node("Cast", ["no. of rooms"], ["rooms"], to=TensorProto.DOUBLE),
            helper.make_node("Add", ["rooms", "1st"], ["sum"]),
        ],
        [("no. of rooms", INT64, [None]), ("1st", TensorProto.DOUBLE, [None])],
        [("sum", TensorProto.DOUBLE, [None])],
    )
    frame = pd.DataFrame({"no. of rooms": np.arange(20), "1st": np.arange(20) / 4})
    bundle = _bundle(theirs, frame)
    graph = Graph(bundle.files["model.onnx"])
    asked = pd.DataFrame({"no__of_rooms": np.float32([3]), "_1st": np.float32([0.25])})
    assert graph.answer(asked)["prediction"].tolist() == [[3.25]]
    assert "| no__of_rooms | no. of rooms |" in bundle.files["MODEL_CARD.md"].decode()


def test_a_feature_may_be_called_like_a_tensor_inside_the_graph():
    bundle = _bundle(_scores(1), ROWS.rename(columns={"a": "scores", "b": "prediction"}))
    assert [one["name"] for one in _manifest(bundle)["inputs"]] == ["scores", "prediction_"]


def test_probabilities_alone_get_a_label():
    softmax = helper.make_node("Softmax", ["scores"], ["p"], axis=1)
    bundle = _bundle(_matrix([softmax], [("p", FLOAT, [None, 3])], 3))
    answers = Graph(bundle.files["model.onnx"]).answer(ROWS.astype(np.float32))
    assert np.array_equal(answers["label"], answers["probabilities"].argmax(axis=1))
    assert _manifest(bundle)["classes"] == ["0", "1", "2"]


def _sigmoid(*labels: onnx.NodeProto) -> onnx.ModelProto:
    outputs: list[tuple[str, int, list[int | None]]] = [("p", FLOAT, [None, 1])]
    if labels:
        outputs.append(("l", INT64, [None, 1]))
    return _matrix([helper.make_node("Sigmoid", ["scores"], ["p"]), *labels], outputs, 1)


@pytest.mark.parametrize("labelled", [False, True])
def test_one_probability_a_row_becomes_that_of_each_class_if_the_caller_says_so(labelled: bool):  # noqa: FBT001
    label = helper.make_node("Cast", ["rounded"], ["l"], to=INT64)
    theirs = _sigmoid(*([helper.make_node("Round", ["p"], ["rounded"]), label] if labelled else []))
    expected = ort.InferenceSession(theirs.SerializeToString()).run(["p"], {"x": CENTRED.to_numpy(np.float32)})[0]
    truth = (expected[:, 0] > 0.5).astype(bool)
    bundle = _bundle(theirs, CENTRED.assign(truth=truth), task="binary_classification", label="truth")
    answers = Graph(bundle.files["model.onnx"]).answer(CENTRED.astype(np.float32))
    assert answers["probabilities"] == pytest.approx(np.hstack([1 - expected, expected]))
    assert np.array_equal(answers["label"], truth)
    assert 0 < truth.sum() < truth.size
    manifest = _manifest(bundle)
    assert (manifest["task"], manifest["classes"]) == ("binary_classification", ["0", "1"])
    assert (bundle.metrics["accuracy"], bundle.metrics["auc"]) == (1, 1)


def test_without_a_word_of_the_caller_one_number_a_row_is_regression():
    assert _manifest(_bundle(_sigmoid()))["task"] == "regression"


@pytest.mark.parametrize(
    ("model", "task", "named"),
    [
        (_scores(1), "binary_classification", "the probability of class 1, from 0 to 1; put a Sigmoid behind scores"),
        (_sum(), "multiclass_classification", "--task: says multiclass_classification; expected regression"),
        (_scores(3), "regression", "holds no probabilities"),
    ],
    ids=["scores", "a number", "a matrix"],
)
def test_a_task_that_the_answers_contradict_is_refused(model: onnx.ModelProto, task: str, named: str):
    with pytest.raises(Refused) as refused:
        _bundle(model, CENTRED, task=task)
    assert named in str(refused.value)


def test_context_is_profiled_by_its_name_in_the_bundle_and_raises_no_alarm():
    frame = ROWS.rename(columns={"b": "day of week"})
    bundle = _bundle(_scores(1), frame, context=("day of week",))
    assert json.loads(bundle.files["drift-profile.json"])["context"] == ["day_of_week"]
    with pytest.raises(Refused, match="--context: hour is no feature of the sample; expected one of a, b"):
        _bundle(_scores(1), ROWS, context=("hour",))
    with pytest.raises(Refused, match="--context: at is no feature"):
        _bundle(_sum(), ROWS.assign(at="2024-01-01"), time="at", context=("at",))


@pytest.mark.parametrize(
    ("kind", "values"),
    [("strings", ["low", "mid", "high"]), ("int64s", [10, 20, 40])],
    ids=["words", "numbers with gaps"],
)
@pytest.mark.parametrize("zipped", [False, True], ids=["tensor", "ZipMap"])
def test_labels_become_positions_of_their_classes(kind: str, values: list[str] | list[int], zipped: bool):  # noqa: FBT001
    coefficients = {"coefficients": [1.0, 0, -1, 0, 0, 0], "intercepts": [0.0, 0, 1]}
    names = {f"classlabels_{'strings' if kind == 'strings' else 'ints'}": values}
    nodes = [
        helper.make_node(
            "LinearClassifier",
            ["x"],
            ["l", "p"],
            domain="ai.onnx.ml",
            post_transform="SOFTMAX",
            **coefficients,
            **names,
        )
    ]
    outputs = [("l", STRING if kind == "strings" else INT64, [None]), ("p", FLOAT, [None, 3])]
    theirs = _model(nodes, [("x", FLOAT, [None, 2])], outputs)
    label, expected = ort.InferenceSession(theirs.SerializeToString()).run(None, {"x": ROWS.to_numpy(np.float32)})
    if zipped:
        nodes.append(helper.make_node("ZipMap", ["p"], ["z"], domain="ai.onnx.ml", **{f"classlabels_{kind}": values}))
        theirs.graph.node.append(nodes[-1])
        theirs.graph.output[1].Clear()
        theirs.graph.output[1].name = "z"
        key = helper.make_tensor_type_proto(FLOAT, None)
        mapped = helper.make_map_type_proto(STRING if kind == "strings" else INT64, key)
        theirs.graph.output[1].type.CopyFrom(helper.make_sequence_type_proto(mapped))
    bundle = _bundle(theirs, ROWS.assign(truth=label), label="truth")
    answers = Graph(bundle.files["model.onnx"]).answer(ROWS.astype(np.float32))
    assert answers["probabilities"] == pytest.approx(expected)
    assert [values[index] for index in answers["label"]] == list(label)
    assert len(set(label)) == 3
    assert _manifest(bundle)["classes"] == [str(value) for value in values]
    assert bundle.metrics["accuracy"] == 1


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda: (b"not a model", ROWS), "is no ONNX file"),
        (lambda: (b"", ROWS), "--onnx"),
        (lambda: (_sum(), ROWS.head(15)), "15 rows; expected at least 16"),
        (lambda: (_sum(), ROWS[["a"]].assign(c=1.0, d=2.0)), "column b: is missing in the sample"),
        (lambda: (_sum(), ROWS[["a"]].assign(c=1.0, d=2.0)), "column d: is no input of the model"),
        (lambda: (_sum(), ROWS.assign(b="three")), "column b: holds strings (first 'three'); expected numbers"),
        (lambda: (_sum(), ROWS.assign(b=np.where(ROWS["a"] > 0, None, "x"))), "column b: 20 of 40 rows hold no string"),
        (lambda: (_sum(), ROWS.assign(b=np.inf)), "column b: row 0 holds inf"),
        (lambda: (_sum(), ROWS.assign(b=np.nan)), "output sum: is not finite for row 0"),
        (lambda: (_scores(1), ROWS.assign(c=1.0)), "takes 2 values a row; the sample has 3"),
        (lambda: (_scores(3), ROWS), "holds no probabilities"),
        (lambda: (_two_outputs(), ROWS), "outputs: are sum [40, 1], a_again [40, 1]"),
        (lambda: (_unknown_operator(), ROWS), "Frobnicate"),
        (lambda: (_external(), ROWS), "tensors lie in other files (first w)"),
        (lambda: (_one_row_only(), ROWS), "takes 1 rows, always"),
        (lambda: (_contradiction(), ROWS), "the graph: "),
        (lambda: (_sum(), ROWS.rename(columns={"a": "b "})), "column a: is missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_refused_by_name(
    damage: Callable[[], tuple[onnx.ModelProto | bytes, pd.DataFrame]], named: str
):
    model, frame = damage()
    with pytest.raises(Refused) as refused:
        _bundle(model, frame)
    assert named in str(refused.value)


def _two_outputs() -> onnx.ModelProto:
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Identity", ["a"], ["a_again"])]
    inputs = [("a", FLOAT, [None, 1]), ("b", FLOAT, [None, 1])]
    return _model(nodes, inputs, [("sum", FLOAT, [None, 1]), ("a_again", FLOAT, [None, 1])])


def _unknown_operator() -> onnx.ModelProto:
    model = _sum()
    model.graph.node[0].op_type, model.graph.node[0].domain = "Frobnicate", "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model


def _external() -> onnx.ModelProto:
    model = _scores(1)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "../../etc/passwd")
    model.graph.initializer[0].ClearField("raw_data")
    return model


def _one_row_only() -> onnx.ModelProto:
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"])]
    return _model(nodes, [("a", FLOAT, [1, 1]), ("b", FLOAT, [1, 1])], [("sum", FLOAT, [1, 1])])


def _contradiction() -> onnx.ModelProto:
    model = _sum()
    model.graph.node.append(helper.make_node("Relu", ["sum"], ["positive"]))
    model.graph.output[0].name = "positive"
    model.graph.value_info.append(helper.make_tensor_value_info("sum", FLOAT, [None, 7]))
    return model


def test_yes_and_no_with_gaps_is_a_number_that_may_be_missing():
    filled = helper.make_node("IsNaN", ["b"], ["gap"])
    chosen = helper.make_node("Where", ["gap", "a", "b"], ["out"])
    inputs = [("a", FLOAT, [None, 1]), ("b", FLOAT, [None, 1])]
    frame = ROWS.assign(b=[True, False, None, True] * 10)
    bundle = _bundle(_model([filled, chosen], inputs, [("out", FLOAT, [None, 1])]), frame)
    kinds = {one["name"]: (one["kind"], one["nullable"]) for one in _manifest(bundle)["inputs"]}
    assert kinds == {"a": ("numeric", False), "b": ("numeric", True)}


def test_two_columns_that_would_get_one_name_are_refused():
    with pytest.raises(Refused, match=r"a b, a\.b get one name"):
        _bundle(_scores(1), ROWS.set_axis(["a b", "a.b"], axis=1))


def test_a_label_that_the_model_does_not_know_is_refused():
    softmax = helper.make_node("Softmax", ["scores"], ["p"], axis=1)
    theirs = _matrix([softmax], [("p", FLOAT, [None, 3])], 3)
    with pytest.raises(Refused, match="column truth: holds '7'; expected one of 0, 1, 2"):
        _bundle(theirs, ROWS.assign(truth=7), label="truth")


def test_rows_are_put_in_order_of_time_and_unknown_labels_count_for_nothing():
    times = pd.date_range("2024-01-01", periods=40, freq="h", tz="UTC")[::-1]
    frame = ROWS.assign(at=times.strftime("%Y-%m-%dT%H:%M:%SZ"), truth=ROWS["a"] + ROWS["b"])
    frame.loc[3, "truth"] = np.nan
    bundle = _bundle(_sum(), frame, time="at", label="truth")
    assert _manifest(bundle)["data"]["time_span"] == ["2024-01-01T00:00:00Z", "2024-01-02T15:00:00Z"]
    assert bundle.metrics["mae"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("column", [np.arange(40), ["soon"] * 40], ids=["numbers", "words"])
def test_what_is_no_time_is_refused(column: object):
    with pytest.raises(Refused, match=r"column at: .*; expected ISO 8601"):
        _bundle(_sum(), ROWS.assign(at=column), time="at")


def test_columns_named_on_the_command_line_must_be_there():
    with pytest.raises(Refused) as refused:
        _bundle(_sum(), time="when", label="truth")
    assert "--time: column when is not in the sample" in str(refused.value)
    assert "--label: column truth is not in the sample" in str(refused.value)


@given(st.binary(max_size=400))
@settings(max_examples=200)
def test_bytes_that_are_no_model_are_refused_and_never_crash(content: bytes):
    with pytest.raises(Refused):
        read_graph(content)


@given(st.text(min_size=1, max_size=20))
def test_every_column_gets_a_name_that_a_manifest_may_hold(name: str):
    assert clean(name).isidentifier()
    assert clean(name).isascii()
    assert clean(clean(name)) == clean(name)
