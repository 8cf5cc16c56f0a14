"""The operator's metrics, as schemas/metrics.yaml lists them."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from leeway_operators.core.evidence import CounterReading, DetectorReading, Evidence
from leeway_operators.core.model import OUTCOME_REASONS, PHASES, Status
from leeway_operators.evidence.findings import Finding, Verdict
from leeway_operators.shell.queue import Key
from leeway_operators.shell.reconcile import Reconciled

_MODEL = ["namespace", "model"]


class Metrics(Collector):
    """Gauges are read from the last status of each rollout, so what is gone leaves no series behind."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.time) -> None:
        """Register with `registry`; `clock` is in seconds since 1970."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # untyped there
        self._clock = clock
        self._last: dict[Key, Status] = {}
        self._newest: dict[Key, Mapping[str, float]] = {}
        self._outcomes = Counter(
            "leeway_rollout_outcomes_total", "Finished rollouts.", [*_MODEL, "outcome", "reason"], registry=registry
        )
        self._errors = Counter(
            "leeway_rollout_reconcile_errors_total",
            "Reconciliations that ended in an error and are tried again.",
            _MODEL,
            registry=registry,
        )
        self.duration = Histogram(
            "leeway_rollout_reconcile_duration_seconds", "Time of one reconciliation.", registry=registry
        )
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        phase = GaugeMetricFamily(
            "leeway_rollout_phase", "1 for the phase the rollout is in.", labels=[*_MODEL, "phase"]
        )
        weight = GaugeMetricFamily(
            "leeway_rollout_weight",
            "Share of traffic the route gives the slot in percent.",
            labels=[*_MODEL, "slot", "version"],
        )
        age = GaugeMetricFamily(
            "leeway_rollout_evidence_age_seconds",
            "Age of the newest evidence from a source while a comparison is under way.",
            labels=[*_MODEL, "source"],
        )
        held = GaugeMetricFamily(
            "leeway_rollout_held", "1 while something holds the rollout.", labels=[*_MODEL, "reason"]
        )
        findings: list[tuple[Key, Finding]] = []
        # Copies: workers write while the scrape reads.
        for key, status in tuple(self._last.items()):
            for name in PHASES:
                phase.add_metric([*key, name], float(name == status.phase))
            for arm in (status.stable, status.candidate, status.previous):
                if arm is None or (arm is status.previous and _same_slot(status)):
                    continue
                weight.add_metric([*key, arm.slot, arm.release.version], float(status.weights.of(arm.slot)))
            if status.analysis is not None:
                findings += [(key, finding) for finding in status.analysis.findings]
                if status.analysis.held is not None:
                    held.add_metric([*key, status.analysis.held[0]], 1.0)
                for source, newest in self._newest.get(key, {}).items():
                    age.add_metric([*key, source], max(self._clock() - newest, 0.0))
        yield from (phase, weight, age, held, *_gates(findings))

    def reconciled(self, key: Key, result: Reconciled | None) -> None:
        """Take over what came of a reconciliation."""
        if result is None:
            self._forget(key)
            return
        # What a look remembered before it failed is counted now.
        counted = self._last.get(key, result.before).history
        if key not in self._last:
            for outcome, reasons in OUTCOME_REASONS.items():
                for reason in reasons:
                    self._outcomes.labels(*key, outcome, reason)
            self._errors.labels(*key)
        self._last[key] = result.after
        if result.after.analysis is None:
            self._newest.pop(key, None)
        elif result.evidence is not None:
            self._newest[key] = {**self._newest.get(key, {}), **_newest(result.evidence)}
        for record in result.after.history:
            if record not in counted:
                self._outcomes.labels(*key, record.outcome, record.reason).inc()

    def failed(self, key: Key) -> None:
        """Count a reconciliation that raised."""
        self._errors.labels(*key).inc()

    def _forget(self, key: Key) -> None:
        self._newest.pop(key, None)
        if self._last.pop(key, None) is None:
            with suppress(KeyError):  # it may have failed at every look
                self._errors.remove(*key)
            return
        for outcome, reasons in OUTCOME_REASONS.items():
            for reason in reasons:
                self._outcomes.remove(*key, outcome, reason)
        self._errors.remove(*key)


def _gates(findings: list[tuple[Key, Finding]]) -> Iterator[Metric]:
    verdict = GaugeMetricFamily(
        "leeway_rollout_gate_verdict", "1 for what the gate says now.", labels=[*_MODEL, "gate", "verdict"]
    )
    estimate, lower, upper, margin = (
        GaugeMetricFamily(f"leeway_rollout_gate_{name}", text, labels=[*_MODEL, "gate"])
        for name, text in (
            ("estimate", "Candidate minus stable, in the gate's own measure."),
            ("lower", "Lower end of the estimate's interval, which is valid at every look."),
            ("upper", "Upper end of the estimate's interval, which is valid at every look."),
            ("margin", "Difference up to which the candidate is not worse."),
        )
    )
    for key, finding in findings:
        for name in get_args(Verdict):
            verdict.add_metric([*key, finding.gate, name], float(name == finding.verdict))
        values = (
            (estimate, finding.estimate),
            (lower, finding.lower),
            (upper, finding.upper),
            (margin, finding.margin),
        )
        for family, value in values:
            if value is not None:  # what is not known is absent, not 0
                family.add_metric([*key, finding.gate], value)
    yield from (verdict, estimate, lower, upper, margin)


def _newest(evidence: Evidence) -> Mapping[str, float]:
    """When each source's newest evidence is from; of pods that are ready, the one that was scraped longest ago."""
    found = {}
    counters, detector = evidence.counters, evidence.detector
    if isinstance(counters, CounterReading):
        times = [sample.time for pod, sample in counters.servers.items() if pod in counters.ready]
        if times:
            found["prometheus"] = min(times)
    if isinstance(detector, DetectorReading) and detector.ticks:
        end = detector.ticks[-1].get("end")
        # What is no time is judged, and told, where the answer is weighed.
        with suppress(ValueError, TypeError):
            found["detector"] = datetime.fromisoformat(end).timestamp()  # type: ignore[arg-type] # that is the TypeError
    return found


def _same_slot(status: Status) -> bool:
    """An undo under way: candidate and previous are one slot, and one series."""
    return (
        status.candidate is not None and status.previous is not None and status.candidate.slot == status.previous.slot
    )
