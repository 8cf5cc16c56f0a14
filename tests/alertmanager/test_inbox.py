"""The stand-in for Slack and for a mail server that end-to-end tests read: it answers as both do."""

import smtplib

import httpx
import kubernetes_validate

from alertmanager.conftest import Mailbox
from drill.alerts import mailbox as stand_in


def test_a_webhook_is_answered_as_slack_does_and_kept(mailbox: Mailbox) -> None:
    url = f"http://{mailbox.webhook}"
    answer = httpx.post(f"{url}/services/T/B/x", json={"text": "hello"})
    assert (answer.status_code, answer.text) == (200, "ok")
    answer = httpx.post(f"{url}/services/T/B/x", content=b"{")
    assert (answer.status_code, answer.text) == (400, "invalid_payload")
    assert httpx.get(url).status_code == 404
    assert httpx.get(f"{url}/messages").json() == [
        {"by": "webhook", "path": "/services/T/B/x", "body": {"text": "hello"}}
    ]


def test_mails_of_one_connection_are_kept_one_by_one(mailbox: Mailbox) -> None:
    host, _, port = mailbox.smarthost.partition(":")
    with smtplib.SMTP(host, int(port)) as client:
        for number in (1, 2):
            text = f"Subject: {number}\r\n\r\n.a line that begins with a dot\r\n"
            client.sendmail("a@example.com", [f"{number}@example.com", "c@example.com"], text)
        code, _ = client.docmd("VRFY", "c@example.com")
    assert code == 502
    assert mailbox.messages() == [
        {
            "by": "email",
            "sender": "a@example.com",
            "recipients": [f"{number}@example.com", "c@example.com"],
            "subject": str(number),
            "text": ".a line that begins with a dot\n",
        }
        for number in (1, 2)
    ]


def test_the_inbox_of_a_cluster_is_made_of_valid_objects() -> None:
    kinds = []
    for found in stand_in.objects("docker.io/leeway/operators:0.1.0"):
        kubernetes_validate.validate(found, "1.36", strict=True)
        kinds.append(found["kind"])
    assert kinds == ["Namespace", "ConfigMap", "Pod", "Service"]
