from pathlib import Path
from typing import Any

import pytest
import yaml

from leeway_operators.core.strategy import Step
from leeway_operators.simulate.strategy_file import DEFAULTS, StrategyError, read_strategy, strategy_in

CRD = Path(__file__).parents[3] / "charts/leeway/charts/crds/crds/modelrollouts.yaml"
STEPS = [{"weight": 5, "hold": "2m"}, {"weight": 50}]


def strategy_schema() -> dict[str, Any]:
    """Of the kind, as the API server has it; its template's conditions are no YAML."""
    text = "\n".join(
        line for line in CRD.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("{{")
    )
    version = yaml.safe_load(text)["spec"]["versions"][0]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["strategy"]
    return schema


def defaults_of(schema: dict[str, Any]) -> dict[str, Any]:
    """What the API server fills in."""
    return {
        name: defaults_of(field) | field["default"] if "properties" in field else field["default"]
        for name, field in schema["properties"].items()
        if "default" in field
    }


def test_defaults_are_the_kind_s() -> None:
    found = defaults_of(strategy_schema())
    assert found == DEFAULTS


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "ModelRollout", "spec": {"model": {}, "strategy": {"steps": STEPS}}},
        {"strategy": {"steps": STEPS}},
        {"steps": STEPS},
        STEPS,
    ],
    ids=["a ModelRollout", "values of the chart", "spec.strategy", "steps"],
)
def test_a_strategy_is_found_in(document: object) -> None:
    found = strategy_in(document)
    assert [step.weight for step in found.steps] == [5, 50]
    assert (found.min_requests, found.alpha_rollback) == (100, 0.01)


def test_what_is_given_is_what_is_tried() -> None:
    found = strategy_in(
        {
            "steps": [{"weight": 0, "shadow": True, "hold": "10m"}, *STEPS],
            "minRequests": 20,
            "analysis": {"alpha": {"rollback": 0.05}, "gates": {"labels": {"margin": 0.05, "required": True}}},
        }
    )
    assert found.steps[0] == Step(weight=0, hold=found.steps[0].hold, shadow=True)
    assert (found.min_requests, found.alpha_rollback, found.alpha_promote) == (20, 0.05, 0.05)
    assert (found.gates["labels"].margin, found.gates["labels"].required) == (0.05, True)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "expected a ModelRollout, its spec.strategy or a list of steps, found nothing"),
        ("canary", "found a text"),
        ({"spec": {"model": {}}}, "expected a ModelRollout"),
        ({"steps": []}, "strategy.steps: none, so all traffic moves at once"),
        ({"match": {"header": "x", "value": "y"}}, "strategy.match: such a rollout never promotes by itself"),
        ({"step": STEPS}, "strategy.step: unknown field, expected one of analysis, approval"),
        ({"steps": [{"weight": 50}, {"weight": 50}]}, "strategy.steps[1].weight: 50: expected more than the 50"),
        ({"steps": [{"weight": 100}]}, "strategy.steps[0].weight: 100: expected 1 to 99"),
        ({"steps": [{"weight": "5"}]}, "strategy.steps[0]: expected weight, a whole number"),
        ({"steps": [{"weight": 5, "shadow": True}]}, "strategy.steps[0].weight: 5: a shadow step has weight 0"),
        ({"steps": [{"weight": 5, "hold": "2 min"}]}, "strategy.steps[0].hold: '2 min': expected a duration"),
        ({"steps": [{"weight": 5, "wait": "2m"}]}, "strategy.steps[0].wait: unknown field"),
        ({"steps": STEPS, "minRequests": "many"}, "strategy.minRequests: 'many': expected a whole number"),
        ({"steps": STEPS, "minRequests": -1}, "strategy.minRequests: -1: expected 0 or more"),
        ({"steps": STEPS, "analysis": []}, "strategy.analysis: expected fields, found a list"),
        (
            {"steps": STEPS, "analysis": {"alpha": {"rollback": 0}}},
            "analysis.alpha.rollback: 0: expected a number above",
        ),
        ({"steps": STEPS, "analysis": {"deadline": "1m"}}, "analysis.deadline: 1m is no longer than all holds"),
        ({"steps": STEPS, "analysis": {"interval": "0s"}}, "analysis.interval: expected a duration above 0"),
        (
            {"steps": STEPS, "analysis": {"onDeadline": "Wait"}},
            "analysis.onDeadline: 'Wait': expected Hold or Rollback",
        ),
        (
            {"steps": STEPS, "analysis": {"gates": {"error": {}}}},
            "gates.error: no gate, expected one of errors, latency",
        ),
        ({"steps": STEPS, "analysis": {"gates": {"errors": {"margin": -0.1}}}}, "gates.errors.margin: -0.1: expected"),
        ({"steps": STEPS, "analysis": {"gates": {"errors": None}}}, "gates.errors: expected fields, found nothing"),
    ],
)
def test_bad_input_is_named(document: object, message: str) -> None:
    with pytest.raises(StrategyError) as raised:
        strategy_in(document)
    assert message in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match=r"missing\.yaml: cannot be read"):
        read_strategy(tmp_path / "missing.yaml")
    (tmp_path / "broken.yaml").write_text("steps: [", encoding="utf-8")
    with pytest.raises(StrategyError, match=r"broken\.yaml: is no YAML"):
        read_strategy(tmp_path / "broken.yaml")
