"""The operator's metrics are those of the list, and say what the status says."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from leeway_operators.core.evidence import CounterReading, Counters, DetectorReading, Evidence, Missing
from leeway_operators.core.model import Analysis, Status
from leeway_operators.evidence.findings import Finding, Side
from leeway_operators.shell.metrics import Metrics
from leeway_operators.shell.reconcile import Reconciled
from tests.world import NAME, NAMESPACE, REPOSITORY, World, spec

KEY = (NAMESPACE, NAME)
WHERE = {"namespace": NAMESPACE, "model": NAME}
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
START = BEGAN.timestamp()
FINDINGS = (
    Finding(
        gate="errors",
        verdict="Insufficient",
        candidate=Side(n=10, mean=0.1),
        stable=Side(n=90, mean=0.0),
        estimate=0.1,
        lower=-0.02,
        margin=0.01,
        reason="not yet",
    ),
    Finding(gate="labels", verdict="Fail", candidate=Side(n=0), stable=Side(n=0), reason="worse"),
)


def scraped(world: World) -> CollectorRegistry:
    """What is exposed after two releases."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, lambda: START)
    for version in ("1", "2"):
        world.release(spec(version))
        for _ in range(12):
            metrics.reconciled(KEY, world.operator().reconcile(*KEY))
            world.tick()
    return registry


def looked(world: World, analysis: Analysis | None, evidence: Evidence | None) -> Reconciled:
    """A look that came to this."""
    world.release(spec())
    result = world.operator().reconcile(*KEY)
    assert result is not None
    return replace(result, after=replace(result.after, analysis=analysis), evidence=evidence)


def comparison(**changes: Any) -> Analysis:
    return Analysis(**{"began": BEGAN, "step": 0, "step_since": BEGAN, "findings": FINDINGS, **changes})


def evidence(**ages: float) -> Evidence:
    """Readings whose newest samples are so many seconds old at START."""
    servers = {
        pod: Counters(slot="a", time=START - age, requests=1, errors=0)
        for pod, age in ages.items()
        if pod != "detector"
    }
    end = datetime.fromtimestamp(START - ages["detector"], UTC).isoformat()
    ticks = ({"end": "2020-01-01T00:00:00Z"}, {"end": end})
    return Evidence(
        counters=CounterReading(servers=servers, ready={"a": "a", "b": "b"}),
        detector=DetectorReading(epoch="e", cursor="c", coverage={}, ticks=ticks),
    )


AWAY = Evidence(counters=Missing(reason="away"), detector=Missing(reason="away"))


def test_the_metrics_are_those_of_the_list() -> None:
    listed = yaml.safe_load((REPOSITORY / "schemas/metrics.yaml").read_text())["metrics"]
    expected = {
        (entry["name"], entry["type"], frozenset(entry["labels"]), entry["help"])
        for entry in listed
        if entry["component"] == "operators"
    }
    registry = CollectorRegistry()
    whole = tuple(replace(finding, lower=0.0, estimate=0.0, upper=0.0, margin=0.0) for finding in FINDINGS)
    held = ("TooFewRequests", "it got 3 of 100")
    result = looked(World(), comparison(findings=whole, held=held), evidence(a=1, b=2, detector=3))
    Metrics(registry, lambda: START).reconciled(KEY, result)
    exposed = {
        (
            family.name + ("_total" if family.type == "counter" else ""),
            family.type,
            frozenset(key for sample in family.samples for key in sample.labels if key != "le"),
            family.documentation,
        )
        for family in registry.collect()
    }
    assert {entry for entry in exposed if entry[0] != "leeway_rollout_weight"} == {
        entry for entry in expected if entry[0] != "leeway_rollout_weight"
    }
    (weight,) = (family for family in scraped(World()).collect() if family.name == "leeway_rollout_weight")
    assert ("leeway_rollout_weight", "gauge", frozenset(weight.samples[0].labels), weight.documentation) in expected


def test_weights_and_outcomes_are_those_of_the_rollout() -> None:
    registry = scraped(World())

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, WHERE | labels)

    assert value("leeway_rollout_weight", slot="b", version="2") == 100
    assert value("leeway_rollout_weight", slot="a", version="1") == 0
    assert value("leeway_rollout_phase", phase="Stable") == 1
    assert value("leeway_rollout_phase", phase="Failed") == 0
    assert value("leeway_rollout_outcomes_total", outcome="Promoted", reason="Verified") == 2
    assert value("leeway_rollout_outcomes_total", outcome="Undone", reason="Reverted") == 0


