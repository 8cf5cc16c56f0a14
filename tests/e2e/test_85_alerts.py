"""What breaks reaches the people who were named, with what they need to know, and so does its end.

A stub stands in for Slack and for the mail server; rules, Prometheus and Alertmanager are the real ones, and nothing is
shortened but the time for which Alertmanager collects. The faults are there side by side, since rules take minutes: a
model that is dead, models with a fault each (drill.alerts), and, when the detector is not needed any more, a detector
that is dead. Alertmanager and then Prometheus begin anew in the midst of it. The tests follow it all
in this order, and need each other.
"""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial

import pytest
from alerting import Alerting
from story import MODEL, NAMESPACE, RELEASE, Story, eventually

from drill.alerts.mailbox import Mailbox, Manifest
from drill.alerts.outcome import Outcome
from drill.alerts.session import session

# What the slowest of these rules takes: its `for` of five minutes, a pod that ends, scrapes, evaluations, the message.
_FIRES_SECONDS = 540.0
_RESOLVES_SECONDS = 240.0
# A drill with all that it sets up and takes away.
_DRILL_SECONDS = 1200.0
_DEAD, _DOWN = f"ModelNotLoaded: {MODEL}", "DetectorDown"
_DRIFT = "DriftAbrupt"
_BURNING = ("ModelAvailabilityBurnFast", "ModelLatencyBurnFast")
# By alert: color, the sentence with its number, and between which the number has to be: over the alert's threshold, and
# not far over the fault. It is not the fault's itself: the last hour may know that model from a drill before this one.
_SAID = {
    "RolloutRolledBack": (
        "warning",
        r"A release of model drill-rollback in namespace drill-rollback was rolled back \(Errors\)",
        None,
    ),
    _DRIFT: (
        "warning",
        r"Detector abrupt finds the inputs of version .* changed\. Over their threshold: temp \((\d+(?:\.\d+)?) times",
        (1.0, 1e3),
    ),
    "ModelAvailabilityBurnFast": (
        "danger",
        r" (\d+(?:\.\d+)?)% of the requests to model drill-failing in namespace drill-failing failed over the last 1h",
        (1.44, 8.0),
    ),
    "ModelLatencyBurnFast": (
        "danger",
        r" (\d+(?:\.\d+)?)% of the predictions of model drill-slow in namespace drill-slow were slower than 300ms",
        (14.4, 70.0),
    ),
}


class _Faults:
    """The drills under way: which are told, and what became of each."""

    def __init__(self) -> None:
        self.told = {alert: threading.Event() for alert in _SAID}
        self.outcomes: dict[str, Future[list[Outcome]]] = {}

    def outcome(self, alert: str) -> Outcome:
        """Wait for it."""
        (outcome,) = self.outcomes[alert].result(_DRILL_SECONDS)
        return outcome

    def await_told(self, alert: str) -> None:
        """Wait until its message is in Slack, or is not to be expected any more."""
        what = f"{alert} in Slack"
        eventually(lambda: self.told[alert].is_set() or self.outcomes[alert].done(), seconds=_DRILL_SECONDS, what=what)


@pytest.fixture(scope="module")
def faults(story: Story) -> Iterator[tuple[Mailbox, _Faults]]:
    """An inbox that the release tells of its alerts, and models with a fault each."""
    with session(story.cluster, say=print) as drills, ThreadPoolExecutor(len(_SAID)) as pool:
        faults = _Faults()
        for alert in _SAID:
            faults.outcomes[alert] = pool.submit(
                drills.run, [alert], told=lambda outcome: faults.told[outcome.alert].set()
            )
        yield drills.mailbox, faults


@pytest.fixture(scope="module")
def inbox(faults: tuple[Mailbox, _Faults]) -> Mailbox:
    """What Slack and a mail server would have got."""
    return faults[0]


@pytest.fixture(scope="module")
def drilled(faults: tuple[Mailbox, _Faults]) -> _Faults:
    """The models with a fault each."""
    return faults[1]


@pytest.fixture(scope="module")
def dead_model(story: Story, inbox: Mailbox) -> Iterator[ExitStack]:  # noqa: ARG001 - there are people to be told
    """The flights model without a server, until the stack is closed."""
    slot = story.rollout()["status"]["stable"]["slot"]
    with ExitStack() as away:
        away.enter_context(_scaled_away(story, f"{MODEL}-{slot}-predictor"))
        yield away


@pytest.fixture(scope="module")
def dead_detector(story: Story, inbox: Mailbox, drilled: _Faults) -> Iterator[ExitStack]:
    """No detector, from when nobody needs it any more until the stack is closed."""

    def unneeded() -> bool:
        return drilled.outcomes[_DRIFT].done() or _titles(inbox, f"[RESOLVED] {_DRIFT}") != []

    eventually(unneeded, seconds=_DRILL_SECONDS, what="the end of the drift")
    with ExitStack() as away:
        away.enter_context(_scaled_away(story, f"{RELEASE}-drift-detector"))
        yield away


@contextmanager
def _scaled_away(story: Story, deployment: str) -> Iterator[None]:
    where = (f"deployment/{deployment}", f"--namespace={NAMESPACE}")
    story.kube.kubectl("scale", *where, "--replicas=0")
    try:
        yield
    finally:
        story.kube.kubectl("scale", *where, "--replicas=1")


def _titles(inbox: Mailbox, begins: str) -> list[str]:
    return [one["title"] for one in inbox.slack() if one["title"].startswith(begins)]


