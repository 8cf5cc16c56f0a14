"""The commands on real files: one digest for equal inputs, and nothing left behind when they refuse."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from leeway_training.bundle import Bundle
from leeway_training.cli import samples, train
from leeway_training.export import Graph
from leeway_training.v2 import features_of

from .world import CONFIG


@pytest.fixture
def config(tmp_path: Path, frame: pd.DataFrame):
    frame.to_csv(tmp_path / "deliveries.csv", index=False)
    path = tmp_path / "deliveries.yaml"
    path.write_text(CONFIG)
    return path


def _train(config: Path, output: Path, **environment: str) -> str:
    command = [sys.executable, "-c", "import sys; from leeway_training.cli import train; sys.exit(train())"]
    return subprocess.run(
        [*command, "--config", str(config), "--output", str(output)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_two_runs_give_one_digest(config: Path, tmp_path: Path):
    first = _train(config, tmp_path / "a", PYTHONHASHSEED="0", OMP_NUM_THREADS="1")
    second = _train(config, tmp_path / "b", PYTHONHASHSEED="2", OMP_NUM_THREADS="2", TZ="Asia/Tokyo")
    assert first == second
    for file in sorted((tmp_path / "a").iterdir()):
        if file.name != "provenance.json":
            assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_the_bundle_is_whole_readable_by_others_and_says_where_it_came_from(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert train(["--config", str(config), "--output", str(tmp_path / "out" / "bundle"), "--version", "2.0"]) == 0
    bundle = tmp_path / "out" / "bundle"
    manifest = json.loads((bundle / "manifest.json").read_text())
    provenance = json.loads((bundle / "provenance.json").read_text())
    assert {file.name for file in bundle.iterdir()} == {*manifest["files"], "manifest.json", "provenance.json"}
    assert manifest["version"] == provenance["config"]["model"]["version"] == "2.0"
    assert provenance["command"][-2:] == ["--version", "2.0"]
    assert list(bundle.parent.iterdir()) == [bundle]
    captured = capsys.readouterr()
    assert captured.out.startswith("sha256:")
    assert "[9/9] write" in captured.err


def test_another_table_takes_the_place_of_the_configured_one(
    config: Path, tmp_path: Path, frame: pd.DataFrame, capsys: pytest.CaptureFixture[str]
):
    frame.to_parquet(tmp_path / "other.parquet")
    (tmp_path / "deliveries.csv").unlink()
    options = ["--config", str(config), "--data", str(tmp_path / "other.parquet")]
    assert train([*options, "--output", str(tmp_path / "bundle")]) == 0
    assert train(["--config", str(config), "--data", "gone.csv", "--output", str(tmp_path / "none")]) == 1
    assert "data.table: gone.csv" in capsys.readouterr().err


def test_a_refusal_has_status_1_says_why_and_writes_nothing(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    output = tmp_path / "out" / "bundle"
    assert train(["--config", str(config), "--output", str(output), "--set", "gate.auc.at_least=0.999"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "leeway-train: refused at: quality gate" in captured.err
    assert not output.parent.exists()


def test_a_bundle_is_never_written_over(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "bundle").mkdir()
    assert train(["--config", str(config), "--output", str(tmp_path / "bundle")]) == 1
    assert "exists; expected a path that does not exist yet" in capsys.readouterr().err
    assert not any((tmp_path / "bundle").iterdir())


def test_samples_are_requests_the_model_answers(config: Path, tmp_path: Path, trained: Bundle):
    output = tmp_path / "samples.ndjson"
    assert samples(["--config", str(config), "--rows", "40", "--output", str(output)]) == 0
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(lines) == len({line["id"] for line in lines}) == 40
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert {line["label"] for line in lines} == {0, 1}
    graph = Graph(trained.files["model.onnx"])
    for line in lines:
        assert graph.answer(features_of(line["v2"]))["probabilities"].shape == (1, 2)
        assert line["instance"] == {part["name"]: part["data"][0] for part in line["v2"]["inputs"]}


@pytest.mark.parametrize("rows", ["0", "1000000"])
def test_more_samples_than_there_are_is_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: str
):
    assert samples(["--config", str(config), "--rows", rows, "--output", str(tmp_path / "x")]) == 1
    assert "the rows of the test period" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
