"""The operator of a fleet in the middle of a comparison of each model; runs in the operator's environment."""

from datetime import UTC, datetime
from typing import get_args

from cardinality_pods import NAMESPACE, SLOTS, Fleet, Pod, expose, nothing
from prometheus_client import CollectorRegistry

from leeway_operators.core.evidence import CounterReading, Counters, DetectorReading, Evidence
from leeway_operators.core.model import Analysis, Arm, Release, Rollout, Status, Weights
from leeway_operators.evidence.findings import GATES, Finding, Side, Verdict
from leeway_operators.shell.metrics import Metrics
from leeway_operators.shell.reconcile import Reconciled

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRECONDITIONS = ("sampleRatio", "balance")
"""Findings beside those of the gates."""


def main() -> None:
    """Expose it."""
    fleet = Fleet.of_arguments()
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for model, versions in _versions(fleet).items():
        metrics.reconciled((NAMESPACE, model), _comparing(model, versions))
    labels = {"app.kubernetes.io/name": "leeway", "app.kubernetes.io/instance": "leeway"}
    pod = Pod(NAMESPACE, "leeway-operator-0", {**labels, "app.kubernetes.io/component": "operator"})
    expose([(pod, registry, nothing)])


def _versions(fleet: Fleet) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for model, version, _ in fleet.versions_of_models():
        found.setdefault(model, []).append(version)
    return found


def _comparing(model: str, versions: list[str]) -> Reconciled:
    """A look at which every gate knows everything, and something holds the rollout: no status has more series."""
    arms = [
        Arm(slot=slot, release=Release(version=version, revision=version, storage_uri="oci://…"), since=NOW)
        for slot, version in zip(SLOTS, versions[-2:], strict=False)
    ]
    side = Side(n=1.0, mean=0.0)
    findings = tuple(
        Finding(
            gate=gate,
            verdict=get_args(Verdict)[0],
            candidate=side,
            stable=side,
            estimate=0.0,
            lower=-0.01,
            upper=0.01,
            margin=0.01,
            reason="as an example",
        )
        for gate in (*GATES, *PRECONDITIONS)
    )
    analysis = Analysis(began=NOW, step=0, step_since=NOW, held=("TooFewRequests", "as an example"), findings=findings)
    after = Status(
        phase="Canary",
        stable=arms[0],
        candidate=arms[-1] if len(arms) > 1 else None,
        weights=Weights(a=95, b=5),
        analysis=analysis,
    )
    reading = CounterReading(
        servers={"pod": Counters(slot="a", time=NOW.timestamp(), requests=1, errors=0)}, ready={"pod": "a"}
    )
    ticks = DetectorReading(epoch="first", cursor="0", coverage={}, ticks=({"end": NOW.isoformat()},))
    rollout = Rollout(name=model, namespace=NAMESPACE, uid=model, generation=1, release=arms[-1].release, spec={})
    evidence = Evidence(counters=reading, detector=ticks)
    return Reconciled(rollout=rollout, before=Status(), after=after, actions=(), again_in=None, evidence=evidence)


if __name__ == "__main__":
    main()
