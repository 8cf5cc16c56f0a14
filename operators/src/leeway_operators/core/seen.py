"""The world: one look at the cluster (`Seen`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leeway_operators.core.model import Release, Slot, Weights


@dataclass(frozen=True, kw_only=True)
class Word:
    """What a server says about itself; `error` is why it did not say what it serves."""

    version: str | None = None
    digest: str | None = None
    error: str | None = None
    refused: bool = False
    """True if the error is its last word. False if it asked for time (`Retry-After`) or did not answer at all."""


@dataclass(frozen=True, kw_only=True)
class SeenPod:
    """One pod of a slot that is not being deleted."""

    name: str
    ip: str | None
    revision: str | None
    ready: bool
    trouble: str | None = None
    """The kubelet's reason why a container cannot run (`ImagePullBackOff: …`)."""
    unscheduled: str | None = None
    """The scheduler's reason why no node takes it."""
    word: Word | None = None
    """None: not asked."""


@dataclass(frozen=True, kw_only=True)
class SeenDeployment:
    """The predictor's Deployment. `complete`: every replica is of the current template, and available."""

    revision: str | None
    complete: bool
    desired: int
    available: int
    stuck: str | None = None
    """The Deployment's own message once its progress deadline is exceeded."""


@dataclass(frozen=True, kw_only=True)
class SeenSlot:
    """One slot as the cluster has it; without an InferenceService everything is absent."""

    exists: bool = False
    release: Release | None = None
    """What the InferenceService was told to run, read back from it."""
    stopped: bool = False
    restarted_at: str | None = None
    """The annotation `leeway.dev/restartedAt` of its pods' template, from the InferenceService."""
    kserve_ready: bool = False
    kserve_message: str = ""
    deployment: SeenDeployment | None = None
    has_service: bool = False
    endpoints: frozenset[str] = frozenset()
    """IPs that the Service sends traffic to."""
    pods: tuple[SeenPod, ...] = ()

    def runs(self, revision: str) -> bool:
        """True if this slot was told to run the revision, and is not stopped."""
        return self.release is not None and self.release.revision == revision and not self.stopped


@dataclass(frozen=True, kw_only=True)
class SeenRoute:
    """The live HTTPRoute: its object and what the gateway says about it."""

    body: Mapping[str, Any]
    weights: Weights
    generation: int
    followed: bool
    """True if the gateway has taken over this generation, as far as it says so."""
    accepted: bool | None
    """None: no gateway has spoken yet."""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class SeenHpa:
    """A slot's HorizontalPodAutoscaler, of which only `minReplicas` is ours."""

    min_replicas: int | None
    max_replicas: int


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look at the cluster."""

    slots: Mapping[Slot, SeenSlot]
    route: SeenRoute | None = None
    hpas: Mapping[Slot, SeenHpa] = field(default_factory=dict)
    bundle_services: Mapping[Slot, Mapping[str, Any]] = field(default_factory=dict)
    """The live Service of each slot by which the drift detector reaches its pods."""
    copies: frozenset[str] = frozenset()
    """Names of the ServingRuntimes that we copied for slots."""
    runtime: Mapping[str, Any] | None = None
    """The ServingRuntime that spec.runtime names; None if there is none."""
    foreign: tuple[str, ...] = ()
    """Objects that have a name we need and belong to somebody else."""
    taken: Mapping[str, str] = field(default_factory=dict)
    """Hostnames of the wish that another ModelRollout has at the same gateway, with its namespace and name."""
    mirrors: bool | None = None
    """Whether the gateway mirrors requests, as its class lists it or its controller is known for; None: not known."""
