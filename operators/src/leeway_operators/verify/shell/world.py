"""The cluster as faults are injected into it: two verbs on Deployments and PodMonitors, and the messages that come."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import kubernetes.client as k8s

from leeway_operators.shell.source import SourceError
from leeway_operators.verify.core.faults import Change, Create, Delete, Scale
from leeway_operators.verify.shell.cluster import Cluster
from leeway_operators.verify.shell.prometheus import Ask, HttpPrometheus

_CONFLICT = 409
_MONITORS = "/apis/monitoring.coreos.com/v1/namespaces/{}/podmonitors"
_DEPLOYMENT = "/apis/apps/v1/namespaces/{}/deployments/{}/scale"


class InjectionError(Exception):
    """The fault would be none; the text says why."""


class RealWorld:
    """`core.drive.World` on a cluster."""

    def __init__(
        self,
        cluster: Cluster,
        prometheus: HttpPrometheus,
        inbox: Callable[[], Sequence[str]],
        say: Callable[[str], None],
    ) -> None:
        """`inbox` gives every message that has arrived, oldest first."""
        self._cluster = cluster
        self._prometheus = prometheus
        self._inbox = inbox
        self._known: Sequence[str] = ()
        self.say = say

    def now(self) -> float:
        """See `World`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `World`."""
        time.sleep(seconds)

    def change(self, change: Change) -> Change:
        """See `World`.

        Raises:
            InjectionError: the Deployment has no replicas that could be missed, or the PodMonitor is there already.
        """
        match change:
            case Scale(namespace, name, replicas):
                path = _DEPLOYMENT.format(namespace, name)
                before = int(self._cluster.get(path).get("spec", {}).get("replicas", 0))
                if not before and not replicas:
                    raise InjectionError(f"Deployment {namespace}/{name} has no replicas already")
                self._cluster.patch(path, {"spec": {"replicas": replicas}})
                return Scale(namespace, name, before)
            case Create(body):
                return self._create(body)
            case Delete(namespace, name):
                path = f"{_MONITORS.format(namespace)}/{name}"
                body = self._cluster.get(path)
                self._cluster.delete(path)
                return Create(body)

    def _create(self, body: Mapping[str, Any]) -> Change:
        gone = Delete(body["metadata"]["namespace"], body["metadata"]["name"])
        try:
            self._cluster.create(_MONITORS.format(gone.namespace), body)
        except k8s.ApiException as error:
            if error.status == _CONFLICT:
                raise InjectionError(f"PodMonitor {gone.namespace}/{gone.name} is there already: {gone}") from error
            raise
        return gone

    def firing(self) -> Sequence[Mapping[str, str]]:
        """See `World`; Prometheus that does not answer for a moment says nothing of any."""
        try:
            return self._prometheus.firing()
        except SourceError as error:
            self.say(str(error))
            return []

    def told(self) -> Sequence[str]:
        """See `World`; what is known stays known while the inbox does not answer."""
        try:
            self._known = self._inbox()
        except SourceError as error:
            self.say(str(error))
        return self._known


class Posted:
    """Messages that a stub in Slack's place has taken: a JSON list at its address, oldest first."""

    def __init__(self, url: str, get: Callable[[str], Any]) -> None:
        self._url = url
        self._get = get

    def __call__(self) -> Sequence[str]:
        """Each message as text.

        Raises:
            SourceError: the address answers with no list.
        """
        told = self._get(self._url)
        if not isinstance(told, list):
            raise SourceError(f"{self._url} answered with no list of messages")
        return [_text(one) for one in told]


class Routed:
    """Without a stub: what Alertmanager routes, to which receivers, and what it no longer does."""

    def __init__(self, prometheus: HttpPrometheus, ask: Ask) -> None:
        self._prometheus = prometheus
        self._ask = ask
        self._active: dict[str, str] = {}
        self._told: list[str] = []

    def __call__(self) -> Sequence[str]:
        """A line for each alert that began or ended since the last call."""
        now = {}
        for base in self._prometheus.alertmanagers():
            for alert in self._ask(base, "api/v2/alerts", {}):
                if alert["status"]["state"] == "active":
                    receivers = ", ".join(receiver["name"] for receiver in alert["receivers"])
                    text = alert["annotations"].get("description", "")
                    now[alert["fingerprint"]] = f"{alert['labels'].get('alertname')} to {receivers}: {text}"
        self._told += [f"FIRING {line}" for key, line in now.items() if key not in self._active]
        self._told += [f"RESOLVED {line}" for key, line in self._active.items() if key not in now]
        self._active = now
        return list(self._told)


def _text(message: Any) -> str:
    """What a person reads of a message: Slack's attachments, a mail, or whatever else it is."""
    if isinstance(message, dict):
        body = message.get("body")
        attachments = body.get("attachments") if isinstance(body, dict) else None
        if attachments:
            return "\n".join(f"{one.get('title', '')}: {one.get('text', '')}" for one in attachments)
        if "subject" in message:
            return f"{message['subject']}: {message.get('text', '')}"
    return message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
