"""What is shipped as an example works as it stands."""

import json
import re
import runpy
from pathlib import Path

from leeway_training.configfile import parse_config
from leeway_training.export import Graph
from leeway_training.v2 import features_of

HERE = Path(__file__).parents[1]


def test_the_smallest_configuration_of_the_readme_is_valid():
    text = re.search(r"```yaml\n(.*?)```", (HERE / "README.md").read_text(), re.DOTALL)
    assert parse_config(text[1]).model.name == "churn"


def test_two_models_as_people_have_them_become_bundles(tmp_path: Path):
    assert runpy.run_path(str(HERE / "examples" / "own_models.py"))["main"](tmp_path) == 0
    for name, task, metric, least in (
        ("wine", "multiclass_classification", "accuracy", 0.9),
        ("diabetes", "regression", "r2", 0.2),
    ):
        manifest = json.loads((tmp_path / name / "manifest.json").read_text())
        assert manifest["task"] == task
        assert manifest["metrics"][metric] > least
        graph = Graph((tmp_path / name / "model.onnx").read_bytes())
        cases = json.loads((tmp_path / name / "golden.json").read_text())["cases"]
        assert len(cases) >= 16
        for case in cases:
            answers = graph.answer(features_of(case["request"]))
            assert {one["name"]: one["shape"] for one in case["expected"]["outputs"]} == {
                output: list(values.shape) for output, values in answers.items()
            }
