"""Prometheus and Alertmanager of the built-in cluster: what waits, what is silenced, and each of them begun anew."""

import json
from datetime import datetime
from pathlib import Path

from story import Story, eventually

from cluster.addons import monitoring
from cluster.shell import CommandFailedError, run
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

    def since(self, alert: str) -> datetime | None:
        """Return when an alert began to wait or to fire, as Prometheus has it; None if it does not, or none answers."""
        path = f"{service(monitoring.NAMESPACE, 'prometheus', 9090)}/api/v1/alerts"
        try:
            alerts = json.loads(self._story.kube.kubectl("get", "--raw", path))["data"]["alerts"]
        except CommandFailedError:  # it is begun anew
            return None
        begun = [datetime.fromisoformat(one["activeAt"]) for one in alerts if one["labels"]["alertname"] == alert]
        return min(begun, default=None)

    def fires(self, alert: str) -> bool:
        """Whether Alertmanager has it as firing, and neither silenced nor hidden by another."""
        return alert in self._say("alert", "query", alert)

    def fire(self, alert: str, **labels: str) -> None:
        """Have an alert fire that no rule raises; it ends by itself after five minutes."""
        self._say("alert", "add", alert, *(f"{name}={value}" for name, value in labels.items()))

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

    def _kubectl(self, *arguments: str) -> str:
        return self._story.kube.kubectl(*arguments, f"--namespace={monitoring.NAMESPACE}")

    def _say(self, *arguments: str) -> str:
        return run([*self._amtool, *arguments])
