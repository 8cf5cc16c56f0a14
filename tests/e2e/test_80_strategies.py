"""What the API server takes as a strategy, and what it says to one that cannot work: the cases of strategies.yaml."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from story import NAMESPACE, Story

from cluster.shell import CommandFailedError

_CASES = yaml.safe_load((Path(__file__).parents[1] / "chart/strategies.yaml").read_text(encoding="utf-8"))


def _apply(story: Story, strategy: dict[str, Any]) -> dict[str, Any]:
    """Return the flights model's ModelRollout as it would be stored under another name with that strategy."""
    base = story.rollout()
    wished = {
        "apiVersion": base["apiVersion"],
        "kind": base["kind"],
        "metadata": {"name": "case", "namespace": NAMESPACE},
        "spec": {**base["spec"], "strategy": strategy},
    }
    apply = ("apply", "--server-side", "--dry-run=server", "--output=json", "--filename=-")
    stored: dict[str, Any] = json.loads(story.kube.kubectl(*apply, stdin=json.dumps(wished)))
    return stored


@pytest.mark.parametrize("name", _CASES["accepted"])
def test_a_strategy_that_can_work_is_taken_with_its_defaults(story: Story, name: str) -> None:
    strategy = _CASES["accepted"][name]

    stored = _apply(story, strategy)["spec"]["strategy"]

    assert _with(strategy, stored) == stored
    assert {"minRequests", "analysis", "approval", "probation", "rollbackWindow", "onRevert"} <= set(stored)


@pytest.mark.parametrize("name", _CASES["refused"])
def test_a_strategy_that_could_not_work_is_refused_with_the_reason(story: Story, name: str) -> None:
    case = _CASES["refused"][name]

    with pytest.raises(CommandFailedError) as refused:
        _apply(story, case["strategy"])

    assert case["message"] in str(refused.value)


def _with(wished: Any, stored: Any) -> Any:
    """Return what is wished with the defaults of what is stored: the same, if nothing of the wish was lost."""
    if isinstance(wished, dict) and isinstance(stored, dict):
        return {
            key: _with(wished[key], stored.get(key)) if key in wished else stored[key] for key in {*wished, *stored}
        }
    if isinstance(wished, list) and isinstance(stored, list) and len(wished) == len(stored):
        return [_with(*pair) for pair in zip(wished, stored, strict=True)]
    return wished
