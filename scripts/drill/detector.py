"""The detector's API as the cluster's administrator reaches it: through the API server, since it is never routed."""

import http
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster import demo
from cluster.addons.kube import Kube
from drill.api import ApiServer, RefusedError, service

__all__ = ["Detector", "RefusedError", "stable_version"]

_SERVICE = service(demo.NAMESPACE, f"{demo.RELEASE}-drift-detector", 80)


class Detector:
    """The detector of one cluster.

    Args:
        kubeconfig: that `make up` wrote.
    """

    def __init__(self, kubeconfig: Path) -> None:
        """Read address and certificates."""
        self._api = ApiServer(kubeconfig)

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

    def status(
        self, version: str, drill: str | None = None, *, namespace: str = demo.NAMESPACE, model: str = demo.MODEL
    ) -> dict[str, Any]:
        """Return the status document of a version, or of a drill on it.

        Raises:
            RefusedError: with status 404 if the detector does not know it.
        """
        of = "" if drill is None else f"?drill={drill}"
        return self._ask("GET", f"/v1/status/{namespace}/{model}/{version}{of}")

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
        document: dict[str, Any] = self._api.ask(method, _SERVICE + path, body)
        return document


def stable_version(kube: Kube) -> str:
    """Return the version of the model that serves.

    Raises:
        CommandFailedError: there is no such model.
    """
    path = "--output=jsonpath={.status.stable.version}"
    return kube.kubectl("get", "modelrollout", demo.MODEL, f"--namespace={demo.NAMESPACE}", path).strip()
