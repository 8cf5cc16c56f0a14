"""What people read, word for word: golden files of what Alertmanager posts to Slack and mails.

A changed text is written anew with LEEWAY_WRITE_GOLDEN=1.
"""

import json
import os
from pathlib import Path

import pytest
from chart.rendering import Manifest

from alertmanager import pipeline
from alertmanager.alerts import alert
from alertmanager.conftest import Configured, Mailbox

GOLDEN = Path(__file__).parent / "golden"
DASHBOARD = "https://grafana.example.com/d/leeway-drift?var-namespace=leeway&var-model=flights"


def drift(version: str, *, resolved: bool = False) -> Manifest:
    return alert(
        "DriftAbrupt",
        model="flights",
        version=version,
        detector="abrupt",
        severity="warning",
        team="departures",
        summary="The inputs of a model changed all at once.",
        description=(
            f"Detector abrupt finds the inputs of version {version} of model flights in namespace leeway changed. "
            "Over their threshold: temp (7.2 times), dewp (3.1 times)"
        ),
        dashboard=DASHBOARD,
        resolved=resolved,
    )


CASES: dict[str, list[Manifest]] = {
    "firing": [drift("1.0.0")],
    "resolved": [drift("1.0.0", resolved=True)],
    "mixed": [drift("1.0.0", resolved=True), drift("1.1.0")],
    # Of the platform itself: no model, and no Grafana to lead to.
    "platform": [
        alert(
            "DetectorDown",
            severity="critical",
            summary="The drift detector judges nothing.",
            description="No drift detector of release leeway in namespace leeway answers & evaluates <for 5m>.",
        )
    ],
    "many": [drift(f"1.{number:02}.0") for number in range(12)],
}


@pytest.mark.parametrize("case", CASES)
def test_the_text_is_the_one_that_was_agreed_on(configured: Configured, mailbox: Mailbox, case: str) -> None:
    email = {"to": "ml@example.com", "from": "leeway@example.com", "smarthost": "mailbox.example.com:25"}
    config = configured({"slack": {"existingSecret": "everybody"}, "email": {**email, "requireTLS": False}})
    pipeline.deliver(config, CASES[case])
    mail, slack = mailbox.messages()
    written = json.dumps(slack["body"], indent=2, ensure_ascii=False) + "\n"
    mailed = f"From: {mail['sender']}\nSubject: {mail['subject']}\n\n{mail['text']}"
    found = {GOLDEN / f"{case}.slack.json": written, GOLDEN / f"{case}.email.txt": mailed}
    if os.environ.get("LEEWAY_WRITE_GOLDEN"):
        for path, text in found.items():
            path.write_text(text, encoding="utf-8")
    for path, text in found.items():
        assert text == path.read_text(encoding="utf-8"), path.name


def test_a_model_of_no_team_is_nobodys(configured: Configured, mailbox: Mailbox) -> None:
    email = {"to": "ml@example.com", "from": "leeway@example.com", "smarthost": "mailbox.example.com:25"}
    config = configured({"slack": {"existingSecret": "everybody"}, "email": {**email, "requireTLS": False}})
    pipeline.deliver(config, [alert("ModelErrors", model="fares", severity="warning", team="none")])
    mail, slack = mailbox.messages()
    body = slack["body"]
    assert isinstance(body, dict)
    for text in (str(mail["text"]), body["attachments"][0]["text"]):
        assert "severity warning\n" in text
        assert "team" not in text


def test_the_silence_button_silences_this_alert_of_this_model_alone(configured: Configured, mailbox: Mailbox) -> None:
    config = configured({"slack": {"existingSecret": "everybody"}})
    pipeline.deliver(config, [drift("1.0.0")])
    (message,) = mailbox.messages()
    body = message["body"]
    assert isinstance(body, dict)
    (url,) = (action["url"] for action in body["attachments"][0]["actions"] if action["text"] == "Silence")
    address, _, matchers = url.partition("/#/silences/new?filter=")
    assert address == pipeline.EXTERNAL_URL
    assert matchers == (
        "%7Balertname%3D%22DriftAbrupt%22%2Cmodel%3D%22flights%22%2Cmodel_namespace%3D%22leeway%22"
        "%2Cnamespace%3D%22leeway%22%7D"
    )


def test_a_channel_by_name_is_the_channel_that_is_asked_for(configured: Configured, mailbox: Mailbox) -> None:
    config = configured({"slack": {"existingSecret": "everybody", "channel": "#models"}})
    pipeline.deliver(config, [drift("1.0.0")])
    (message,) = mailbox.messages()
    assert isinstance(message["body"], dict)
    assert message["body"]["channel"] == "#models"