def test_a_gates_verdict_is_one_of_three_and_what_is_not_known_is_absent() -> None:
    registry = CollectorRegistry()
    Metrics(registry).reconciled(KEY, looked(World(), comparison(), None))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"leeway_rollout_gate_{name}", WHERE | labels)

    verdicts = {
        verdict: value("verdict", gate="errors", verdict=verdict) for verdict in ("Pass", "Fail", "Insufficient")
    }
    assert verdicts == {"Pass": 0, "Fail": 0, "Insufficient": 1}
    assert (value("estimate", gate="errors"), value("lower", gate="errors")) == (0.1, -0.02)
    assert value("upper", gate="errors") is None
    assert value("margin", gate="errors") == 0.01
    assert value("estimate", gate="labels") is None
    assert value("margin", gate="labels") is None


def test_evidence_ages_while_its_source_is_away() -> None:
    now = START
    registry, world = CollectorRegistry(), World()
    metrics = Metrics(registry, lambda: now)

    def age(source: str) -> float | None:
        return registry.get_sample_value("leeway_rollout_evidence_age_seconds", WHERE | {"source": source})

    metrics.reconciled(KEY, looked(world, comparison(), AWAY))
    assert (age("prometheus"), age("detector")) == (None, None)
    # Of pods that take traffic the one that was scraped longest ago; `c` is on its way out.
    metrics.reconciled(KEY, looked(world, comparison(), evidence(a=4, b=9, c=200, detector=20)))
    assert (age("prometheus"), age("detector")) == (9, 20)
    now = START + 60
    metrics.reconciled(KEY, looked(world, comparison(), AWAY))
    assert (age("prometheus"), age("detector")) == (69, 80)
    metrics.reconciled(KEY, looked(world, None, None))
    assert age("prometheus") is None
    metrics.reconciled(KEY, looked(world, comparison(), None))
    assert age("prometheus") is None


def test_what_holds_a_rollout_is_told_while_it_does() -> None:
    registry, world = CollectorRegistry(), World()
    metrics = Metrics(registry)

    def reasons() -> set[str]:
        samples = (sample for family in registry.collect() for sample in family.samples)
        return {sample.labels["reason"] for sample in samples if sample.name == "leeway_rollout_held"}

    for reason in ("TooFewRequests", "SampleRatioMismatch"):
        metrics.reconciled(KEY, looked(world, comparison(held=(reason, "why")), None))
        assert reasons() == {reason}
    metrics.reconciled(KEY, looked(world, comparison(), None))
    assert reasons() == set()


@pytest.mark.parametrize("end", [None, 3, "soon"])
def test_a_tick_without_a_time_has_no_age(end: object) -> None:
    registry = CollectorRegistry()
    broken = DetectorReading(epoch="e", cursor="c", coverage={}, ticks=({"end": end},))
    told = Evidence(counters=Missing(reason="away"), detector=broken)
    Metrics(registry).reconciled(KEY, looked(World(), comparison(), told))
    assert registry.get_sample_value("leeway_rollout_evidence_age_seconds", WHERE | {"source": "detector"}) is None


def test_a_rollout_that_is_gone_leaves_no_series() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.reconciled(KEY, looked(World(), comparison(), evidence(a=1, b=1, detector=1)))
    metrics.reconciled(KEY, None)
    left = [sample for family in registry.collect() for sample in family.samples if "model" in sample.labels]
    assert left == []


def test_a_rollout_that_never_was_looked_at_in_full_leaves_no_series() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.failed(KEY)
    metrics.reconciled(KEY, None)
    metrics.reconciled(KEY, None)
    assert registry.get_sample_value("leeway_rollout_reconcile_errors_total", WHERE) is None


def test_an_outcome_is_counted_once_although_its_look_failed_after_it_was_remembered() -> None:
    registry, world = CollectorRegistry(), World()
    metrics = Metrics(registry)
    world.release(spec())
    lost = None
    for _ in range(8):
        result = world.operator().reconcile(*KEY)
        assert result is not None
        if result.after.history and lost is None:
            lost = result  # the API server refused what came after the status
        else:
            metrics.reconciled(KEY, result)
        world.tick()
    assert lost is not None
    labels = WHERE | {"outcome": "Promoted", "reason": "Verified"}
    assert registry.get_sample_value("leeway_rollout_outcomes_total", labels) == 1


def test_a_status_without_a_comparison_has_no_gates() -> None:
    registry = CollectorRegistry()
    result = looked(World(), None, None)
    assert isinstance(result.after, Status)
    Metrics(registry).reconciled(KEY, result)
    gates = [family for family in registry.collect() if family.name.startswith("leeway_rollout_gate")]
    assert gates
    assert all(not family.samples for family in gates)
