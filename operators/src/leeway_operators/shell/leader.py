"""Which of several operators acts: the holder of a Lease, as long as it keeps renewing it.

Why not the client's own `leaderelection`: docs/adr/0013-a-lease-of-our-own-making.md.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from leeway_operators.shell import api

log = logging.getLogger(__name__)

# As client-go has them. A holder that could not renew for RENEW_SECONDS stops acting before others may take over.
LEASE_SECONDS = 15
RENEW_SECONDS = 10
RETRY_SECONDS = 2


class Leases(Protocol):
    """Where the Lease is kept."""

    def get(self, resource: api.Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
        """The object, or None."""

    def create(self, resource: api.Resource, body: Mapping[str, Any]) -> None:
        """Create; an object that exists is left as it is."""

    def replace(self, resource: api.Resource, body: Mapping[str, Any]) -> bool:
        """Write over the version that `body` names; False if there is a newer one."""


class NotLeadingError(Exception):
    """Another operator may be acting by now."""


class Leader:
    """One candidate. It leads from a written Lease on, until it could not renew it in time."""

    def __init__(
        self,
        leases: Leases,
        namespace: str,
        name: str,
        identity: str,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        deployment: str = "",
    ) -> None:
        """Nothing is asked yet.

        Args:
            leases: the API server.
            namespace: of the Lease.
            name: of the Lease.
            identity: of this candidate, usually the pod's name.
            clock: what the Lease tells others about; nothing is decided by it, since clocks differ.
            monotonic: what everything is decided by, in seconds.
            deployment: that this candidate is a pod of; a Lease in its namespace goes when it goes. Empty: none.
        """
        self._leases = leases
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._monotonic = monotonic
        self._deployment = deployment
        self._until: float | None = None
        self._observed: tuple[Any, ...] | None = None
        self._observed_at = 0.0

    @property
    def leads(self) -> bool:
        """Whether nobody else can be leading at this moment."""
        return self._until is not None and self._monotonic() < self._until

    def campaign(self, wait: Callable[[float], bool], started: Callable[[], None]) -> None:
        """Try to lead, call `started` once, and renew, until leadership is lost or `wait` says that it is over.

        Args:
            wait: waits for some seconds; True if there is nothing more to wait for.
            started: must return at once.
        """
        led = False
        over = False
        while not over and (self._try() or self.leads or not led):
            if self.leads and not led:
                led = True
                log.info("leading", extra={"fields": {"lease": self._name, "identity": self._identity}})
                started()
            over = wait(RETRY_SECONDS)

    def release(self) -> None:
        """Give the Lease back, so that another one takes over at once. Only after the last action."""
        if not self.leads:
            return
        self._until = None
        try:
            lease = self._leases.get(api.LEASES, self._namespace, self._name)
            if lease is not None and lease["spec"].get("holderIdentity") == self._identity:
                self._leases.replace(api.LEASES, lease | {"spec": lease["spec"] | {"holderIdentity": ""}})
        except Exception as error:  # noqa: BLE001
            # Whatever it is, the process ends, and the Lease runs out by itself.
            log.warning("the Lease was not given back", extra={"error": str(error)})

    def _try(self) -> bool:
        begun = self._monotonic()
        try:
            won = self._claim(begun)
        except Exception as error:  # noqa: BLE001
            # An API server that is away answers in many ways; until the Lease runs out there is time to try again.
            log.warning("the Lease was not renewed", extra={"error": f"{type(error).__name__}: {error}"})
            return False
        if won:
            self._until = begun + RENEW_SECONDS
        return won

    def _claim(self, now: float) -> bool:
        lease = self._leases.get(api.LEASES, self._namespace, self._name)
        if lease is None:
            self._leases.create(api.LEASES, self._lease(self._owned({}), {}))
            # Of two that create, one has; the other's was left out silently.
            lease = self._leases.get(api.LEASES, self._namespace, self._name)
            return lease is not None and lease.get("spec", {}).get("holderIdentity") == self._identity
        spec = lease.get("spec") or {}
        told = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
        if told != self._observed:
            self._observed, self._observed_at = told, now
        holder = spec.get("holderIdentity")
        lasts = spec.get("leaseDurationSeconds")
        lasts = max(lasts, LEASE_SECONDS) if isinstance(lasts, int) else LEASE_SECONDS
        # By when this candidate saw the Lease change, not by the time in it.
        if holder and holder != self._identity and now - self._observed_at < lasts:
            return False
        metadata = lease["metadata"] if holder == self._identity else self._owned(lease["metadata"])
        return self._leases.replace(api.LEASES, self._lease(metadata, spec))

    def _lease(self, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
        now = self._clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = spec.get("holderIdentity") == self._identity
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {**metadata, "name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": LEASE_SECONDS,
                "acquireTime": spec.get("acquireTime", now) if same else now,
                "renewTime": now,
                "leaseTransitions": spec.get("leaseTransitions", 0) + (0 if same or not spec else 1),
            },
        }

    def _owned(self, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
        """Metadata of a Lease that is garbage once the Deployment of its holder is gone."""
        found = self._leases.get(api.DEPLOYMENTS, self._namespace, self._deployment) if self._deployment else None
        if found is None:
            return {key: value for key, value in metadata.items() if key != "ownerReferences"}
        uid = found["metadata"]["uid"]
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": self._deployment, "uid": uid}
        return {**metadata, "ownerReferences": [owner]}


class Guarded:
    """An API server that a candidate may write to only while it leads."""

    def __init__(self, cluster: api.Api, leader: Leader) -> None:
        """Reads need no leadership."""
        self._cluster = cluster
        self._leader = leader
        self.get = cluster.get
        self.list = cluster.list

    def _leading(self) -> api.Api:
        if not self._leader.leads:
            raise NotLeadingError("another operator may be leading by now: nothing is written any more")
        return self._cluster

    def apply(self, resource: api.Resource, body: Mapping[str, Any], *, status: bool = False) -> None:
        """See `Api.apply`."""
        self._leading().apply(resource, body, status=status)

    def create(self, resource: api.Resource, body: Mapping[str, Any]) -> None:
        """See `Api.create`."""
        self._leading().create(resource, body)

    def annotate(self, resource: api.Resource, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """See `Api.annotate`."""
        self._leading().annotate(resource, namespace, name, annotations)

    def merge(self, resource: api.Resource, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        """See `Api.merge`."""
        self._leading().merge(resource, namespace, name, patch)

    def delete(self, resource: api.Resource, namespace: str, name: str) -> None:
        """See `Api.delete`."""
        self._leading().delete(resource, namespace, name)
