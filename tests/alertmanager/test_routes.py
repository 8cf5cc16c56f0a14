"""Who is told of which alert, and how often."""

from pathlib import Path

import pytest
from chart.rendering import Manifest

from alertmanager import pipeline
from alertmanager.alerts import alert
from alertmanager.conftest import Configured, Mailbox

EVERYBODY: Manifest = {
    "slack": {"existingSecret": "everybody", "severities": {"critical": {"existingSecret": "pages"}}},
    "email": {
        "to": "ml@example.com",
        "from": "leeway@example.com",
        "smarthost": "mailbox.example.com:25",
        "requireTLS": False,
        "severities": ["critical"],
    },
    "teams": {"fraud": {"slack": {"existingSecret": "fraud"}, "email": {"to": "fraud@example.com"}}},
    "watchdog": {"existingSecret": "heartbeat"},
}
# Labels of an alert → the receiver, and how often it is told again.
ROUTES = {
    "alertname=ModelNotLoaded severity=critical": ("default-critical", "4h"),
    "alertname=ModelErrors severity=warning": ("default-warning", "1d"),
    "alertname=ModelErrors": ("default-warning", "1d"),
    "alertname=DriftSlow severity=info": ("default-info-once", "1y"),
    "alertname=RolloutPromoted severity=info": ("default-info-once", "1y"),
    "alertname=RolloutRolledBack severity=warning": ("default-warning-once", "1y"),
    "alertname=Watchdog severity=info": ("watchdog", "5m"),
    "alertname=ModelNotLoaded severity=critical team=fraud": ("team-fraud-critical", "4h"),
    "alertname=ModelErrors severity=warning team=fraud": ("team-fraud-warning", "1d"),
    "alertname=RolloutRolledBack severity=warning team=fraud": ("team-fraud-warning-once", "1y"),
    "alertname=DriftSlow severity=info team=fraud": ("team-fraud-info-once", "1y"),
    "alertname=ModelErrors severity=warning team=unheard-of": ("default-warning", "1d"),
}


def labels(text: str) -> dict[str, str]:
    return dict(part.split("=") for part in text.split())


@pytest.fixture
def config(configured: Configured) -> Path:
    return configured(EVERYBODY)


def test_alertmanager_takes_it(config: Path) -> None:
    assert "SUCCESS" in pipeline.amtool("check-config", config)


@pytest.mark.parametrize("given", ROUTES)
def test_each_alert_reaches_one_receiver(config: Path, given: str) -> None:
    receiver, _ = ROUTES[given]
    route = ("config", "routes", "test", f"--config.file={config}")
    pipeline.amtool(*route, f"--verify.receivers=leeway/leeway/{receiver}", "namespace=leeway", *given.split())


def test_the_alerts_of_other_namespaces_are_not_ours(config: Path) -> None:
    route = ("config", "routes", "test", f"--config.file={config}", "--verify.receivers=nobody")
    pipeline.amtool(*route, "namespace=elsewhere", "alertname=ModelErrors", "severity=critical", "team=fraud")


def test_what_goes_on_is_told_again_by_its_severity(config: Path) -> None:
    known = {text: labels(text) for text in ROUTES if "severity" in text}
    given = [alert(one.pop("alertname"), model=f"m{number}", **one) for number, one in enumerate(known.values())]
    sent = pipeline.deliver(config, given)["sent"]
    assert [(one["receiver"], one["repeatInterval"]) for one in sent] == [
        (f"leeway/leeway/{receiver}", repeat) for text, (receiver, repeat) in ROUTES.items() if text in known
    ]


def test_one_message_holds_one_alert_of_one_model(config: Path) -> None:
    given = [
        alert("DriftAbrupt", model="flights", version="1.0.0", detector="abrupt", severity="warning"),
        alert("DriftAbrupt", model="flights", version="1.1.0", detector="relation", severity="warning"),
        alert("DriftAbrupt", model="fares", version="1.0.0", severity="warning"),
        alert("DriftAbrupt", model="flights", model_namespace="team", version="1.0.0", severity="warning"),
        alert("DataQuality", model="trains", version="1.0.0", severity="warning"),
    ]
    sent = pipeline.deliver(config, given)["sent"]
    assert [len(one["alerts"]) for one in sent] == [2, 1, 1, 1]


def test_a_severity_reaches_its_webhook_and_its_mail(config: Path, mailbox: Mailbox) -> None:
    pipeline.deliver(config, [alert("ModelNotLoaded", model="flights", severity="critical")])
    pipeline.deliver(config, [alert("ModelErrors", model="flights", severity="warning")])
    pipeline.deliver(config, [alert("ModelNotLoaded", model="cards", severity="critical", team="fraud")])
    pipeline.deliver(config, [alert("Watchdog", severity="info")])
    told = [message.get("path") or message["recipients"] for message in mailbox.messages()]
    # Of one receiver the mail goes first.
    assert told == [["ml@example.com"], "/pages", "/everybody", ["fraud@example.com"], "/fraud", "/heartbeat"]


@pytest.mark.parametrize(
    ("name", "severity", "told"),
    [
        ("ModelNotLoaded", "critical", True),
        ("ModelErrors", "warning", True),
        ("RolloutRolledBack", "warning", False),
        ("RolloutPromoted", "info", False),
        ("DriftSlow", "info", False),
        ("Watchdog", "info", False),
    ],
)
def test_an_end_is_told_of_what_has_one(config: Path, name: str, severity: str, *, told: bool) -> None:
    (sent,) = pipeline.deliver(config, [alert(name, severity=severity, resolved=True)])["sent"]
    assert bool(sent["integrations"]) is told
    (sent,) = pipeline.deliver(config, [alert(name, severity=severity)])["sent"]
    assert sent["integrations"]


def test_without_a_heartbeat_the_watchdog_tells_nobody(configured: Configured) -> None:
    config = configured({"slack": {"existingSecret": "everybody"}})
    (sent,) = pipeline.deliver(config, [alert("Watchdog", severity="info")])["sent"]
    assert sent["integrations"] == []


def test_the_operator_is_asked_in_the_version_that_leeway_runs() -> None:
    required = (Path(__file__).parent / "delivery/go.mod").read_text()
    assert f"github.com/prometheus-operator/prometheus-operator {pipeline.version('prometheus-operator')}\n" in required
    # A patch of Alertmanager may differ: this version is what the operator's build in tools/prometheus has already.
    assert f"github.com/prometheus/alertmanager {pipeline.version('alertmanager').rpartition('.')[0]}." in required
