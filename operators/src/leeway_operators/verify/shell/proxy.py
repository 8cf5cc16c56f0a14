"""The way to addresses that only pods reach: through the API server, with the rights of the kubeconfig."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import kubernetes.client as k8s

from leeway_operators.shell.source import SourceError
from leeway_operators.verify.shell.cluster import Cluster, RefusedError

_PORTS = {"http": 80, "https": 443}


class Proxied:
    """An `Ask` for Services by their cluster names, and for pods by their addresses."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._paths: dict[str, str] = {}

    def __call__(self, base: str, path: str, parameters: Mapping[str, str]) -> Any:
        """The answer's JSON.

        Raises:
            SourceError: there is none; the text says why.
        """
        name = urlsplit(base).hostname
        try:
            if base not in self._paths:
                self._paths[base] = service_path(base) or self._pod_path(base)
            return self._cluster.read(f"{self._paths[base]}/{path}".rstrip("/"), parameters)
        except RefusedError as error:
            raise SourceError(f"the API server gives no way to {name}: {error}") from error
        except k8s.ApiException as error:
            raise SourceError(f"{name} answered the API server's proxy {error.status} {error.reason}") from error

    def _pod_path(self, base: str) -> str:
        parts = urlsplit(base)
        query = {"fieldSelector": f"status.podIP={parts.hostname}"}
        pods = self._cluster.get("/api/v1/pods", query).get("items") or []
        if not pods:
            raise SourceError(f"{parts.hostname} is neither a Service of the cluster nor the address of a pod")
        metadata = pods[0]["metadata"]
        return _path(metadata["namespace"], "pods", metadata["name"], base)


def service_path(base: str) -> str | None:
    """The proxy's path for http(s)://NAME.NAMESPACE.svc…[:PORT][/PREFIX]; None for any other address."""
    labels = (urlsplit(base).hostname or "").split(".")
    if len(labels) < 3 or labels[2] != "svc":  # noqa: PLR2004 name, namespace, svc
        return None
    return _path(labels[1], "services", labels[0], base)


def _path(namespace: str, kind: str, name: str, base: str) -> str:
    parts = urlsplit(base)
    port = parts.port or _PORTS[parts.scheme]
    where = f"{parts.scheme}:{name}:{port}"
    return f"/api/v1/namespaces/{namespace}/{kind}/{where}/proxy{parts.path.rstrip('/')}"
