"""What the operator asks of a Kubernetes API server: seven verbs on plain dictionaries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Resource:
    """A kind, as its path names it."""

    group: str
    version: str
    plural: str


ROLLOUTS = Resource("leeway.dev", "v1alpha1", "modelrollouts")
INFERENCE_SERVICES = Resource("serving.kserve.io", "v1beta1", "inferenceservices")
RUNTIMES = Resource("serving.kserve.io", "v1alpha1", "servingruntimes")
ROUTES = Resource("gateway.networking.k8s.io", "v1", "httproutes")
DEPLOYMENTS = Resource("apps", "v1", "deployments")
HPAS = Resource("autoscaling", "v2", "horizontalpodautoscalers")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices")
EVENTS = Resource("events.k8s.io", "v1", "events")
SERVICES = Resource("", "v1", "services")
PODS = Resource("", "v1", "pods")
CONFIG_MAPS = Resource("", "v1", "configmaps")
GATEWAYS = Resource("gateway.networking.k8s.io", "v1", "gateways")
GATEWAY_CLASSES = Resource("gateway.networking.k8s.io", "v1", "gatewayclasses")
LEASES = Resource("coordination.k8s.io", "v1", "leases")


class ForbiddenError(Exception):
    """The operator has no right to read this."""


class StaleError(Exception):
    """The object has changed since it was read: what was decided about it may be wrong by now."""


class Api(Protocol):
    """The API server. Every read is current (no cache); every error but "not found" and "exists" is raised."""

    def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
        """The object, or None; `namespace` None for what belongs to the whole cluster.

        Raises:
            ForbiddenError: it may not be read.
        """

    def list(self, resource: Resource, namespace: str | None, selector: str = "") -> list[dict[str, Any]]:
        """Objects by label selector, in one namespace or in all."""

    def apply(self, resource: Resource, body: Mapping[str, Any], *, status: bool = False) -> None:
        """Server-side apply as `leeway-operator`; the object or, if `status`, its status subresource.

        Raises:
            StaleError: `body` names a resourceVersion, and there is a newer one.
        """

    def create(self, resource: Resource, body: Mapping[str, Any]) -> None:
        """Create; an object that exists is left as it is."""

    def annotate(self, resource: Resource, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Merge annotations into an object."""

    def merge(self, resource: Resource, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        """Merge-patch an object."""

    def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete; an object that is gone is no error."""
