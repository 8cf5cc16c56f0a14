"""A fitted estimator that is there already: its bundle answers as it does, whatever it was fitted on."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from leeway_training.bundle_cli import bundle
from leeway_training.export import Graph

NUMBERS, TEXTS = ["load", "wind"], ["side", "van"]


@pytest.fixture
def rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Labelled deliveries; half of them in no particular order."""
    return frame.dropna(subset="delay").head(600).reset_index(drop=True)


def _mixed() -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("n", numbers, NUMBERS), ("t", OneHotEncoder(handle_unknown="ignore"), TEXTS)])


def _run(tmp_path: Path, model: Any, sample: pd.DataFrame, *options: str) -> int:
    joblib.dump(model, tmp_path / "My model.joblib")
    sample.to_parquet(tmp_path / "rows.parquet")
    files = ["--sklearn", str(tmp_path / "My model.joblib"), "--sample", str(tmp_path / "rows.parquet")]
    return bundle([*files, "--output", str(tmp_path / "bundle"), *options])


def _answers(tmp_path: Path, features: pd.DataFrame) -> dict[str, np.ndarray]:
    typed = {name: values if values.dtype == object else values.astype(np.float32) for name, values in features.items()}
    return Graph((tmp_path / "bundle" / "model.onnx").read_bytes()).answer(pd.DataFrame(typed))


def test_a_pipeline_over_numbers_and_words_with_gaps(tmp_path: Path, rows: pd.DataFrame):
    features = rows[NUMBERS + TEXTS].astype(dict.fromkeys(TEXTS, object))
    model = make_pipeline(_mixed(), LogisticRegression(max_iter=1000)).fit(features, rows["grade"])
    sample = features.assign(grade=rows["grade"].astype(str), at=rows["at"])[["at", "grade", *TEXTS, *NUMBERS]]
    assert _run(tmp_path, model, sample, "--label", "grade", "--time", "at") == 0
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert manifest["name"] == "my-model"
    assert manifest["classes"] == list(model.classes_) == ["due", "early", "late"]
    assert [(one["name"], one["nullable"]) for one in manifest["inputs"]] == [
        ("load", False), ("wind", True), ("side", False), ("van", False),
    ]  # fmt: skip
    assert manifest["metrics"]["accuracy"] == pytest.approx(model.score(features, rows["grade"]))
    answers = _answers(tmp_path, features)
    assert answers["probabilities"] == pytest.approx(model.predict_proba(features), abs=1e-6)
    assert [model.classes_[index] for index in answers["label"]] == list(model.predict(features))


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (LinearRegression(), "delay"),
        (RandomForestRegressor(20, random_state=0), "delay"),
        (HistGradientBoostingClassifier(max_iter=20, random_state=0), "late"),
        (CalibratedClassifierCV(LinearSVC()), "late"),
        (GaussianNB(), "late"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_plain_estimator_on_a_matrix(tmp_path: Path, rows: pd.DataFrame, model: Any, target: str):
    features = rows[NUMBERS].fillna(0).astype(np.float32)
    truth = rows["delay"] if target == "delay" else rows["delay"] > 10
    model.fit(features.to_numpy(), truth)
    assert _run(tmp_path, model, features.assign(truth=truth), "--label", "truth") == 0
    answers = _answers(tmp_path, features)
    if target == "delay":
        assert answers["prediction"][:, 0] == pytest.approx(model.predict(features.to_numpy()), rel=1e-4, abs=1e-4)
    else:
        assert answers["probabilities"] == pytest.approx(model.predict_proba(features.to_numpy()), abs=1e-5)


def test_equal_files_give_equal_bundles(tmp_path: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]):
    model = LinearRegression().fit(rows[["load"]], rows["delay"])
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert _run(tmp_path / name, model, rows[["load"]]) == 0
    first, second = capsys.readouterr().out.split()
    assert first == second


