"""Fixtures: the chart's AlertmanagerConfig as an Alertmanager's configuration, and an inbox in the place of Slack."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import yaml
from chart.rendering import CHART, Manifest, run_helm

from alertmanager import pipeline
from drill.alerts.inbox import Inbox, MailServer, webhook_server

Configured = Callable[[Manifest], Path]
"""Values of monitoring.alertmanagerConfig → the file that Alertmanager is given."""


class Mailbox(Inbox):
    """An inbox that serves on this machine."""

    def __init__(self) -> None:
        super().__init__()
        self._servers = [webhook_server(self, 0), MailServer(self, 0)]
        self.webhook, self.smarthost = (f"127.0.0.1:{server.server_address[1]}" for server in self._servers)

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=server.serve_forever).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Stands in for Slack and for the mail server, and starts empty."""
    with Mailbox() as serving:
        yield serving


@pytest.fixture
def configured(mailbox: Mailbox, tmp_path: Path) -> Configured:
    """Webhooks lead to the mailbox, at the path of the Secret's name; mailbox.example.com:25 is its mail server."""

    def configure(values: Manifest) -> Path:
        given = {"prerequisites": {"check": False}, "monitoring": {"alertmanagerConfig": {"enabled": True, **values}}}
        template = ["template", "leeway", str(CHART), "--namespace=leeway"]
        text = run_helm(*template, "--show-only=templates/monitoring/alertmanagerconfig.yaml", values=given)
        config = yaml.safe_load(text.replace("mailbox.example.com:25", mailbox.smarthost))
        names = {
            slack["apiURL"]["name"] for one in config["spec"]["receivers"] for slack in one.get("slackConfigs", [])
        } | {hook["urlSecret"]["name"] for one in config["spec"]["receivers"] for hook in one.get("webhookConfigs", [])}
        secrets = {name: {"url": f"http://{mailbox.webhook}/{name}"} for name in names}
        path = tmp_path / "alertmanager.yaml"
        path.write_text(pipeline.convert([config], secrets), encoding="utf-8")
        return path

    return configure
