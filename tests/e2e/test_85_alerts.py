"""What breaks reaches the people who were named, with what they need to know, and so does its end.

A stub stands in for Slack and for the mail server; rules, Prometheus and Alertmanager are the real ones, and nothing is
shortened but the time for which Alertmanager collects. The faults are there side by side, since rules take minutes: a
model that is dead, models with a fault each (drill.alerts), a detector that dies, and one that loses events, since some
stories before. Alertmanager and then Prometheus begin anew in the midst of it. The tests follow it all in this order,
and need each other.
"""

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial

import pytest
from alerting import Alerting
from detectors import OwnDetector, OwnDetectors
from story import MODEL, NAMESPACE, RELEASE, Story, eventually

from drill.alerts.catalog import DRILLS
from drill.alerts.mailbox import Mailbox, Manifest
from drill.alerts.outcome import Outcome
from drill.alerts.session import session

# What the slowest of these rules takes: its `for` of five minutes, a pod that ends, scrapes, evaluations, the message.
_FIRES_SECONDS = 540.0
_RESOLVES_SECONDS = 240.0
# A drill with all that it sets up and takes away.
_DRILL_SECONDS = 1200.0
# It dies so long after the model is missed that it still waits, for its five minutes, when Prometheus begins anew.
_DIES_AFTER_SECONDS = 60.0
_DEAD, _DOWN, _LOST = f"ModelNotLoaded: {MODEL}", "DetectorDown", "DetectorEventsLost"
_BLIND = ("DetectorBlind", "DetectorCoverageLow", "TargetDown")
_HIDDEN = (*_BLIND, _LOST, "DriftAbrupt")
_BURNING = ("ModelAvailabilityBurnFast", "ModelLatencyBurnFast")
_NUMBER = r"(\d+(?:\.\d+)?)"
# By alert: color, the sentence with its number, and between which the number has to be: of 5 % and of half, which bad
# luck may change by some. Nothing else is in the last hour, since each run has models of its own.
_SAID = {
    "ModelAvailabilityBurnFast": (
        "danger",
        rf" {_NUMBER}% of the requests to model <name> in namespace <name> failed over the last 1h",
        (3.0, 8.0),
    ),
    "ModelLatencyBurnFast": (
        "danger",
        rf" {_NUMBER}% of the predictions of model <name> in namespace <name> were slower than 300ms",
        (30.0, 70.0),
    ),
    "DriftAbrupt": (
        "warning",
        rf"Detector abrupt finds .* of model <name> in .* changed\. Over their threshold: temp \({_NUMBER} times",
        (1.0, 1e3),
    ),
    "RolloutRolledBack": (
        "warning",
        r"A release of model <name> in namespace <name> was rolled back \(Errors\)",
        None,
    ),
}


class _Faults:
    """What is under way.

    Attributes:
        lost: what Slack is told of the events that are lost, and the seconds from the first flood to that.
        told: by alert, whether its message came.
        outcomes: by alert, what became of its drill.
    """

    def __init__(self, lost: Future[tuple[Manifest, float]]) -> None:
        self.lost = lost
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
def faults(story: Story, own_detectors: OwnDetectors) -> Iterator[tuple[Mailbox, _Faults]]:
    """An inbox that the release tells of its alerts, and models with a fault each."""

    def lost(inbox: Mailbox) -> tuple[Manifest, float]:
        told = inbox.wait(partial(_is_of, own_detectors.lossy, _LOST), seconds=_DRILL_SECONDS, what=f"{_LOST} in Slack")
        return told, time.monotonic() - own_detectors.begun

    with session(story.cluster, say=print) as drills, ThreadPoolExecutor(len(_SAID) + 1) as pool:
        faults = _Faults(pool.submit(lost, drills.mailbox))
        for alert in _SAID:
            faults.outcomes[alert] = pool.submit(
                drills.run, [alert], told=lambda outcome: faults.told[outcome.alert].set()
            )
        try:
            yield drills.mailbox, faults
        finally:  # those that nobody waits for, since a test failed
            drills.end()
            own_detectors.end()


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
        away.enter_context(_scaled_away(story, f"{MODEL}-{slot}-predictor", NAMESPACE))
        yield away


@pytest.fixture(scope="module")
def dead_detector(story: Story, dead_model: ExitStack, own_detectors: OwnDetectors) -> Iterator[ExitStack]:  # noqa: ARG001 - it is missed
    """A detector of its own that is gone, from a minute after the model is missed until the stack is closed."""
    waits = partial(Alerting(story).waits_for, "ModelNotLoaded", NAMESPACE, seconds=_DIES_AFTER_SECONDS)
    eventually(waits, seconds=_FIRES_SECONDS, what=f"{_DEAD} waiting for {_DIES_AFTER_SECONDS:.0f} s")
    doomed = own_detectors.doomed
    with ExitStack() as away:
        away.enter_context(_scaled_away(story, doomed.deployment, doomed.name))
        yield away


