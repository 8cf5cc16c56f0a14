"""An inbox in the cluster that stands in for Slack and for a mail server, and what Alertmanager has sent to it.

A pod with the image of the operators, since a pod may not be able to reach whoever waits for the messages; it is read
through the API server.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.addons.kube import Kube
from cluster.progress import wait_until
from drill.api import ApiServer, RefusedError, service

NAMESPACE = "leeway-inbox"
SECRET = "leeway-slack"  # noqa: S105 - a name
_NAME, _HTTP, _SMTP = "inbox", 8080, 2525
WEBHOOK = f"http://{_NAME}.{NAMESPACE}.svc:{_HTTP}/slack"
"""Address of Slack's stand-in, for pods."""
URL = f"http://{_NAME}.{NAMESPACE}.svc:{_HTTP}/messages"
"""Where all that came is listed, for whoever reaches Services."""
_PROGRAM = Path(__file__).with_name("inbox.py")

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Mailbox:
    """What came to the inbox.

    Attributes:
        api: leads to it.
    """

    api: ApiServer

    def values(self) -> Manifest:
        """Values of the chart that have alerts sent here, and soon."""
        return values()

    def secret(self, namespace: str) -> Manifest:
        """Return the Secret with the webhook for a release that alerts from this namespace."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": namespace},
            "stringData": {"url": WEBHOOK},
        }

    def messages(self) -> list[Manifest]:
        """Return all that came, oldest first (inbox.py).

        Raises:
            RefusedError: the inbox is not there.
            OSError: nor is the API server.
        """
        found: list[Manifest] = self.api.ask("GET", f"{service(NAMESPACE, _NAME, _HTTP)}/messages")
        return found

    def slack(self) -> list[Manifest]:
        """Return the attachments that Slack would have shown, oldest first: title, text, color, actions."""
        return shown(self.messages())

    def wait(self, wanted: Callable[[Manifest], bool], *, seconds: float, what: str) -> Manifest:
        """Return the first message in Slack that is `wanted`.

        Raises:
            TimeoutError: none came in time; the message names those that did.
        """
        try:
            wait_until(lambda: any(map(wanted, self.slack())), seconds=seconds, what=what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; there are {[one['title'] for one in self.slack()]}") from error
        return next(filter(wanted, self.slack()))


def values() -> Manifest:
    """Values of the chart that have alerts sent to the inbox, and soon."""
    smarthost = f"{_NAME}.{NAMESPACE}.svc:{_SMTP}"
    email = {"to": "ml@example.com", "from": "leeway@example.com", "smarthost": smarthost, "requireTLS": False}
    slack, grouping = {"existingSecret": SECRET}, {"wait": "1s", "interval": "5s"}
    return {"monitoring": {"alertmanagerConfig": {"slack": slack, "email": email, "grouping": grouping}}}


def shown(messages: Iterable[Mapping[str, Any]]) -> list[Manifest]:
    """Return what Slack shows of the messages of an inbox, oldest first."""
    posts = (message["body"] for message in messages if message["by"] == "webhook")
    return [attachment for post in posts for attachment in post["attachments"]]


@contextmanager
def mailbox(kube: Kube, image: str, *, namespaces: Sequence[str]) -> Iterator[Mailbox]:
    """Run an inbox until the block ends.

    Args:
        kube: the cluster.
        image: one with a python3.11, such as that of the operators.
        namespaces: of the releases whose alerts go there; each gets the Secret with the webhook.

    Raises:
        CommandFailedError: the cluster refused it.
        TimeoutError: it does not answer.
    """
    inbox = Mailbox(ApiServer(kube.kubeconfig))
    try:
        kube.apply([*objects(image), *map(inbox.secret, namespaces)])
        kube.kubectl("wait", f"pod/{_NAME}", f"--namespace={NAMESPACE}", "--for=condition=Ready", "--timeout=120s")
        wait_until(lambda: _answers(inbox), seconds=30, what="an answer of the inbox")
        yield inbox
    finally:
        for namespace in namespaces:
            kube.kubectl("delete", "secret", SECRET, f"--namespace={namespace}", "--ignore-not-found")
        kube.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


def _answers(inbox: Mailbox) -> bool:
    try:
        inbox.messages()
    except RefusedError:  # its Service does not lead to it yet
        return False
    return True


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