def _until(inbox: Mailbox, begins: str, *, seconds: float) -> Manifest:
    """Wait for a message in Slack whose title begins so."""
    return inbox.wait(lambda one: one["title"].startswith(begins), seconds=seconds, what=f"{begins} in Slack")


@pytest.mark.usefixtures("inbox")
def test_whatever_rules_dashboards_gates_and_receivers_stand_on_is_there(story: Story) -> None:
    assert "Succeeded" in story.helm("test", RELEASE)


@pytest.mark.usefixtures("dead_model")
def test_a_dead_model_reaches_slack_and_mail(inbox: Mailbox) -> None:
    told = _until(inbox, f"[FIRING:1] {_DEAD}", seconds=_FIRES_SECONDS)

    assert told["color"] == "danger"
    assert "100% of the traffic" in told["text"]
    buttons = {action["text"]: action["url"] for action in told["actions"]}
    assert buttons["Runbook"].endswith("/docs/runbooks/ModelNotLoaded.md")
    assert f"model%3D%22{MODEL}%22" in buttons["Silence"]
    mails = [message["subject"] for message in inbox.messages() if message["by"] == "email"]
    assert any(subject.startswith(f"[FIRING:1] {_DEAD}") for subject in mails)


@pytest.mark.usefixtures("dead_model", "dead_detector")
def test_an_alertmanager_begun_anew_knows_its_silences(story: Story, inbox: Mailbox, drilled: _Faults) -> None:
    alerting = Alerting(story)
    for alert in _BURNING:
        drilled.await_told(alert)
    silence = alerting.silence("Quiet")

    alerting.begin_anew("alertmanager")

    assert silence in alerting.silences()
    for alert in ("Quiet", "Loud"):
        alerting.fire(alert, namespace=NAMESPACE, severity="warning")
    _until(inbox, "[FIRING:1] Loud", seconds=60)
    # Prometheus tells it again what fires, at most two evaluations later; the end of what it was not told has no word.
    for alert in ("ModelNotLoaded", *_BURNING):
        eventually(partial(alerting.fires, alert), seconds=150, what=f"{alert} at the new Alertmanager")


@pytest.mark.usefixtures("dead_model", "dead_detector")
def test_a_prometheus_begun_anew_knows_what_waits_and_what_fires(story: Story) -> None:
    alerting = Alerting(story)

    def waits_for(seconds: float) -> bool:
        since = alerting.since(_DOWN)
        return since is not None and (datetime.now(UTC) - since).total_seconds() > seconds

    # The time without a Prometheus is added to it.
    eventually(lambda: waits_for(60), seconds=150, what=f"{_DOWN} waiting for a minute")

    begun = datetime.now(UTC)
    alerting.begin_anew("prometheus")

    def remembered() -> bool:
        both = [alerting.since(alert) for alert in (_DOWN, "ModelNotLoaded")]
        return all(since is not None and since < begun for since in both)

    # It looks at a rule twice before it takes up what it had recorded of it.
    eventually(remembered, seconds=90, what="what waits and what fires, since before")


def test_the_end_of_a_dead_model_is_told(dead_model: ExitStack, inbox: Mailbox) -> None:
    dead_model.close()

    assert _until(inbox, f"[RESOLVED] {_DEAD}", seconds=_RESOLVES_SECONDS)["color"] == "good"


def test_a_dead_detector_reaches_slack_and_so_does_its_end(dead_detector: ExitStack, inbox: Mailbox) -> None:
    told = _until(inbox, f"[FIRING:1] {_DOWN}", seconds=_FIRES_SECONDS)
    assert told["color"] == "danger"

    dead_detector.close()

    assert _until(inbox, f"[RESOLVED] {_DOWN}", seconds=_RESOLVES_SECONDS)["color"] == "good"


def test_what_a_dead_detector_hides_is_not_told_beside_it(inbox: Mailbox) -> None:
    told = [attachment["title"] for attachment in inbox.slack()]
    assert any(_DOWN in title for title in told)
    hidden = ("DetectorBlind", "DetectorCoverageLow", "TargetDown")
    assert [title for title in told if any(name in title for name in hidden)] == []


@pytest.mark.parametrize("alert", _SAID)
def test_a_fault_is_told_in_time_with_its_numbers_and_so_is_its_end(drilled: _Faults, alert: str) -> None:
    outcome = drilled.outcome(alert)

    assert outcome.gap == ""
    assert outcome.seconds is not None
    assert outcome.seconds <= outcome.promised
    color, sentence, bounds = _SAID[alert]
    assert outcome.color == color
    said = re.search(sentence, outcome.text)
    assert said, outcome.text
    if bounds is not None:
        assert bounds[0] < float(said[1]) < bounds[1], outcome.text
    assert outcome.actions["Runbook"].endswith(f"/docs/runbooks/{alert}.md")
    assert outcome.subject_of_mail == outcome.title
    # Of a rollback no end is told.
    assert (outcome.resolved_seconds is None) == (alert == "RolloutRolledBack")


def test_nothing_was_told_twice_and_nothing_that_was_silenced(inbox: Mailbox, drilled: _Faults) -> None:
    once = [f"[FIRING:1] {_DEAD}", f"[FIRING:1] {_DOWN}", *(drilled.outcome(alert).title for alert in _BURNING)]

    assert {title: len(_titles(inbox, title)) for title in once} == dict.fromkeys(once, 1)
    assert _titles(inbox, "[FIRING:1] Quiet") == []
