"""Which alerts keep others quiet, and that none goes quiet for another model, version or release."""

from pathlib import Path

import pytest
import yaml
from chart.rendering import CHART, Manifest

from alertmanager import pipeline
from alertmanager.alerts import alert
from alertmanager.conftest import Configured

FLIGHTS = {"model": "flights", "version": "1.0.0"}
FARES = {"model": "fares", "version": "1.0.0"}
JOB = "leeway/leeway-{}"
# What fires, and which of the others are then not sent.
QUIET: dict[str, tuple[Manifest, list[Manifest]]] = {
    "fast over slow": (
        alert("ModelAvailabilityBurnFast", model="flights"),
        [alert("ModelAvailabilityBurnSlow", model="flights"), alert("ModelErrors", model="flights", code="503")],
    ),
    "slow answers": (
        alert("ModelLatencyBurnFast", model="flights"),
        [alert("ModelLatencyBurnSlow", model="flights")],
    ),
    "nothing loaded": (
        alert("ModelNotLoaded", model="flights", reason="NothingLoaded"),
        [alert("ModelNoTraffic", model="flights")],
    ),
    "nothing loaded, nothing scraped": (
        alert("ModelNotLoaded", model="flights", reason="SlotNotLoaded"),
        [alert("TargetDown", pod="flights-a", **FLIGHTS)],
    ),
    "broken rows": (
        alert("DataQuality", detector="data_quality", **FLIGHTS),
        [
            alert("DriftAbrupt", detector="abrupt", **FLIGHTS),
            alert("DriftSlow", detector="slow", **FLIGHTS),
            alert("PredictionDrift", **FLIGHTS),
            alert("ModelDecay", **FLIGHTS),
            alert("CalibrationOff", **FLIGHTS),
        ],
    ),
    "no detector": (
        alert("DetectorDown"),
        [
            alert("TargetDown", job=JOB.format("drift-detector"), pod="leeway-drift-detector-0"),
            alert("DetectorBlind", **FLIGHTS),
            alert("DetectorCoverageLow", **FARES),
            alert("DetectorEventsLost", **FLIGHTS),
            alert("DataQuality", **FLIGHTS),
            alert("DriftAbrupt", **FARES),
            alert("DriftSlow", **FARES),
            alert("PredictionDrift", **FARES),
            alert("ModelDecay", **FARES),
            alert("CalibrationOff", **FARES),
        ],
    ),
    "no operator": (
        alert("OperatorNotReconciling"),
        [
            alert("TargetDown", job=JOB.format("operator"), pod="leeway-operator-0"),
            alert("RolloutHeldTooLong", model="flights"),
            alert("RolloutTrafficUnbalanced", model="fares"),
        ],
    ),
    "one model fails the operator": (
        alert("OperatorNotReconciling", model="flights"),
        [alert("RolloutHeldTooLong", model="flights")],
    ),
    "not scraped": (
        alert("TargetDown", pod="flights-a", **FLIGHTS),
        [alert("ModelNoTraffic", model="flights")],
    ),
}
# Beside the same alert, these are sent all the same.
LOUD: dict[str, tuple[Manifest, list[Manifest]]] = {
    "another subject": (
        alert("ModelAvailabilityBurnFast", model="flights"),
        [
            alert("ModelAvailabilityBurnSlow", model="fares"),
            alert("ModelAvailabilityBurnSlow", model="flights", model_namespace="team"),
            alert("ModelErrors", model="flights", code="422"),
            alert("ModelLatencyBurnFast", model="flights"),
        ],
    ),
    "what is critical": (
        alert("TargetDown", **FLIGHTS),
        [alert("ModelNotLoaded", model="flights"), alert("ModelAvailabilityBurnFast", model="flights")],
    ),
    "other rows": (
        alert("DataQuality", **FLIGHTS),
        [alert("DriftAbrupt", model="flights", version="1.1.0"), alert("ModelDecay", **FARES)],
    ),
    "what needs no detector": (
        alert("DetectorDown"),
        [
            alert("ModelErrors", model="flights", code="500"),
            alert("TargetDown", job=JOB.format("operator")),
            alert("TargetDown", **FLIGHTS),
            alert("RolloutRolledBack", model="flights"),
        ],
    ),
    "another model's rollout": (
        alert("OperatorNotReconciling", model="flights"),
        [alert("RolloutHeldTooLong", model="fares"), alert("TargetDown", job=JOB.format("operator"))],
    ),
    "another release": (
        alert("DetectorDown"),
        [{**alert("DriftAbrupt", **FLIGHTS), "labels": {"alertname": "DriftAbrupt", "namespace": "other", **FLIGHTS}}],
    ),
}


@pytest.fixture
def config(configured: Configured) -> Path:
    return configured({"watchdog": {"existingSecret": "heartbeat"}})


@pytest.mark.parametrize("case", QUIET)
def test_a_cause_keeps_its_effects_quiet(config: Path, case: str) -> None:
    cause, effects = QUIET[case]
    found = pipeline.deliver(config, [cause, *effects])
    assert found["inhibited"] == [effect["labels"] for effect in effects]
    assert not pipeline.deliver(config, effects)["inhibited"]


@pytest.mark.parametrize("case", QUIET)
def test_a_cause_that_is_over_keeps_nothing_quiet(config: Path, case: str) -> None:
    cause, effects = QUIET[case]
    over = {**cause, "endsAt": alert("x", resolved=True)["endsAt"]}
    assert not pipeline.deliver(config, [over, *effects])["inhibited"]


@pytest.mark.parametrize("case", LOUD)
def test_nothing_else_goes_quiet(config: Path, case: str) -> None:
    cause, others = LOUD[case]
    quiet = pipeline.deliver(config, [cause, *others])["inhibited"]
    assert not [other for other in others if other["labels"] in quiet]


def pairs() -> set[tuple[str, str]]:
    """Source and target of each of the chart's inhibitions."""
    found = set()
    for rule in yaml.safe_load((CHART / "files/alertmanager/inhibitions.yaml").read_text()):
        names = rule["target"]["alertname"]
        found |= {(rule["source"]["alertname"], name) for name in ([names] if isinstance(names, str) else names)}
    return found


def test_every_alert_of_an_inhibition_is_one_of_the_chart() -> None:
    known = {path.stem for path in (CHART / "files/rules/alerts").glob("*.yaml")}
    assert {name for pair in pairs() for name in pair} <= known


def test_no_inhibition_goes_untried() -> None:
    def name(one: Manifest) -> str:
        return str(one["labels"]["alertname"])

    tried = {(name(cause), name(effect)) for cause, effects in QUIET.values() for effect in effects}
    assert tried == pairs()
