"""A fault is followed to its message and back, and is undone whatever happens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from leeway_operators.verify.core import report
from leeway_operators.verify.core.drive import Promise, follow, promises
from leeway_operators.verify.core.faults import Change, Create, Delete, Fault, Scale, faults
from leeway_operators.verify.core.proof import Inventory
from tests.verify.world import Manifest, manifest

FAULT = Fault(
    alert="DetectorDown",
    change=Scale("models", "leeway-drift-detector"),
    notice=30.0,
    hurts="nothing is judged",
    labels={"namespace": "models"},
)
PROMISE = Promise(seconds=300.0, interval=10.0)
ALERT = {"alertname": "DetectorDown", "namespace": "models", "severity": "critical"}


@dataclass
class FakeWorld:
    """A cluster in which an alert fires some seconds after the fault, and messages follow it.

    Attributes:
        fires: seconds from the injection until the alert fires; never, if None.
        ends: seconds from the undoing until it does not; never, if None.
        delivers: seconds from either until the message is there; never, if None.
    """

    fires: float | None = 320.0
    ends: float | None = 20.0
    delivers: float | None = 30.0
    alert: Mapping[str, str] = field(default_factory=lambda: ALERT)
    clock: float = 1000.0
    changes: list[Change] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    interrupted: Callable[[float], bool] = lambda _: False

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        if self.interrupted(self.clock):
            raise KeyboardInterrupt

    def change(self, change: Change) -> Change:
        self.changes.append(change)
        self.times.append(self.clock)
        assert isinstance(change, Scale)
        return Scale(change.namespace, change.name, 1)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def _at(self, index: int, after: float | None) -> float:
        if after is None or len(self.times) <= index:
            return float("inf")
        return self.times[index] + after

    def firing(self) -> Sequence[Mapping[str, str]]:
        return [self.alert] if self._at(0, self.fires) <= self.clock < self._at(1, self.ends) else []

    def told(self) -> Sequence[str]:
        delay = float("inf") if self.delivers is None else self.delivers
        told = ["[FIRING:1] DetectorDown of the week before"]
        told += ["[FIRING:1] DetectorDown now"] if self._at(0, self.fires) + delay <= self.clock else []
        return told + (["[RESOLVED] DetectorDown"] if self._at(1, self.ends) + delay <= self.clock else [])


def test_a_fault_is_followed_from_its_injection_to_the_message_that_it_is_over() -> None:
    world = FakeWorld()
    followed = follow(FAULT, PROMISE, world)
    assert followed.gap == ""
    assert followed.promised == 350.0
    assert (followed.fired, followed.told, followed.resolved) == (320.0, 350.0, 50.0)
    assert followed.text == "[FIRING:1] DetectorDown now"
    assert world.changes == [FAULT.change, Scale("models", "leeway-drift-detector", 1)]
    assert [line.removeprefix("DetectorDown: ") for line in world.lines[1:]] == [
        "fires after 320 s",
        "told after 350 s",
        "kubectl -n models scale deployment leeway-drift-detector --replicas=1",
        "told as resolved 50 s after the undoing",
    ]


@pytest.mark.parametrize(
    ("world", "gap"),
    [
        (FakeWorld(fires=400.0), "did not fire within 350 s"),
        (FakeWorld(fires=None), "did not fire within 350 s"),
        (FakeWorld(delivers=None), "no message came within 120 s"),
        (FakeWorld(ends=None), "not told as resolved within 900 s"),
        (FakeWorld(alert={**ALERT, "namespace": "other"}), "did not fire"),
    ],
)
def test_what_does_not_come_is_the_gap_and_the_fault_is_undone(world: FakeWorld, gap: str) -> None:
    assert gap in follow(FAULT, PROMISE, world).gap
    assert world.changes[-1] == Scale("models", "leeway-drift-detector", 1)


def test_a_fault_is_undone_when_a_person_has_seen_enough() -> None:
    world = FakeWorld(interrupted=lambda clock: clock > 1100.0)
    with pytest.raises(KeyboardInterrupt):
        follow(FAULT, PROMISE, world)
    assert world.changes[-1] == Scale("models", "leeway-drift-detector", 1)
    assert "kubectl -n models scale deployment leeway-drift-detector --replicas=1" in world.lines[-1]


def test_nothing_is_injected_for_an_alert_that_is_not_loaded_or_fires_already() -> None:
    world = FakeWorld()
    assert "no Prometheus has a rule" in follow(FAULT, None, world).gap
    world.times = [0.0]
    assert "fires already" in follow(FAULT, PROMISE, world).gap
    assert world.changes == []


def test_an_alerts_promise_is_the_shortest_of_its_rules() -> None:
    rules = [
        {"name": "ModelNotLoaded", "type": "alerting", "duration": 600},
        {"name": "ModelNotLoaded", "type": "alerting", "duration": 120},
        {"name": "model:x", "type": "recording"},
    ]
    assert promises([{"interval": 30, "rules": rules}]) == {"ModelNotLoaded": Promise(seconds=120.0, interval=30.0)}


def test_the_table_has_the_seconds_and_the_text_or_the_gap() -> None:
    lines = report.followed([follow(FAULT, PROMISE, FakeWorld()), follow(FAULT, PROMISE, FakeWorld(fires=None))])
    _, good, bad = lines.splitlines()
    assert good.split()[:9] == ["DetectorDown", "350", "s", "320", "s", "350", "s", "50", "s"]
    assert good.endswith("[FIRING:1] DetectorDown now")
    assert "missing" in bad
    assert bad.endswith("it did not fire within 350 s")


def component(kind: str, name: str, component: str, spec: Manifest | None = None) -> Manifest:
    found = manifest(kind, name, spec)
    found["metadata"]["labels"]["app.kubernetes.io/component"] = component
    return found


def monitor(name: str) -> Manifest:
    endpoint = {"port": "metrics", "relabelings": [{"targetLabel": "a", "replacement": "b"}]}
    return manifest("PodMonitor", name, {"selector": {"matchLabels": {"x": "y"}}, "podMetricsEndpoints": [endpoint]})


def test_each_alert_that_needs_nothing_but_kubernetes_has_its_fault() -> None:
    objects: dict[str, Any] = {
        "Deployment": [
            component("Deployment", "leeway-operator", "operator"),
            component("Deployment", "leeway-drift-detector", "drift-detector"),
            component("Deployment", "leeway-other", "other"),
        ],
        "ModelRollout": [
            manifest("ModelRollout", "new"),
            manifest("ModelRollout", "flights", status={"stable": {"slot": "b"}}),
            manifest("ModelRollout", "second", status={"stable": {"slot": "a"}}),
        ],
        "PodMonitor": [monitor("leeway-models"), monitor("leeway-operator")],
    }
    found = {fault.alert: fault for fault in faults(Inventory(objects=objects))}
    assert {alert: str(fault.change) for alert, fault in found.items()} == {
        "OperatorNotReconciling": "kubectl -n models scale deployment leeway-operator --replicas=0",
        "DetectorDown": "kubectl -n models scale deployment leeway-drift-detector --replicas=0",
        "ModelNotLoaded": "kubectl -n models scale deployment flights-b-predictor --replicas=0",
        "TargetDown": "create PodMonitor models/leeway-verify",
    }
    assert found["ModelNotLoaded"].labels == {"model_namespace": "models", "model": "flights"}


def test_a_failing_target_is_a_second_scrape_of_pods_that_stay_as_they_are() -> None:
    original = monitor("leeway-operator")
    (fault,) = faults(Inventory(objects={"PodMonitor": [original]}))
    assert isinstance(fault.change, Create)
    (endpoint,) = fault.change.body["spec"]["podMetricsEndpoints"]
    assert endpoint["scheme"] == "https"
    assert endpoint["relabelings"][0] == {"targetLabel": "a", "replacement": "b"}
    assert {"targetLabel": "job", "replacement": "models/leeway-operator"} in endpoint["relabelings"]
    assert fault.change.body["metadata"]["labels"] == original["metadata"]["labels"], "so that Prometheus selects it"
    assert "scheme" not in original["spec"]["podMetricsEndpoints"][0]
    assert str(Delete("models", "leeway-verify")) == "kubectl -n models delete podmonitor leeway-verify"