def test_rows_are_kept_only_if_asked_for(tmp_path: Path, rows: pd.DataFrame):
    model = LinearRegression().fit(rows[["load"]], rows["delay"])
    for name, options in (("kept", []), ("none", ["--keep-rows", "0"])):
        (tmp_path / name).mkdir()
        assert _run(tmp_path / name, model, rows[["load"]], *options) == 0
    assert (tmp_path / "kept" / "bundle" / "drift-reference.npz").exists()
    assert not (tmp_path / "none" / "bundle" / "drift-reference.npz").exists()


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda x, y: LogisticRegression(), "holds a LogisticRegression that is not fitted"),  # noqa: ARG005
        (lambda x, y: {"model": 1}, "holds a dict; expected a scikit-learn classifier or regressor"),  # noqa: ARG005
        (lambda x, y: KMeans(2, n_init=1).fit(x), "holds a KMeans; expected a classifier or a regressor"),  # noqa: ARG005
        (lambda x, y: LinearSVC().fit(x, y > 0), "has no predict_proba"),
        (lambda x, y: LinearRegression().fit(x, np.column_stack([y, y])), "answers 2 values a row"),
        (lambda x, y: LinearRegression().fit(x.assign(third=1.0), y), "column third: is missing in the sample"),
        (lambda x, y: LinearRegression().fit(x.assign(t=1.0).to_numpy(), y), "takes 3 columns; the sample has 2"),
        (lambda x, y: LinearRegression().fit(x[["load"]], y), "column wind: is no input of the model"),
        (
            lambda x, y: make_pipeline(FunctionTransformer(np.cbrt), LinearRegression()).fit(x.to_numpy(), y),
            "skl2onnx",
        ),
        (lambda x, y: LocalOutlierFactor(novelty=True).fit(x), "expected a classifier or a regressor"),  # noqa: ARG005
    ],
)
def test_what_cannot_be_served_is_refused_by_name(
    tmp_path: Path,
    rows: pd.DataFrame,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[pd.DataFrame, pd.Series], Any],
    named: str,
):
    features = rows[NUMBERS].fillna(0)
    model = make(features, rows["delay"])
    assert _run(tmp_path, model, features) == 1
    assert named in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_words_need_a_column_transformer(tmp_path: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]):
    model = LinearRegression().fit(rows[NUMBERS].fillna(0).to_numpy(), rows["delay"])
    assert _run(tmp_path, model, rows[["load", "side"]].astype({"side": object})) == 1
    assert "strings in side" in capsys.readouterr().err


def test_a_file_is_never_fetched_nor_guessed(tmp_path: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]):
    rows[["load"]].to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "text.joblib").write_text("no estimator")
    for model, named in (
        ("https://example.com/model.joblib", "expected a file on this machine"),
        (str(tmp_path / "text.joblib"), "cannot be read"),
    ):
        assert (
            bundle(["--sklearn", model, "--sample", str(tmp_path / "rows.parquet"), "--output", str(tmp_path / "o")])
            == 1
        )
        assert named in capsys.readouterr().err


def test_an_estimator_of_another_version_is_named_in_the_card(
    tmp_path: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]
):
    joblib.dump(LinearRegression().fit(rows[["load"]], rows["delay"]), tmp_path / "old.joblib")
    other = "0" * len(sklearn.__version__)
    written = (tmp_path / "old.joblib").read_bytes()
    (tmp_path / "old.joblib").write_bytes(written.replace(sklearn.__version__.encode(), other.encode()))
    rows[["load"]].to_parquet(tmp_path / "rows.parquet")
    options = ["--sklearn", str(tmp_path / "old.joblib"), "--sample", str(tmp_path / "rows.parquet")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bundle([*options, "--output", str(tmp_path / "bundle")]) == 0
    assert f"Written with scikit-learn {other}" in capsys.readouterr().err
    assert f"Written with scikit-learn {other}" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()


def test_context_and_task_reach_the_bundle_from_the_command_line(
    tmp_path: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]
):
    features = rows[NUMBERS].fillna(0)
    model = LinearRegression().fit(features, rows["delay"])
    assert _run(tmp_path, model, features, "--context", "wind") == 0
    assert json.loads((tmp_path / "bundle" / "drift-profile.json").read_text())["context"] == ["wind"]
    assert _run(tmp_path / "bundle", model, features, "--task", "regression") == 1
    assert "--task: is regression; expected no task: the estimator says it" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--name", "No Name"], ["--version", "1 0"]])
def test_names_that_no_cluster_takes_are_refused(
    tmp_path: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str], option: list[str]
):
    model = LinearRegression().fit(rows[["load"]], rows["delay"])
    assert _run(tmp_path, model, rows[["load"]], *option) == 1
    assert option[0] in capsys.readouterr().err
