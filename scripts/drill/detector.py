"""The detector's API as the cluster's administrator reaches it: through the API server, since it is never routed."""

import http.client
import json
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from cluster import demo
from cluster.addons.kube import Kube

_SERVICE = f"/api/v1/namespaces/{demo.NAMESPACE}/services/{demo.RELEASE}-drift-detector:80/proxy"


class RefusedError(RuntimeError):
    """The detector, or the API server before it, did not do what it was asked; `status` is its code."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the code beside the message."""
        super().__init__(message)
        self.status = status


class Detector:
    """The detector of one cluster.

    Not by kubectl, which sends bodies without saying that they are JSON, and which is a process for every look.

    Args:
        kubeconfig: that `make up` wrote; its certificates are files.
    """

    def __init__(self, kubeconfig: Path) -> None:
        """Read address and certificates."""
        document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self._server = urlsplit(cluster["server"]).netloc
        self._context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._context.load_cert_chain(user["client-certificate"], user["client-key"])

    def begin(self, *, version: str, start: int, speed: float) -> tuple[str, str]:
        """Register a drill; return its name and what the request ids of its requests have to begin with.

        Args:
            version: whose profile judges.
            start: event time of the first moment, seconds since the epoch.
            speed: seconds of event time per second.

        Raises:
            RefusedError: for example because as many drills are on as may be.
        """
        question = {
            "namespace": demo.NAMESPACE,
            "model": demo.MODEL,
            "version": version,
            "start": datetime.fromtimestamp(start, UTC).isoformat(),
            "speed": speed,
        }
        answer = self._ask("POST", "/v1/simulate", question)
        return answer["drill"], answer["request_id_prefix"]

    def status(self, version: str, drill: str | None = None) -> dict[str, Any]:
        """Return the status document of a version, or of a drill on it.

        Raises:
            RefusedError: with status 404 if the detector does not know it.
        """
        of = "" if drill is None else f"?drill={drill}"
        return self._ask("GET", f"/v1/status/{demo.NAMESPACE}/{demo.MODEL}/{version}{of}")

    def profile(self, version: str) -> dict[str, Any]:
        """Return what the detector knows of a version's profile; `pending` while it has not seen the version."""
        try:
            known: dict[str, Any] = self.status(version)["profile"]
        except RefusedError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise
            return {"state": "pending", "reason": "the detector has not seen an event of it"}
        return known

    def end(self, drill: str) -> None:
        """Forget a drill.

        Raises:
            RefusedError: it is not on.
        """
        self._ask("DELETE", f"/v1/simulate/{drill}")

    def feedback(self, labels: list[dict[str, Any]]) -> dict[str, Any]:
        """Send true labels, as `POST /v1/feedback` takes them; return what became of each.

        Raises:
            RefusedError: none was taken, or not all.
        """
        return self._ask("POST", "/v1/feedback", labels)

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        connection = http.client.HTTPSConnection(self._server, timeout=20, context=self._context)
        try:
            headers = {"content-type": "application/json"}
            connection.request(method, _SERVICE + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            words = text[:300].decode(errors="replace")
            raise RefusedError(answer.status, f"{method} {path} was answered {answer.status}: {words}")
        document: dict[str, Any] = json.loads(text)
        return document


def stable_version(kube: Kube) -> str:
    """Return the version of the model that serves.

    Raises:
        CommandFailedError: there is no such model.
    """
    path = "--output=jsonpath={.status.stable.version}"
    return kube.kubectl("get", "modelrollout", demo.MODEL, f"--namespace={demo.NAMESPACE}", path).strip()
