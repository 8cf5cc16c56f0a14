"""A drill is followed to Slack and back, its fault is undone whatever happens, and what does not come is told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from drill.alerts.catalog import DRILLS
from drill.alerts.follow import Promise, follow, promised_by
from drill.alerts.outcome import Outcome
from drill.alerts.world import Interrupted

DRILL = DRILLS["ModelErrors"]
PROMISE = Promise(seconds=300.0, interval=10.0)
LABELS = {"alertname": "ModelErrors", "namespace": "drill-errors", "model": "drill-errors"}
LABELS |= {"model_namespace": "drill-errors", "code": "400"}
TITLE = "ModelErrors: drill-errors (drill-errors)"


def message(title: str, *, by: str = "webhook") -> Mapping[str, Any]:
    if by == "email":
        return {"by": by, "subject": title}
    buttons = [{"text": "Runbook", "url": "https://example.com/ModelErrors.md"}]
    return {"by": by, "body": {"attachments": [{"title": title, "text": "x", "color": "warning", "actions": buttons}]}}


@dataclass
class FakeWorld:
    """A cluster, and a fault in it: the alert fires and ends some seconds after it, and messages follow.

    Attributes:
        fires: seconds from the injection until the alert fires; never, if None.
        ends: seconds from the undoing until it does not; never, if None.
        delivers: seconds from either until the message is there; never, if None.
        labels: of the alert.
        breaks: raised by the injection.
        interrupted: when a person has seen enough.
    """

    fires: float | None = 320.0
    ends: float | None = 280.0
    delivers: float | None = 6.0
    labels: Mapping[str, str] = field(default_factory=lambda: LABELS)
    breaks: Exception | None = None
    interrupted: float = float("inf")
    clock: float = 1000.0
    injected: float | None = None
    undone: float | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def inject(self) -> Callable[[], object]:
        return self._inject

    @property
    def undo(self) -> Callable[[], object]:
        return self._undo

    def _inject(self) -> None:
        self.injected = self.clock
        if self.breaks:
            raise self.breaks

    def _undo(self) -> None:
        self.undone = self.clock

    def now(self) -> float:
        return self.clock

    def wait(self, seconds: float) -> None:
        self.clock += seconds
        if self.clock > self.interrupted:
            raise Interrupted("ended")

    def say(self, line: str) -> None:
        self.lines.append(line)

    def firing(self) -> Sequence[Mapping[str, str]]:
        return [self.labels] if self._after(self.injected, self.fires) and not self._over() else []

    def messages(self) -> Sequence[Mapping[str, Any]]:
        found = [message(f"[FIRING:1] {TITLE}"), message("[FIRING:1] ModelErrors: flights (leeway)")]
        if self.fires is not None and self.delivers is not None:
            if self._after(self.injected, self.fires + self.delivers):
                found += [message(f"[FIRING:1] {TITLE}", by="email"), message(f"[FIRING:1] {TITLE}")]
            if self.ends is not None and self._after(self.undone, self.ends + self.delivers):
                found.append(message(f"[RESOLVED] {TITLE}"))
        return found

    def _over(self) -> bool:
        return self.ends is not None and self._after(self.undone, self.ends)

    def _after(self, moment: float | None, seconds: float | None) -> bool:
        return moment is not None and seconds is not None and self.clock >= moment + seconds


def run(world: FakeWorld, *, resolve: bool = True) -> Outcome:
    return follow(DRILL, world, PROMISE, world, resolve=resolve)


def test_a_drill_is_followed_to_the_message_and_to_that_of_its_end() -> None:
    world = FakeWorld()
    outcome = run(world)
    assert outcome.gap == ""
    assert outcome.promised == promised_by(PROMISE, DRILL.notice) == 60 + 300 + 2 * 10 + 60
    assert outcome.fired is not None
    assert outcome.seconds is not None
    assert outcome.resolved_seconds is not None
    assert 320 <= outcome.fired <= 326 <= outcome.seconds <= outcome.promised
    assert 286 <= outcome.resolved_seconds <= 292
    assert outcome.title == outcome.subject_of_mail == f"[FIRING:1] {TITLE}"
    assert outcome.actions == {"Runbook": "https://example.com/ModelErrors.md"}
    assert (outcome.model, outcome.model_namespace) == ("drill-errors", "drill-errors")


def test_what_is_in_slack_is_shown_while_the_fault_is_still_there() -> None:
    world = FakeWorld()
    shown: list[Outcome] = []

    def told(outcome: Outcome) -> None:
        assert world.undone is None
        shown.append(outcome)

    follow(DRILL, world, PROMISE, world, resolve=True, told=told)
    assert [one.title for one in shown] == [f"[FIRING:1] {TITLE}"]


@pytest.mark.parametrize(
    ("world", "gap"),
    [
        (FakeWorld(fires=None), "did not fire within 440 s"),
        (FakeWorld(fires=500.0), "did not fire within 440 s"),
        (FakeWorld(delivers=None), "no message came to Slack within 440 s"),
        (FakeWorld(delivers=200.0), "no message came to Slack within 440 s"),
        (FakeWorld(ends=None), "not told as resolved within 960 s"),
        (FakeWorld(labels={**LABELS, "model": "flights"}), "did not fire"),
        (FakeWorld(labels={**LABELS, "namespace": "leeway"}), "did not fire"),
    ],
)
def test_what_does_not_come_is_the_gap_and_the_fault_is_undone(world: FakeWorld, gap: str) -> None:
    assert gap in run(world).gap
    assert world.undone is not None


def test_the_end_is_not_awaited_where_nobody_asks_for_it() -> None:
    world = FakeWorld(ends=None)
    outcome = run(world, resolve=False)
    assert (outcome.gap, outcome.resolved_seconds) == ("", None)
    assert world.undone is not None


@pytest.mark.parametrize("world", [FakeWorld(interrupted=1100.0), FakeWorld(breaks=OSError("no cluster"))])
def test_a_fault_is_undone_when_a_person_has_seen_enough_and_when_it_could_not_be_injected(world: FakeWorld) -> None:
    with pytest.raises((Interrupted, OSError)):
        run(world)
    assert world.undone is not None


def test_nothing_is_injected_where_the_alert_fires_already() -> None:
    world = FakeWorld(injected=0.0)
    assert "fires already" in run(world).gap
    assert world.injected == 0.0


def test_a_person_reads_what_is_waited_for_every_minute() -> None:
    world = FakeWorld(fires=None)
    run(world)
    waited = [line for line in world.lines if "Prometheus is waited for" in line]
    assert len(waited) == 440 // 60
    assert "for 380 s more at most" in waited[0] or "for 379 s more at most" in waited[0]
