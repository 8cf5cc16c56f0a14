"""From rows to a bundle: what it promises, and when there is none."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from leeway_training.bundle import Bundle
from leeway_training.config import Config
from leeway_training.dataset import build_dataset
from leeway_training.errors import Refused
from leeway_training.export import Graph, prove_parity, to_onnx
from leeway_training.pipeline import answers_of, fit
from leeway_training.v2 import features_of

from .world import Configure, Run

SCHEMAS = Path(__file__).parents[3] / "schemas"


def _check(name: str, document: object) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize("name", ["manifest", "golden"])
def test_the_examples_fit_their_schemas(name: str):
    _check(name, json.loads((SCHEMAS / "examples" / f"{name}.json").read_text()))


def test_every_document_fits_its_schema(every_task: tuple[Config, Bundle]):
    _, trained = every_task
    for name in ("manifest", "golden", "drift-profile"):
        _check(name, json.loads(trained.files[f"{name}.json"]))


def test_the_manifest_lists_every_other_file_and_names_the_bundle(every_task: tuple[Config, Bundle]):
    _, trained = every_task
    manifest = json.loads(trained.files["manifest.json"])
    others = {path: content for path, content in trained.files.items() if path != "manifest.json"}
    assert manifest["files"] == {
        path: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for path, content in others.items()
    }
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    assert trained.digest == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def test_the_graph_has_the_inputs_and_outputs_of_the_manifest(every_task: tuple[Config, Bundle]):
    _, trained = every_task
    manifest = json.loads(trained.files["manifest.json"])
    graph = onnx.load_from_string(trained.files["model.onnx"]).graph
    names = {onnx.TensorProto.FLOAT: "FP32", onnx.TensorProto.INT64: "INT64", onnx.TensorProto.STRING: "BYTES"}

    def described(value: onnx.ValueInfoProto) -> tuple[str, str, list[int]]:
        kind = value.type.tensor_type
        return value.name, names[kind.elem_type], [dim.dim_value or -1 for dim in kind.shape.dim]

    assert [described(value) for value in graph.input] == [(i["name"], i["dtype"], [-1, 1]) for i in manifest["inputs"]]
    assert [described(value) for value in graph.output] == [
        (output["name"], output["dtype"], output["shape"]) for output in manifest["outputs"]
    ]


def test_the_graph_lists_its_operator_sets_once_and_in_order(every_task: tuple[Config, Bundle]):
    # Their order is a set's in the converter: two runs that differ in nothing else would differ in their digest.
    _, trained = every_task
    domains = [opset.domain for opset in onnx.load_from_string(trained.files["model.onnx"]).opset_import]
    assert domains == sorted(set(domains))


def test_golden_requests_get_their_answers(every_task: tuple[Config, Bundle]):
    _, trained = every_task
    golden = json.loads(trained.files["golden.json"])
    graph = Graph(trained.files["model.onnx"])
    assert len(golden["cases"]) >= 16
    for case in golden["cases"]:
        answers = graph.answer(features_of(case["request"]))
        for expected in case["expected"]["outputs"]:
            given = answers[expected["name"]]
            assert list(given.shape) == expected["shape"]
            assert given.reshape(-1) == pytest.approx(expected["data"], abs=golden["tolerance"]["absolute"])
    assert any(None in part["data"] for case in golden["cases"] for part in case["request"]["inputs"])


def test_a_missing_number_and_an_unseen_category_are_answered(trained: Bundle):
    graph = Graph(trained.files["model.onnx"])
    rows = pd.DataFrame(
        {
            "load": np.array([50, 50, 50], np.float32),
            "wind": np.array([np.nan, 5, 5], np.float32),
            "side": np.array(["north"] * 3, object),
            "van": np.array(["v1", "v1", "brand new"], object),
        }
    )
    probabilities = graph.answer(rows)["probabilities"]
    assert np.isfinite(probabilities).all()
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_the_profile_counts_the_training_period(configure: Configure, frame: pd.DataFrame, trained: Bundle):
    train = build_dataset(frame, configure()).train
    profile = json.loads(trained.files["drift-profile.json"])
    assert profile["rows"] == len(train)
    assert profile["features"]["wind"]["nulls"] == int(train.features["wind"].isna().sum())
    assert list(profile["outputs"]) == ["label", "probabilities.0", "probabilities.1"]


def test_the_card_says_what_was_measured(trained: Bundle):
    card = trained.files["MODEL_CARD.md"].decode()
    assert "| auc | " in card
    assert f"{trained.metrics['auc']:.4f}" in card
    assert "rule `load > 100`" in card


def test_another_version_or_parameter_is_another_bundle(
    configure: Configure, run: Run, frame: pd.DataFrame, trained: Bundle
):
    renamed = run(configure('model.version="1.1.0"'), frame)
    weaker = run(configure("model.params.C=0.001"), frame)
    assert renamed.files["model.onnx"] == trained.files["model.onnx"]
    assert weaker.files["model.onnx"] != trained.files["model.onnx"]
    assert len({trained.digest, renamed.digest, weaker.digest}) == 3


def test_a_model_below_the_gate_is_refused(configure: Configure, run: Run, frame: pd.DataFrame):
    with pytest.raises(Refused, match=r"refused at: quality gate\n  - gate\.auc: 0\.\d+ on the test period"):
        run(configure("gate.auc.at_least=0.999"), frame)


@pytest.mark.parametrize(
    ("override", "named"),
    [("model.params.C=-1", "'C'"), ("model.params.depth=3", "depth"), ("model.params.max_iter=1", "raise max_iter")],
)
def test_parameters_the_estimator_cannot_use_are_refused(
    configure: Configure, run: Run, frame: pd.DataFrame, override: str, named: str
):
    with pytest.raises(Refused, match=named):
        run(configure(override), frame)


def test_a_graph_that_answers_otherwise_is_refused(configure: Configure, frame: pd.DataFrame):
    config = configure()
    data = build_dataset(frame, config)
    pipeline = fit(config, config.model.choices[0], data.train)
    answers = Graph(to_onnx(pipeline, config)).answer(data.test.features)
    wrong = {"label": 1 - answers["label"], "probabilities": answers["probabilities"] + np.float32(2e-6)}
    with pytest.raises(Refused) as refused:
        prove_parity(
            wrong,
            expected=answers_of(pipeline, data.test.features),
            labels=pipeline.predict(data.test.features),
        )
    assert f"label: differs in {len(data.test)} of {len(data.test)} rows" in str(refused.value)
    assert "differ by 2" in str(refused.value)
