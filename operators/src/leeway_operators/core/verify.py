"""May a slot take traffic? Only if everything that can be asked says that it serves what it was told to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from leeway_operators.core.model import Arm
from leeway_operators.core.seen import SeenPod, SeenSlot

State = Literal["Verified", "Waiting", "Failed"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """The answer: `Verified`, `Waiting` (look again) or `Failed` (it will not get better by itself)."""

    state: State
    reason: str
    message: str

    @property
    def ok(self) -> bool:
        """True if the slot may take traffic."""
        return self.state == "Verified"


def _waiting(reason: str, message: str) -> Check:
    return Check(state="Waiting", reason=reason, message=message)


def _failed(reason: str, message: str) -> Check:
    return Check(state="Failed", reason=reason, message=message)


def verify(arm: Arm, seen: SeenSlot, replicas: int) -> Check:
    """Compare a slot with what it was told to run.

    Args:
        arm: the release and the slot.
        seen: the slot, with the word of each of its pods.
        replicas: pods it needs before it may take traffic.
    """
    revision = arm.release.revision
    if not seen.runs(revision):
        return _waiting("SlotNotDeployed", f"slot {arm.slot} does not run revision {revision} yet")
    ours = tuple(pod for pod in seen.pods if pod.revision == revision)
    for pod in ours:
        if pod.trouble is not None:
            return _failed(pod.trouble.split(":")[0], f"pod {pod.name}: {pod.trouble}")
        if (fault := _fault(arm, pod)) is not None:
            return fault
    if seen.deployment is not None and seen.deployment.revision == revision and seen.deployment.stuck is not None:
        return _failed("ProgressDeadlineExceeded", seen.deployment.stuck)
    if (obstacle := next(_obstacles(seen, revision, ours, replicas), None)) is not None:
        return obstacle
    return _verified(arm, ours)


def verify_warm(arm: Arm, seen: SeenSlot) -> Check:
    """Compare the slot of the version before, which is to take its traffic back, with what it was told to run.

    An undo ends an incident, so it waits for no new pod: the Service sends requests to ready pods only, and those were
    enough until now. Each of them must still give its word.
    """
    check = verify_serving(arm, seen)
    if not check.ok:
        return check
    silent = (pod for pod in _serving(seen) if pod.word is None or pod.word.error is not None)
    if (pod := next(silent, None)) is not None:
        return _waiting("ServerNotReady", _told(pod))
    return check


def verify_serving(arm: Arm, seen: SeenSlot) -> Check:
    """Whether a slot may keep the traffic that it has.

    Less than what it takes to get more: pods come and go with every scaling and restart, and the Service sends
    requests to ready pods only. But none may say that it serves something else, and one at least must be there.
    """
    revision, ready = arm.release.revision, _serving(seen)
    if not seen.runs(revision) or not ready:
        return _waiting("PodsPending", f"slot {arm.slot} has no pod that is ready for version {arm.release.version}")
    for pod in ready:
        if pod.revision != revision:
            return _waiting("PodsPending", f"pod {pod.name} is not of revision {revision}")
        if (fault := _fault(arm, pod)) is not None:
            return fault
    return _verified(arm, ready)


def _serving(seen: SeenSlot) -> tuple[SeenPod, ...]:
    return tuple(pod for pod in seen.pods if pod.ready and pod.ip in seen.endpoints)


def _verified(arm: Arm, pods: tuple[SeenPod, ...]) -> Check:
    return Check(state="Verified", reason="Verified", message=f"{len(pods)} pods serve version {arm.release.version}")


def _told(pod: SeenPod) -> str:
    return f"pod {pod.name}: {pod.word.error if pod.word is not None else 'not asked yet'}"


def _fault(arm: Arm, pod: SeenPod) -> Check | None:
    """What the server's word says against it; one that only asks for time says nothing."""
    word = pod.word
    if word is None:
        return None
    if word.error is not None:
        return _failed("ModelRefused", _told(pod)) if word.refused else None
    if word.version != arm.release.version:
        told = f"pod {pod.name} serves version {word.version}, {arm.release.version} was released"
        return _failed("VersionMismatch", told)
    if arm.release.digest is not None and word.digest != arm.release.digest:
        told = f"pod {pod.name} serves bundle {word.digest}, {arm.release.digest} was released"
        return _failed("DigestMismatch", told)
    return None


def _obstacles(seen: SeenSlot, revision: str, ours: tuple[SeenPod, ...], replicas: int) -> Iterator[Check]:
    """What is still missing, the most telling first."""
    deployment = seen.deployment
    if deployment is None or deployment.revision != revision:
        yield _waiting("DeploymentPending", f"KServe has not deployed revision {revision} yet: {seen.kserve_message}")
        return
    for pod in ours:
        if pod.unscheduled is not None:
            yield _waiting("Unschedulable", f"pod {pod.name}: {pod.unscheduled}")
        if pod.word is not None and pod.word.error is not None:
            yield _waiting("ServerNotReady", _told(pod))
    if not deployment.complete or deployment.available < max(replicas, 1):
        counts = f"{deployment.available} of {max(deployment.desired, replicas)} pods are available"
        yield _waiting("PodsPending", counts)
    if len(ours) != len(seen.pods) or len(ours) != deployment.desired:
        yield _waiting("PodsPending", f"{len(ours)} of {deployment.desired} pods are of revision {revision}")
    if not all(pod.ready and pod.word is not None for pod in ours):
        yield _waiting("PodsPending", "not every pod is ready and has said what it serves")
    if not seen.kserve_ready:
        yield _waiting("KServeNotReady", f"the InferenceService is not Ready: {seen.kserve_message}")
    if not {pod.ip for pod in ours} <= seen.endpoints:
        yield _waiting("EndpointsPending", "the Service does not reach every pod yet")
