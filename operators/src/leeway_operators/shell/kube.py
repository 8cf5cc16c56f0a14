"""The API server, through the official client; the only module that speaks to it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import kubernetes.client as k8s
from kubernetes.watch import Watch

from leeway_operators.shell.api import CONFIG_MAPS, PODS, SERVICES, ForbiddenError, Resource, StaleError

FIELD_MANAGER = "leeway-operator"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_FORBIDDEN, _NOT_FOUND, _CONFLICT = 403, 404, 409
# Connect and read: a server that does not answer is asked again by the queue, not waited for.
_TIMEOUT = (3.0, 15.0)
_LEASE_TIMEOUT = (3.0, 3.0)


class Cluster:
    """`Api` on a real cluster. Paths of built-in groups are those of custom ones, but for the core group's."""

    def __init__(self, client: k8s.ApiClient) -> None:
        self._objects = k8s.CustomObjectsApi(client)
        self._core = k8s.CoreV1Api(client)

    def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
        """The object, or None; `namespace` None for what belongs to the whole cluster.

        Raises:
            ForbiddenError: it may not be read.
        """
        try:
            if namespace is None:
                everywhere = self._objects.get_cluster_custom_object(
                    resource.group, resource.version, resource.plural, name, _request_timeout=_TIMEOUT
                )
                return cast("dict[str, Any]", everywhere)
            if resource == SERVICES:
                raw: Any = self._core.read_namespaced_service(
                    name, namespace, _preload_content=False, _request_timeout=_TIMEOUT
                )
                return cast("dict[str, Any]", json.loads(raw.data))
            found = self._objects.get_namespaced_custom_object(
                resource.group, resource.version, namespace, resource.plural, name, _request_timeout=_TIMEOUT
            )
        except k8s.ApiException as error:
            if error.status == _NOT_FOUND:
                return None
            if error.status == _FORBIDDEN:
                raise ForbiddenError(f"{resource.plural} {name}: {error.reason}") from error
            raise
        return cast("dict[str, Any]", found)

    def list(self, resource: Resource, namespace: str | None, selector: str = "") -> list[dict[str, Any]]:
        """Objects by label selector, in one namespace or in all."""
        return cast("list[dict[str, Any]]", self._list(resource, namespace, selector)["items"])

    def _list(self, resource: Resource, namespace: str | None, selector: str) -> dict[str, Any]:
        if resource == PODS and namespace is not None:
            raw: Any = self._core.list_namespaced_pod(
                namespace, label_selector=selector, _preload_content=False, _request_timeout=_TIMEOUT
            )
            return cast("dict[str, Any]", json.loads(raw.data))
        listed = self._listing(resource, namespace)(
            *self._where(resource, namespace), label_selector=selector, _request_timeout=_TIMEOUT
        )
        return cast("dict[str, Any]", listed)

    def _listing(self, resource: Resource, namespace: str | None) -> Any:
        if resource == PODS:
            raise ValueError("pods are listed by namespace")
        everywhere, here = self._objects.list_cluster_custom_object, self._objects.list_namespaced_custom_object
        return everywhere if namespace is None else here

    @staticmethod
    def _where(resource: Resource, namespace: str | None) -> tuple[str, ...]:
        middle = () if namespace is None else (namespace,)
        return (resource.group, resource.version, *middle, resource.plural)

    def watch(
        self, resource: Resource, namespace: str | None, selector: str, seconds: int
    ) -> Iterator[dict[str, Any] | None]:
        """Every object there is, None as the end of that list, then every object that changes, for some seconds.

        Raises:
            kubernetes.client.ApiException: among others 410, when the server has forgotten where we were.
        """
        listed = self._list(resource, namespace, selector)
        yield from listed["items"]
        yield None
        events = Watch().stream(
            self._listing(resource, namespace),
            *self._where(resource, namespace),
            label_selector=selector,
            resource_version=listed["metadata"]["resourceVersion"],
            timeout_seconds=seconds,
            _request_timeout=(_TIMEOUT[0], seconds + _TIMEOUT[1]),
        )
        for event in events:
            yield event["object"]

    def apply(self, resource: Resource, body: Mapping[str, Any], *, status: bool = False) -> None:
        """Server-side apply: what this manager applied before and leaves out now is removed.

        Raises:
            StaleError: `body` names a resourceVersion, and there is a newer one.
        """
        options: Any = {
            "field_manager": FIELD_MANAGER,
            "field_validation": "Strict",
            "force": True,
            "_content_type": _APPLY,
            "_request_timeout": _TIMEOUT,
        }
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        in_core: Mapping[Resource, Any] = {
            SERVICES: self._core.patch_namespaced_service,
            CONFIG_MAPS: self._core.patch_namespaced_config_map,
        }
        if resource in in_core:
            in_core[resource](name, namespace, dict(body), **options)
            return
        patch = (
            self._objects.patch_namespaced_custom_object_status
            if status
            else self._objects.patch_namespaced_custom_object
        )
        try:
            patch(resource.group, resource.version, namespace, resource.plural, name, dict(body), **options)
        except k8s.ApiException as error:
            # Forced, an apply conflicts with nobody but with a newer version than the one that it names.
            if error.status == _CONFLICT and "resourceVersion" in body["metadata"]:
                raise StaleError(f"{resource.plural} {name} has changed since it was read") from error
            raise

    def create(self, resource: Resource, body: Mapping[str, Any]) -> None:
        """Create; an object that exists is left as it is."""
        namespace = body["metadata"]["namespace"]
        document: Any = dict(body)
        try:
            self._objects.create_namespaced_custom_object(
                resource.group,
                resource.version,
                namespace,
                resource.plural,
                document,
                field_manager=FIELD_MANAGER,
                _request_timeout=_TIMEOUT,
            )
        except k8s.ApiException as error:
            if error.status != _CONFLICT:
                raise

    def annotate(self, resource: Resource, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Merge annotations into an object."""
        self.merge(resource, namespace, name, {"metadata": {"annotations": dict(annotations)}})

    def merge(self, resource: Resource, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        """Merge-patch an object."""
        self._objects.patch_namespaced_custom_object(
            resource.group,
            resource.version,
            namespace,
            resource.plural,
            name,
            dict(patch),
            field_manager=FIELD_MANAGER,
            _content_type=_MERGE,
            _request_timeout=_TIMEOUT,
        )

    def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete; an object that is gone is no error."""
        try:
            if resource == CONFIG_MAPS:
                self._core.delete_namespaced_config_map(name, namespace, _request_timeout=_TIMEOUT)
                return
            self._objects.delete_namespaced_custom_object(
                resource.group, resource.version, namespace, resource.plural, name, _request_timeout=_TIMEOUT
            )
        except k8s.ApiException as error:
            if error.status != _NOT_FOUND:
                raise

    def replace(self, resource: Resource, body: Mapping[str, Any]) -> bool:
        """Write over the version that `body` names by its resourceVersion; False if there is a newer one."""
        metadata = body["metadata"]
        try:
            self._objects.replace_namespaced_custom_object(
                resource.group,
                resource.version,
                metadata["namespace"],
                resource.plural,
                metadata["name"],
                dict(body),
                field_manager=FIELD_MANAGER,
                # A leader that waits for long is none any more.
                _request_timeout=_LEASE_TIMEOUT,
            )
        except k8s.ApiException as error:
            if error.status == _CONFLICT:
                return False
            raise
        return True
