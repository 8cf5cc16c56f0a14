"""Models that somebody trained elsewhere: a bundle of each by one command, served by the chart beside the flights."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from story import Caller, Story, eventually, feeds

from cluster import paths
from cluster.shell import run
from images.build import build_model, bundle_identity

_TRAINING = paths.REPOSITORY / "model/training"
_TASKS = {"diabetes": "regression", "iris": "multiclass_classification"}
_TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles of a regression and a classification of three kinds, of estimators in files."""
    folder = tmp_path_factory.mktemp("brought")

    def training(*arguments: str | Path) -> None:
        command = [paths.uv(), "run", "--frozen", "--no-dev", "--extra", "examples", *arguments]
        run(command, cwd=_TRAINING, env={"VIRTUAL_ENV": ""})

    training("python", Path(__file__).parent / "brought_models.py", folder)
    for name in _TASKS:
        training(
            "leeway-bundle", "--sklearn", folder / f"{name}.joblib", "--sample", folder / f"{name}.csv",
            "--label", "target", "--version", "1.0.0", "--name", name, "--output", folder / name,
        )  # fmt: skip
    return {name: folder / name for name in _TASKS}


@pytest.fixture(scope="module")
def served(story: Story, bundles: dict[str, Path]) -> Iterator[dict[str, Caller]]:
    """A caller of each model, once it serves."""
    models = {}
    for name, bundle in bundles.items():
        image = build_model(bundle, name)
        story.load(image.archive)
        version, digest = bundle_identity(bundle)
        model = {"storageUri": f"oci://{image.reference}", "version": version, "digest": digest}
        models[name] = {"model": model, "hostnames": [f"{name}.leeway.internal"]}
    with story.installed({"models": models}):
        callers = {name: story.caller(f"{name}.leeway.internal") for name in models}
        for name, caller in callers.items():
            eventually(lambda name=name: story.ready(name), seconds=150, what=f"the model {name}")
            request = _requests(bundles[name])[0]

            def answers(name: str = name, caller: Caller = caller, request: Any = request) -> bool:
                return caller.call(f"/v2/models/{name}/infer", request).status == 200

            eventually(answers, seconds=30, what=f"an answer of {name}")
        yield callers
        for caller in callers.values():
            caller.close()


def _requests(bundle: Path) -> list[dict[str, Any]]:
    golden = json.loads((bundle / "golden.json").read_text(encoding="utf-8"))
    return [case["request"] for case in golden["cases"]]


@pytest.mark.parametrize("name", _TASKS)
def test_a_model_of_another_task_answers_over_https_like_onnxruntime(
    served: dict[str, Caller], bundles: dict[str, Path], name: str
) -> None:
    bundle = bundles[name]
    assert json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["task"] == _TASKS[name]
    session = onnxruntime.InferenceSession(str(bundle / "model.onnx"), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    requests = _requests(bundle)
    assert len(requests) >= 16

    for request in requests:
        answer = served[name].call(f"/v2/models/{name}/infer", request)
        assert answer.status == 200, answer.error
        outputs = {tensor["name"]: tensor["data"] for tensor in answer.body["outputs"]}
        for output, expected in zip(names, session.run(names, feeds(request)), strict=True):
            difference = np.abs(np.array(outputs[output], dtype=np.float64) - expected.ravel().astype(np.float64))
            assert difference.max() <= _TOLERANCE * max(1.0, np.abs(expected).max()), output
