"""Prometheus and Alertmanager of the built-in cluster: what waits, what is silenced, and each of them begun anew."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from story import Story, eventually

from cluster.addons import monitoring
from cluster.shell import CommandFailedError, run
from drill.alerts.catalog import Drill
from drill.alerts.follow import promised_by
from drill.alerts.world import promise_of
from drill.api import service

_SILENCES = ("silence", "query", "--quiet")


class Alerting:
    """Both of them."""

    def __init__(self, story: Story) -> None:
        self._story = story
        here = f"--namespace={monitoring.NAMESPACE}"
        address = story.kube.kubectl("get", "service", "alertmanager", here, "--output=jsonpath={.spec.clusterIP}")
        self._amtool: list[str | Path] = [
            story.cluster.bin / "amtool",
            f"--alertmanager.url=http://{address}:9093",
            "--no-version-check",
        ]

    def since(self, alert: str, namespace: str) -> datetime | None:
        """Return when an alert of a release began to wait or to fire; None if it does not, or Prometheus is away."""
        labels = {"alertname": alert, "namespace": namespace}
        try:
            alerts = self._ask("alerts")["alerts"]
        except CommandFailedError:  # it is begun anew
            return None
        begun = [datetime.fromisoformat(one["activeAt"]) for one in alerts if labels.items() <= one["labels"].items()]
        return min(begun, default=None)

    def waits_for(self, alert: str, namespace: str, *, seconds: float) -> bool:
        """Whether an alert of a release began to wait or to fire longer ago than that."""
        since = self.since(alert, namespace)
        return since is not None and (datetime.now(UTC) - since).total_seconds() > seconds

    def promised(self, drill: Drill, namespace: str) -> float:
        """Return the seconds within which Slack has to be told of a drill's fault, by the rule of this release."""
        promise = promise_of(self._ask("rules?type=alert")["groups"], drill.alert, namespace)
        assert promise is not None, f"no rule of {drill.alert} in namespace {namespace}"
        return promised_by(promise, drill.notice)

    def fires(self, alert: str) -> bool:
        """Whether Alertmanager has it as firing, and neither silenced nor hidden by another."""
        return alert in self._say("alert", "query", alert)

    def fire(self, alert: str, *, seconds: float = 300, **labels: str) -> None:
        """Have an alert fire that no rule raises, for so long."""
        end = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        self._say("alert", "add", alert, f"--end={end}", *(f"{name}={value}" for name, value in labels.items()))

    def silence(self, alert: str) -> str:
        """Silence an alert for an hour; return the silence's id."""
        return self._say("silence", "add", alert, "--author=stories", "--comment=a trial", "--duration=1h").strip()

    def silences(self) -> list[str]:
        """Return the ids of those that hold."""
        return self._say(*_SILENCES).split()

    def begin_anew(self, name: str) -> None:
        """Delete the pod of "prometheus" or "alertmanager", and wait until another one answers."""
        before = self._ready(name)
        self._kubectl("delete", "pods", f"--selector=app.kubernetes.io/name={name}", "--wait=false")

        def answers() -> bool:
            if self._ready(name) in ("", before):
                return False
            try:
                self.silences()
            except CommandFailedError:  # its Service does not lead to the new pod yet
                return False
            return monitoring.targets(self._story.kube) is not None

        eventually(answers, seconds=180, what=f"another {name}")

    def _ready(self, name: str) -> str:
        """Return the uid of its pod, empty while none is ready."""
        selector = f"--selector=app.kubernetes.io/name={name}"
        ready = {"type": "Ready", "status": "True"}
        uids = [
            pod["metadata"]["uid"]
            for pod in json.loads(self._kubectl("get", "pods", selector, "--output=json"))["items"]
            if any(ready.items() <= condition.items() for condition in pod["status"].get("conditions", []))
        ]
        return uids[0] if uids else ""

    def _ask(self, path: str) -> Any:
        """Return what Prometheus answers.

        Raises:
            CommandFailedError: it does not.
        """
        prometheus = f"{service(monitoring.NAMESPACE, 'prometheus', 9090)}/api/v1"
        return json.loads(self._story.kube.kubectl("get", "--raw", f"{prometheus}/{path}"))["data"]

    def _kubectl(self, *arguments: str) -> str:
        return self._story.kube.kubectl(*arguments, f"--namespace={monitoring.NAMESPACE}")

    def _say(self, *arguments: str) -> str:
        return run([*self._amtool, *arguments])
