"""Prometheus and Alertmanager of the built-in cluster: what waits, what is silenced, and both of them begun anew."""

import json
from datetime import datetime
from pathlib import Path

from story import Story, eventually

from cluster.addons import monitoring
from cluster.shell import CommandFailedError, run
from drill.api import service

_BOTH = "app.kubernetes.io/name in (prometheus,alertmanager)"


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
        return self._say("silence", "query", "--quiet").split()

    def begin_anew(self) -> None:
        """Delete the pods of both, and wait until others answer."""
        before = self._pods()
        self._kubectl("delete", "pods", f"--selector={_BOTH}", "--wait=false")

        def answers() -> bool:
            now = self._pods()
            if len(now) < len(before) or any(now[name] in (before[name], "") for name in now):
                return False
            try:
                self.silences()
            except CommandFailedError:  # its Service does not lead to the new pod yet
                return False
            return monitoring.targets(self._story.kube) is not None

        eventually(answers, seconds=180, what="another Prometheus and another Alertmanager")

    def _pods(self) -> dict[str, str]:
        """Return the uid of each pod by its name, empty for one that is not ready."""
        found = json.loads(self._kubectl("get", "pods", f"--selector={_BOTH}", "--output=json"))["items"]
        ready = {"type": "Ready", "status": "True"}
        return {
            pod["metadata"]["name"]: pod["metadata"]["uid"]
            if any(ready.items() <= condition.items() for condition in pod["status"].get("conditions", []))
            else ""
            for pod in found
        }

    def _kubectl(self, *arguments: str) -> str:
        return self._story.kube.kubectl(*arguments, f"--namespace={monitoring.NAMESPACE}")

    def _say(self, *arguments: str) -> str:
        return run([*self._amtool, *arguments])
