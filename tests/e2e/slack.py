"""An inbox in the cluster that stands in for Slack and for a mail server, and what Alertmanager has sent to it.

A pod with the image of the operators, since a pod may not be able to reach whoever runs the tests; it is read through
the API server.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from story import eventually

from cluster.addons.kube import Kube
from cluster.shell import CommandFailedError

NAMESPACE = "leeway-inbox"
SECRET = "leeway-slack"  # noqa: S105 - a name
_NAME, _HTTP, _SMTP = "inbox", 8080, 2525
_PROGRAM = Path(__file__).with_name("inbox.py")

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Mailbox:
    """What came to the inbox.

    Attributes:
        webhook: address of Slack's stand-in, for pods.
        smarthost: that of the mail server's.
    """

    kube: Kube
    webhook: str = f"http://{_NAME}.{NAMESPACE}.svc:{_HTTP}/slack"
    smarthost: str = f"{_NAME}.{NAMESPACE}.svc:{_SMTP}"

    def values(self) -> Manifest:
        """Values of the chart that have alerts sent here, and soon."""
        email = {"to": "ml@example.com", "from": "leeway@example.com", "smarthost": self.smarthost, "requireTLS": False}
        slack, grouping = {"existingSecret": SECRET}, {"wait": "1s", "interval": "5s"}
        return {"monitoring": {"alertmanagerConfig": {"slack": slack, "email": email, "grouping": grouping}}}

    def messages(self) -> list[Manifest]:
        """Return all that came, oldest first (inbox.py)."""
        path = f"/api/v1/namespaces/{NAMESPACE}/services/{_NAME}:{_HTTP}/proxy/messages"
        found: list[Manifest] = json.loads(self.kube.kubectl("get", "--raw", path))
        return found

    def slack(self) -> list[Manifest]:
        """Return the attachments that Slack would have shown, oldest first: title, text, color, actions."""
        posts = (message["body"] for message in self.messages() if message["by"] == "webhook")
        return [attachment for post in posts for attachment in post["attachments"]]

    def wait(self, shown: Callable[[Manifest], bool], *, seconds: float, what: str) -> Manifest:
        """Return the first message in Slack that is `shown`.

        Raises:
            AssertionError: none came in time; the message names those that did.
        """
        try:
            eventually(lambda: any(map(shown, self.slack())), seconds=seconds, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}; there are {[one['title'] for one in self.slack()]}") from error
        return next(filter(shown, self.slack()))


@contextmanager
def mailbox(kube: Kube, image: str, *, namespaces: tuple[str, ...]) -> Iterator[Mailbox]:
    """Run an inbox until the block ends.

    Args:
        kube: the cluster.
        image: one with a python3.11, such as that of the operators.
        namespaces: of the releases whose alerts go there; each gets the Secret with the webhook.
    """
    inbox = Mailbox(kube)
    kube.apply([*objects(image), *(_secret(namespace, inbox.webhook) for namespace in namespaces)])
    try:
        kube.kubectl("wait", f"pod/{_NAME}", f"--namespace={NAMESPACE}", "--for=condition=Ready", "--timeout=120s")
        eventually(lambda: _answers(inbox), seconds=30, what="an answer of the inbox")
        yield inbox
    finally:
        for namespace in namespaces:
            kube.kubectl("delete", "secret", SECRET, f"--namespace={namespace}", "--ignore-not-found")
        kube.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


def _answers(inbox: Mailbox) -> bool:
    try:
        inbox.messages()
    except CommandFailedError:  # its Service does not lead to it yet
        return False
    return True


def _secret(namespace: str, webhook: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace},
        "stringData": {"url": webhook},
    }


def objects(image: str) -> list[Manifest]:
    """Return what the inbox is made of, its namespace first."""
    there = {"name": _NAME, "namespace": NAMESPACE, "labels": {"app": _NAME}}
    ports = {"http": _HTTP, "smtp": _SMTP}
    container = {
        "name": _NAME,
        "image": image,
        "command": ["python3.11", f"/program/{_PROGRAM.name}", str(_HTTP), str(_SMTP)],
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        "readinessProbe": {"httpGet": {"path": "/messages", "port": _HTTP}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "program", "mountPath": "/program"}],
    }
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "program", "configMap": {"name": _NAME}}],
    }
    program = {_PROGRAM.name: _PROGRAM.read_text(encoding="utf-8")}
    served = [{"name": name, "port": port} for name, port in ports.items()]
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": there, "data": program},
        {"apiVersion": "v1", "kind": "Pod", "metadata": there, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": there,
            "spec": {"selector": {"app": _NAME}, "ports": served},
        },
    ]