@contextmanager
def _scaled_away(story: Story, deployment: str, namespace: str) -> Iterator[None]:
    where = (f"deployment/{deployment}", f"--namespace={namespace}")
    story.kube.kubectl("scale", *where, "--replicas=0")
    try:
        yield
    finally:
        story.kube.kubectl("scale", *where, "--replicas=1")


def _is_of(detector: OwnDetector, alert: str, told: Manifest) -> bool:
    """Whether a message in Slack says that the alert of this detector's release fires."""
    return (
        re.match(rf"\[FIRING:\d+\] {alert}$", told["title"]) is not None
        and f" release {detector.name} " in told["text"]
    )


def _titles(inbox: Mailbox, begins: str) -> list[str]:
    return [one["title"] for one in inbox.slack() if one["title"].startswith(begins)]


def _until(inbox: Mailbox, begins: str, *, seconds: float) -> Manifest:
    """Wait for a message in Slack whose title begins so."""
    return inbox.wait(lambda one: one["title"].startswith(begins), seconds=seconds, what=f"{begins} in Slack")


@pytest.mark.usefixtures("inbox")
def test_whatever_rules_dashboards_gates_and_receivers_stand_on_is_there(story: Story) -> None:
    assert "Succeeded" in story.helm("test", RELEASE)


@pytest.mark.usefixtures("dead_model", "dead_detector")
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
def test_a_prometheus_begun_anew_knows_what_waits_and_what_fires(story: Story, own_detectors: OwnDetectors) -> None:
    alerting = Alerting(story)
    known = ((_DOWN, own_detectors.doomed.name), ("ModelNotLoaded", NAMESPACE))
    # The time without a Prometheus is added to it.
    eventually(partial(alerting.waits_for, *known[0], seconds=60), seconds=150, what=f"{_DOWN} waiting for a minute")

    begun = datetime.now(UTC)
    alerting.begin_anew("prometheus")

    def remembered() -> bool:
        both = [alerting.since(*one) for one in known]
        return all(since is not None and since < begun for since in both)

    # It looks at a rule twice before it takes up what it had recorded of it.
    eventually(remembered, seconds=90, what="what waits and what fires, since before")


def test_the_end_of_a_dead_model_is_told(dead_model: ExitStack, inbox: Mailbox) -> None:
    dead_model.close()

    assert _until(inbox, f"[RESOLVED] {_DEAD}", seconds=_RESOLVES_SECONDS)["color"] == "good"


def test_a_dead_detector_reaches_slack_alone_and_so_does_its_end(
    story: Story, dead_detector: ExitStack, own_detectors: OwnDetectors, inbox: Mailbox
) -> None:
    alerting, doomed = Alerting(story), own_detectors.doomed
    told = _until(inbox, f"[FIRING:1] {_DOWN}", seconds=_FIRES_SECONDS)
    assert told["color"] == "danger"
    assert f" release {doomed.name} in namespace {doomed.name} " in told["text"]

    # What it hides is raised by hand, since rules would take longer, and is over before the detector is back.
    for alert in (*_HIDDEN, "Heard"):
        labels = {"namespace": doomed.name, "model": "trial", "job": f"{doomed.name}/{doomed.deployment}"}
        alerting.fire(alert, seconds=15, severity="warning", **labels)
    for state in ("FIRING:1", "RESOLVED"):
        _until(inbox, f"[{state}] Heard: trial", seconds=60)

    dead_detector.close()

    assert _until(inbox, f"[RESOLVED] {_DOWN}", seconds=_RESOLVES_SECONDS)["color"] == "good"
    titles = _titles(inbox, "[FIRING:1] ")
    assert [title for title in titles if "trial" in title] == ["[FIRING:1] Heard: trial"]
    assert [title for title in titles if any(blind in title for blind in _BLIND)] == []


def test_events_that_are_lost_reach_slack_and_mail_in_time(
    story: Story, drilled: _Faults, own_detectors: OwnDetectors, inbox: Mailbox
) -> None:
    told, seconds = drilled.lost.result(_DRILL_SECONDS)
    lossy = own_detectors.lossy.name

    assert seconds <= Alerting(story).promised(DRILLS[_LOST], lossy)
    assert told["color"] == "warning"
    sentence = rf" {_NUMBER}% of the events that reached the detector of release {lossy} .* were lost \(dropped\)"
    said = re.search(sentence, told["text"])
    assert said, told["text"]
    assert 1 < float(said[1]) <= 100
    buttons = {action["text"]: action["url"] for action in told["actions"]}
    assert buttons["Runbook"].endswith(f"/docs/runbooks/{_LOST}.md")
    mails = [message for message in inbox.messages() if message["by"] == "email"]
    assert any(mail["subject"] == told["title"] and lossy in mail["text"] for mail in mails)


@pytest.mark.parametrize("alert", _SAID)
def test_a_fault_is_told_in_time_with_its_numbers_and_so_is_its_end(drilled: _Faults, alert: str) -> None:
    outcome = drilled.outcome(alert)

    assert outcome.gap == ""
    assert outcome.seconds is not None
    assert outcome.seconds <= outcome.promised
    color, sentence, bounds = _SAID[alert]
    assert outcome.color == color
    said = re.search(sentence.replace("<name>", outcome.model), outcome.text)
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
