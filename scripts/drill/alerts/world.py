"""The cluster as drills look at it: what fires, what was told, which rules and receivers are loaded."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from cluster.addons import monitoring
from drill.alerts.follow import Promise
from drill.alerts.mailbox import Mailbox
from drill.alerts.outcome import Message
from drill.api import ApiServer, RefusedError, service

_PROMETHEUS = service(monitoring.NAMESPACE, "prometheus", 9090) + "/api/v1"
_ALERTMANAGER = service(monitoring.NAMESPACE, "alertmanager", 9093) + "/api/v2"
# Drills side by side look at the same answers.
_FRESH_SECONDS = 2.0


class Interrupted(RuntimeError):  # noqa: N818 - it says what is the case
    """A person has seen enough, or another drill ended all of them."""


class Shared:
    """An answer that several threads look at, asked for again once it is old.

    Args:
        ask: for a fresh one.
        now: seconds, of a clock that only goes forward.
    """

    def __init__(self, ask: Callable[[], Sequence[Any]], now: Callable[[], float]) -> None:
        self._ask, self._now = ask, now
        self._lock = threading.Lock()
        self._known: Sequence[Any] = ()
        self._until = float("-inf")

    def __call__(self) -> Sequence[Any]:
        """Return it; the last one, where nobody answers for a moment."""
        with self._lock:
            if self._now() >= self._until:
                # Where a pod is replaced, what is known stays known, and deadlines go on.
                with contextlib.suppress(RefusedError, OSError):
                    self._known = self._ask()
                self._until = self._now() + _FRESH_SECONDS
            return self._known


class RealWorld:
    """`follow.World` on the built-in cluster, for several threads.

    Args:
        api: leads to Prometheus and Alertmanager.
        mailbox: in Slack's place.
        say: prints a line.
        over: set once everybody is to end.
    """

    def __init__(self, api: ApiServer, mailbox: Mailbox, say: Callable[[str], None], over: threading.Event) -> None:
        self._api, self._over, self._say = api, over, say
        self._alerts = Shared(self._ask_alerts, time.monotonic)
        self._messages = Shared(mailbox.messages, time.monotonic)
        self._saying = threading.Lock()

    def now(self) -> float:
        """See `World`."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """See `World`.

        Raises:
            Interrupted: everybody is to end.
        """
        if self._over.wait(seconds):
            raise Interrupted("ended before its end")

    def firing(self) -> Sequence[Mapping[str, str]]:
        """See `World`."""
        return [alert["labels"] for alert in self._alerts() if alert["state"] == "firing"]

    def noticed(self, labels: Mapping[str, str]) -> bool:
        """Whether the expression of an alert with these labels holds: it is pending, or fires."""
        return any(labels.items() <= alert["labels"].items() for alert in self._alerts())

    def messages(self) -> Sequence[Message]:
        """See `World`."""
        return self._messages()

    def say(self, line: str) -> None:
        """See `World`; a line at a time."""
        with self._saying:
            self._say(line)

    def until(self, holds: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait for something that other processes bring about.

        Raises:
            TimeoutError: it did not come about in time; names `what`.
            Interrupted: everybody is to end.
        """
        end = self.now() + seconds
        while not holds():
            if self.now() >= end:
                raise TimeoutError(f"{what}: not within {seconds:.0f} s")
            self.wait(1.0)

    def promise(self, alert: str, namespace: str) -> Promise | None:
        """Return what the rule of a release promises; None while Prometheus has not loaded it."""
        try:
            groups = self._api.ask("GET", f"{_PROMETHEUS}/rules?type=alert")["data"]["groups"]
        except (RefusedError, OSError):  # it is reloaded just now
            return None
        return promise_of(groups, alert, namespace)

    def receives(self, namespace: str) -> bool:
        """Whether Alertmanager has loaded receivers of a release in this namespace."""
        try:
            text = self._api.ask("GET", f"{_ALERTMANAGER}/status")["config"]["original"]
        except (RefusedError, OSError):  # it is reloaded just now
            return False
        return receives(text, namespace)

    def _ask_alerts(self) -> Sequence[Mapping[str, Any]]:
        alerts: Sequence[Mapping[str, Any]] = self._api.ask("GET", f"{_PROMETHEUS}/alerts")["data"]["alerts"]
        return alerts


def promise_of(groups: Sequence[Mapping[str, Any]], alert: str, namespace: str) -> Promise | None:
    """Return the shortest promise of a release's alert, from `groups` of /api/v1/rules; None if there is no rule."""
    found = [
        Promise(seconds=float(rule["duration"]), interval=float(group["interval"]))
        for group in groups
        for rule in group["rules"]
        if rule["name"] == alert and rule["labels"].get("namespace") == namespace
    ]
    return min(found, key=lambda promise: promise.seconds, default=None)


def receives(configuration: str, namespace: str) -> bool:
    """Whether a configuration of Alertmanager has receivers of an AlertmanagerConfig in this namespace."""
    receivers = yaml.safe_load(configuration).get("receivers") or []
    return any(receiver["name"].startswith(f"{namespace}/") for receiver in receivers)
