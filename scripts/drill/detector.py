"""The detector's API as the cluster's administrator reaches it: through the API server, since it is never routed."""

import json
from datetime import UTC, datetime
from typing import Any

from cluster import demo
from cluster.addons.kube import Kube

_SERVICE = f"/api/v1/namespaces/{demo.NAMESPACE}/services/{demo.RELEASE}-drift-detector:80/proxy"


def begin(kube: Kube, *, version: str, start: int, speed: float) -> tuple[str, str]:
    """Register a drill; return its name and what the request ids of its requests have to begin with.

    Args:
        kube: the cluster.
        version: whose profile judges.
        start: event time of the first moment, seconds since the epoch.
        speed: seconds of event time per second.

    Raises:
        CommandFailedError: the detector refused, for example because four drills are on.
    """
    question = {
        "namespace": demo.NAMESPACE,
        "model": demo.MODEL,
        "version": version,
        "start": datetime.fromtimestamp(start, UTC).isoformat(),
        "speed": speed,
    }
    answer = json.loads(
        kube.kubectl("create", "--raw", f"{_SERVICE}/v1/simulate", "--filename=-", stdin=json.dumps(question))
    )
    return answer["drill"], answer["request_id_prefix"]


def status(kube: Kube, version: str, drill: str | None = None) -> dict[str, Any]:
    """Return the status document of a version, or of a drill.

    Raises:
        CommandFailedError: there is none.
    """
    path = f"{_SERVICE}/v1/status/{demo.NAMESPACE}/{demo.MODEL}/{version}"
    if drill is not None:
        path += f"?drill={drill}"
    document: dict[str, Any] = json.loads(kube.kubectl("get", "--raw", path))
    return document


def end(kube: Kube, drill: str) -> None:
    """Forget a drill."""
    kube.kubectl("delete", "--raw", f"{_SERVICE}/v1/simulate/{drill}")


def stable_version(kube: Kube) -> str:
    """Return the version that serves."""
    path = "--output=jsonpath={.status.stable.version}"
    return kube.kubectl("get", "modelrollout", demo.MODEL, f"--namespace={demo.NAMESPACE}", path).strip()
