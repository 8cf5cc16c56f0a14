"""The operator's metrics, as schemas/metrics.yaml lists them."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from leeway_operators.core.model import OUTCOME_REASONS, PHASES, Status
from leeway_operators.shell.queue import Key
from leeway_operators.shell.reconcile import Reconciled


class Metrics(Collector):
    """Gauges are read from the last status of each rollout, so what is gone leaves no series behind."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register with `registry`."""
        self._last: dict[Key, Status] = {}
        self._outcomes = Counter(
            "leeway_rollout_outcomes_total",
            "Finished rollouts.",
            ["namespace", "model", "outcome", "reason"],
            registry=registry,
        )
        self._errors = Counter(
            "leeway_rollout_reconcile_errors_total",
            "Reconciliations that ended in an error and are tried again.",
            ["namespace", "model"],
            registry=registry,
        )
        self.duration = Histogram(
            "leeway_rollout_reconcile_duration_seconds", "Time of one reconciliation.", registry=registry
        )
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        phase = GaugeMetricFamily(
            "leeway_rollout_phase", "1 for the phase the rollout is in.", labels=["namespace", "model", "phase"]
        )
        weight = GaugeMetricFamily(
            "leeway_rollout_weight",
            "Share of traffic the route gives the slot in percent.",
            labels=["namespace", "model", "slot", "version"],
        )
        # A copy: the worker writes while the scrape reads.
        for (namespace, model), status in tuple(self._last.items()):
            for name in PHASES:
                phase.add_metric([namespace, model, name], float(name == status.phase))
            for arm in (status.stable, status.candidate, status.previous):
                if arm is None or (arm is status.previous and _same_slot(status)):
                    continue
                weight.add_metric([namespace, model, arm.slot, arm.release.version], float(status.weights.of(arm.slot)))
        yield phase
        yield weight

    def reconciled(self, key: Key, result: Reconciled | None) -> None:
        """Take over what came of a reconciliation."""
        if result is None:
            self._forget(key)
            return
        if key not in self._last:
            for outcome, reasons in OUTCOME_REASONS.items():
                for reason in reasons:
                    self._outcomes.labels(*key, outcome, reason)
            self._errors.labels(*key)
        self._last[key] = result.after
        for record in result.after.history:
            if record not in result.before.history:
                self._outcomes.labels(*key, record.outcome, record.reason).inc()

    def failed(self, key: Key) -> None:
        """Count a reconciliation that raised."""
        self._errors.labels(*key).inc()

    def _forget(self, key: Key) -> None:
        if self._last.pop(key, None) is None:
            return
        for outcome, reasons in OUTCOME_REASONS.items():
            for reason in reasons:
                self._outcomes.remove(*key, outcome, reason)
        self._errors.remove(*key)


def _same_slot(status: Status) -> bool:
    """An undo under way: candidate and previous are one slot, and one series."""
    return (
        status.candidate is not None and status.previous is not None and status.candidate.slot == status.previous.slot
    )
