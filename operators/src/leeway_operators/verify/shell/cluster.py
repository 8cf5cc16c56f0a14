"""The API server: what the proof reads of a cluster, and the few things that a fault changes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import kubernetes.client as k8s
import stamina
import urllib3

from leeway_operators.verify.core.proof import Inventory
from leeway_operators.verify.core.uses import Manifest

_TIMEOUT = (3.0, 20.0)
_FORBIDDEN, _NOT_FOUND = 403, 404
_MONITORING = "/apis/monitoring.coreos.com"
# Of the release, by label: kind → the collection's path in a namespace.
_LABELLED = {
    "PodMonitor": f"{_MONITORING}/v1/namespaces/{{}}/podmonitors",
    "ServiceMonitor": f"{_MONITORING}/v1/namespaces/{{}}/servicemonitors",
    "PrometheusRule": f"{_MONITORING}/v1/namespaces/{{}}/prometheusrules",
    "AlertmanagerConfig": f"{_MONITORING}/v1alpha1/namespaces/{{}}/alertmanagerconfigs",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "ModelRollout": "/apis/leeway.dev/v1alpha1/namespaces/{}/modelrollouts",
}
_SELECTING = {"Prometheus": f"{_MONITORING}/v1/prometheuses", "Alertmanager": f"{_MONITORING}/v1/alertmanagers"}


# What can be asked twice with one result is: a fault is undone through a moment without an API server.
_again = stamina.retry(on=urllib3.exceptions.HTTPError, attempts=6, timeout=60.0)


class RefusedError(Exception):
    """The API server does not let us; the text is its own."""


class Cluster:
    """Objects as plain dictionaries."""

    def __init__(self, client: k8s.ApiClient) -> None:
        self._client = client

    def inventory(self, namespace: str, selector: str) -> Inventory:
        """Everything of a release that takes part, found by the labels of its objects."""
        refused: dict[str, str] = {}
        objects: dict[str, Sequence[Manifest]] = {}
        for kind, path in _LABELLED.items():
            self._into(objects, refused, kind, path.format(namespace), {"labelSelector": selector})
        if objects.get("AlertmanagerConfig"):
            path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
            self._into(objects, refused, "Event", path, {"fieldSelector": "regarding.kind=AlertmanagerConfig"})
        selecting: dict[str, Sequence[Manifest]] = {}
        for kind, path in _SELECTING.items():
            self._into(selecting, refused, kind, path, {})
        namespaces = {}
        if any(objects.get(kind) for kind in ("PodMonitor", "ServiceMonitor", "PrometheusRule", "AlertmanagerConfig")):
            own = self.get(f"/api/v1/namespaces/{namespace}")
            namespaces = {namespace: own["metadata"].get("labels") or {}}
        return Inventory(objects=objects, selecting=selecting, namespaces=namespaces, refused=refused)

    def _into(
        self,
        found: dict[str, Sequence[Manifest]],
        refused: dict[str, str],
        kind: str,
        path: str,
        query: Mapping[str, str],
    ) -> None:
        try:
            listed = self.get(path, query)
        except RefusedError as error:
            refused[kind] = str(error)
            return
        found[kind] = [{"kind": kind, **item} for item in listed.get("items") or []]

    def prometheus_url(self, namespace: str, selector: str) -> str | None:
        """The address that the release's operator asks, as its Deployment says."""
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        for found in self.get(path, {"labelSelector": selector}).get("items") or []:
            for container in found["spec"]["template"]["spec"]["containers"]:
                for argument in container.get("args") or []:
                    name, _, value = argument.partition("=")
                    if name == "--prometheus-url":
                        return str(value)
        return None

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What the API server answers; an empty object for a kind that it does not know.

        Raises:
            RefusedError: it may not be read.
            kubernetes.client.ApiException: any other answer.
        """
        found = self.read(path, query)
        return found if isinstance(found, dict) else {}

    def read(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The same, for whatever JSON a proxied address answers with.

        Raises:
            RefusedError: it may not be read.
            kubernetes.client.ApiException: any other answer.
        """
        return self._call("GET", path, query=query)

    @_again
    def patch(self, path: str, change: Mapping[str, Any]) -> None:
        """Merge a change into an object.

        Raises:
            RefusedError: it may not be changed.
            kubernetes.client.ApiException: any other answer.
        """
        self._call("PATCH", path, body=change, media="application/merge-patch+json")

    def create(self, path: str, body: Mapping[str, Any]) -> None:
        """Create an object in a collection.

        Raises:
            RefusedError: it may not be created.
            kubernetes.client.ApiException: any other answer, 409 if there is one of that name.
        """
        self._call("POST", path, body=body)

    @_again
    def delete(self, path: str) -> None:
        """Delete an object; one that is gone is no error.

        Raises:
            RefusedError: it may not be deleted.
            kubernetes.client.ApiException: any other answer.
        """
        self._call("DELETE", path)

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        media: str = "application/json",
    ) -> Any:
        serialized = self._client.param_serialize(
            method=method,
            resource_path=path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": media},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = self._client.call_api(*serialized, _request_timeout=_TIMEOUT)
        text = answer.read()
        if answer.status == _NOT_FOUND and method in ("GET", "DELETE"):
            return {}
        if answer.status == _FORBIDDEN:
            raise RefusedError(str(json.loads(text).get("message", "forbidden")))
        if answer.status >= 400:  # noqa: PLR2004 HTTP's line between answers and errors
            raise k8s.ApiException(status=answer.status, reason=str(answer.reason), body=text.decode(errors="replace"))
        try:
            return json.loads(text)
        except ValueError as error:
            raise k8s.ApiException(status=answer.status, reason="and no JSON") from error
