"""The cluster as `kubectl leeway` needs it; the only module of the CLI that speaks to the API server."""

import getpass
import json
from collections.abc import Mapping
from typing import Any, Protocol, cast

import kubernetes.client
import kubernetes.config

_GROUP, _VERSION, _PLURAL = "leeway.dev", "v1alpha1", "modelrollouts"
# Its own name beside Helm, Argo CD, Flux and the operator: each keeps what it wrote, and nobody contests a field.
FIELD_MANAGER = "kubectl-leeway"
_TIMEOUT = (3.0, 15.0)
_FORBIDDEN, _NOT_FOUND, _CONFLICT = 403, 404, 409


class Cluster(Protocol):
    """What is asked of the API server. Errors that are not named are raised as they are."""

    def rollout(self, namespace: str, name: str) -> dict[str, Any] | None:
        """A ModelRollout, or None."""

    def rollouts(self, namespace: str | None) -> list[dict[str, Any]]:
        """All of a namespace, or of all."""

    def record(self, namespace: str, name: str) -> dict[str, str] | None:
        """The data of a ConfigMap, or None."""

    def annotate(self, body: Mapping[str, Any], annotations: Mapping[str, str]) -> bool:
        """Merge annotations into a ModelRollout as it was read; False if it has changed since."""

    def user(self) -> str:
        """Who asks, as the API server knows them."""


class KubernetesCluster:
    """`Cluster` by a kubeconfig."""

    def __init__(self, client: kubernetes.client.ApiClient) -> None:
        self._client = client
        self._objects = kubernetes.client.CustomObjectsApi(client)

    def rollout(self, namespace: str, name: str) -> dict[str, Any] | None:
        """See `Cluster`."""
        try:
            found = self._objects.get_namespaced_custom_object(
                _GROUP, _VERSION, namespace, _PLURAL, name, _request_timeout=_TIMEOUT
            )
        except kubernetes.client.ApiException as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return cast("dict[str, Any]", found)

    def rollouts(self, namespace: str | None) -> list[dict[str, Any]]:
        """See `Cluster`."""
        listed: Any
        if namespace is None:
            listed = self._objects.list_cluster_custom_object(_GROUP, _VERSION, _PLURAL, _request_timeout=_TIMEOUT)
        else:
            listed = self._objects.list_namespaced_custom_object(
                _GROUP, _VERSION, namespace, _PLURAL, _request_timeout=_TIMEOUT
            )
        return cast("list[dict[str, Any]]", listed["items"])

    def record(self, namespace: str, name: str) -> dict[str, str] | None:
        """See `Cluster`."""
        try:
            raw: Any = kubernetes.client.CoreV1Api(self._client).read_namespaced_config_map(
                name, namespace, _preload_content=False, _request_timeout=_TIMEOUT
            )
        except kubernetes.client.ApiException as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return cast("dict[str, str]", json.loads(raw.data).get("data", {}))

    def annotate(self, body: Mapping[str, Any], annotations: Mapping[str, str]) -> bool:
        """See `Cluster`. A merge patch of this annotation alone, which is all that this manager ever owns."""
        metadata = body["metadata"]
        change = {"annotations": dict(annotations), "resourceVersion": metadata["resourceVersion"]}
        try:
            self._objects.patch_namespaced_custom_object(
                _GROUP,
                _VERSION,
                metadata["namespace"],
                _PLURAL,
                metadata["name"],
                {"metadata": change},
                field_manager=FIELD_MANAGER,
                _content_type="application/merge-patch+json",
                _request_timeout=_TIMEOUT,
            )
        except kubernetes.client.ApiException as error:
            if error.status == _CONFLICT:
                return False
            raise
        return True

    def user(self) -> str:
        """See `Cluster`; on a server that does not say, the user of this machine."""
        try:
            review: Any = kubernetes.client.AuthenticationV1Api(self._client).create_self_subject_review(
                kubernetes.client.V1SelfSubjectReview(api_version="authentication.k8s.io/v1", kind="SelfSubjectReview"),
                _request_timeout=_TIMEOUT,
            )
        except kubernetes.client.ApiException as error:
            if error.status in (_FORBIDDEN, _NOT_FOUND):
                return getpass.getuser()
            raise
        return str(review.status.user_info.username)


def namespace_of(context: str | None) -> str:
    """The namespace of a kubeconfig's context; of the current one if None."""
    contexts, current = kubernetes.config.list_kube_config_contexts()
    chosen = next((item for item in contexts if item["name"] == context), current)
    return str(chosen["context"].get("namespace", "default"))
