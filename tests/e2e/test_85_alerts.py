"""What breaks reaches the people who were named, with what they need to know, and so does its end.

A stub stands in for Slack and for the mail server; rules, Prometheus and Alertmanager are the real ones.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from story import MODEL, NAMESPACE, RELEASE, Story

from drill.alerts.mailbox import Mailbox, mailbox

# What the slowest of these rules takes: its `for` of five minutes, a pod that ends, scrapes, evaluations, the message.
_FIRES_SECONDS = 540.0
_RESOLVES_SECONDS = 240.0


@pytest.fixture(scope="module")
def inbox(story: Story) -> Iterator[Mailbox]:
    """A Slack and a mail server that the release tells of its alerts."""
    image = story.get("deployment", f"{RELEASE}-operator")["spec"]["template"]["spec"]["containers"][0]["image"]
    with mailbox(story.kube, image, namespaces=(NAMESPACE,)) as box, story.installed(box.values()):
        yield box


@contextmanager
def _scaled_away(story: Story, *deployments: str) -> Iterator[None]:
    where = [f"deployment/{name}" for name in deployments]
    story.kube.kubectl("scale", *where, f"--namespace={NAMESPACE}", "--replicas=0")
    try:
        yield
    finally:
        story.kube.kubectl("scale", *where, f"--namespace={NAMESPACE}", "--replicas=1")


def _until(inbox: Mailbox, begins: str, *, seconds: float) -> dict[str, Any]:
    """Wait for a message in Slack whose title begins so."""
    return inbox.wait(lambda one: one["title"].startswith(begins), seconds=seconds, what=f"{begins} in Slack")


@pytest.mark.usefixtures("inbox")
def test_whatever_rules_dashboards_gates_and_receivers_stand_on_is_there(story: Story) -> None:
    assert "Succeeded" in story.helm("test", RELEASE)


def test_a_dead_model_and_a_dead_detector_reach_slack_and_mail_and_so_does_their_end(
    story: Story, inbox: Mailbox
) -> None:
    dead, down = f"[FIRING:1] ModelNotLoaded: {MODEL}", "[FIRING:1] DetectorDown"
    slot = story.rollout()["status"]["stable"]["slot"]
    with _scaled_away(story, f"{MODEL}-{slot}-predictor", f"{RELEASE}-drift-detector"):
        model = _until(inbox, dead, seconds=_FIRES_SECONDS)
        detector = _until(inbox, down, seconds=_FIRES_SECONDS)

    assert (model["color"], detector["color"]) == ("danger", "danger")
    assert "100% of the traffic" in model["text"]
    buttons = {action["text"]: action["url"] for action in model["actions"]}
    assert buttons["Runbook"].endswith("/docs/runbooks/ModelNotLoaded.md")
    assert f"model%3D%22{MODEL}%22" in buttons["Silence"]
    mails = [message["subject"] for message in inbox.messages() if message["by"] == "email"]
    assert any(subject.startswith(dead) for subject in mails)

    assert _until(inbox, f"[RESOLVED] ModelNotLoaded: {MODEL}", seconds=_RESOLVES_SECONDS)["color"] == "good"
    assert _until(inbox, "[RESOLVED] DetectorDown", seconds=_RESOLVES_SECONDS)["color"] == "good"


def test_what_a_dead_detector_hides_is_not_told_beside_it(inbox: Mailbox) -> None:
    told = [attachment["title"] for attachment in inbox.slack()]
    assert any("DetectorDown" in title for title in told)
    hidden = ("DetectorBlind", "DetectorCoverageLow", "TargetDown")
    assert [title for title in told if any(name in title for name in hidden)] == []
