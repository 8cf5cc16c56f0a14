"""The shipped example on its real data: 336,776 flights."""

import json
from pathlib import Path

import pytest

from leeway_training.cli import train


def test_flights_pass_their_gate_and_beat_the_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert train(["--output", str(tmp_path / "flights")]) == 0
    manifest = json.loads((tmp_path / "flights" / "manifest.json").read_text())
    assert manifest["data"]["rows"] == 336_776
    assert manifest["metrics"]["auc"] >= 0.895
    assert manifest["metrics"]["log_loss"] <= 0.262
    assert "train 160,678, validate 57,049, test 109,619 rows" in capsys.readouterr().err
    example = json.loads((Path(__file__).parents[3] / "schemas" / "examples" / "manifest.json").read_text())
    # The example is this bundle: hashes and the last digits of metrics may differ between processors, nothing else.
    assert manifest.keys() == example.keys()
    for key in ("name", "task", "inputs", "outputs", "classes", "data", "time_column", "decision_threshold"):
        assert manifest[key] == example[key]
    assert manifest["metrics"] == pytest.approx(example["metrics"], abs=1e-4)
