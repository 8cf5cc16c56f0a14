"""One reconciliation: look, plan, act. It holds no state: every look starts from the API server."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

from leeway_operators.core import documents, objects
from leeway_operators.core.actions import (
    Action,
    ApplyBundleService,
    ApplyRoute,
    ApplySlot,
    CopyRuntime,
    DeleteRecord,
    DeleteRuntime,
    Emit,
    RestartSlot,
    SetMinReplicas,
    SetStatus,
    StopSlot,
    WriteRecord,
)
from leeway_operators.core.analysis import wants_evidence
from leeway_operators.core.evidence import Evidence, Question
from leeway_operators.core.model import Rollout, Status
from leeway_operators.core.plan import plan, slot_to_ask
from leeway_operators.core.seen import Seen
from leeway_operators.shell import api
from leeway_operators.shell.observe import observe
from leeway_operators.shell.probe import Probe

log = logging.getLogger(__name__)

# In bytes; the API server refuses an Event with a longer one.
_LONGEST_NOTE = 1024
_APPLIED: Mapping[type[Action], api.Resource] = {
    ApplySlot: api.INFERENCE_SERVICES,
    ApplyBundleService: api.SERVICES,
    ApplyRoute: api.ROUTES,
    SetMinReplicas: api.HPAS,
    WriteRecord: api.CONFIG_MAPS,
}
_DELETED: Mapping[type[Action], api.Resource] = {DeleteRuntime: api.RUNTIMES, DeleteRecord: api.CONFIG_MAPS}

Sources = Callable[[Rollout, Question, Seen], Evidence]
Entered = Callable[[str], None]
"""Told which stage of a look begins."""


@dataclass(frozen=True)
class Reconciled:
    """What came of it; None for a rollout that is gone."""

    rollout: Rollout
    before: Status
    after: Status
    actions: tuple[Action, ...]
    again_in: timedelta | None
    evidence: Evidence | None = None
    """What the sources answered, if they were asked."""


class Reconciler:
    """Brings one ModelRollout nearer to its spec."""

    def __init__(
        self,
        cluster: api.Api,
        probe: Probe,
        clock: Callable[[], datetime],
        sink_url: str | None,
        instance: str,
        *,
        sources: Sources,
        frozen: str | None = None,
        namespace: str | None = None,
    ) -> None:
        """Take everything that touches the world as an argument.

        Args:
            cluster: the API server.
            probe: asks pods for their word.
            clock: the time now, with its zone.
            sink_url: where requests and predictions are reported to; None: nowhere.
            instance: who reports Events, usually the pod's name.
            sources: asked what both versions did, when it is time.
            frozen: why nothing may move forward in this cluster; None: it may.
            namespace: the only one that may be read; None: all may.
        """
        self._cluster = cluster
        self._probe = probe
        self._clock = clock
        self._sink_url = sink_url
        self._instance = instance
        self._sources = sources
        self._frozen = frozen
        self._namespace = namespace

    def reconcile(self, namespace: str, name: str, entered: Entered = lambda _: None) -> Reconciled | None:
        """Look, plan and act once.

        Args:
            namespace: of the ModelRollout.
            name: its name.
            entered: told of observe, evidence, plan and act as they begin.

        Raises:
            StaleError: the ModelRollout has changed during the look; nothing was moved.
            Exception: whatever the API server answered; the caller tries again later, and nothing is half-known.
        """
        entered("observe")
        body = self._cluster.get(api.ROLLOUTS, namespace, name)
        if body is None or "deletionTimestamp" in body["metadata"]:
            return None
        rollout, before = documents.rollout_of(body), documents.status_of(body)
        # Kubernetes keeps whole seconds; finer ones would differ from what is read back.
        now = self._clock().replace(microsecond=0)
        for broken in documents.unreadable(body):
            key = f"{rollout.generation}/{broken}"
            self._emit(rollout, Emit(key=key, type="Warning", reason="StatusForgotten", message=broken), now)
        seen = self._look(rollout, before)
        question = wants_evidence(rollout, before, now)
        evidence = None
        if question is not None:
            entered("evidence")
            evidence = self._sources(rollout, question, seen)
        entered("plan")
        planned = plan(rollout, before, seen, now, self._sink_url, evidence=evidence, frozen=self._frozen)
        entered("act")
        for action in planned.actions:
            self._act(rollout, action, now, version=body["metadata"]["resourceVersion"])
        return Reconciled(rollout, before, planned.status, planned.actions, planned.again_in, evidence)

    def _look(self, rollout: Rollout, status: Status) -> Seen:
        return observe(self._cluster, self._probe, rollout, slot_to_ask(rollout, status), within=self._namespace)

    def _act(self, rollout: Rollout, action: Action, now: datetime, *, version: str) -> None:
        cluster, namespace = self._cluster, rollout.namespace
        match action:
            case SetStatus():
                cluster.apply(api.ROLLOUTS, _status_body(rollout, action.status, version), status=True)
            case ApplySlot() | ApplyBundleService() | ApplyRoute() | SetMinReplicas() | WriteRecord():
                cluster.apply(_APPLIED[type(action)], action.body)
            case CopyRuntime():
                cluster.create(api.RUNTIMES, action.body)
            case DeleteRuntime() | DeleteRecord():
                cluster.delete(_DELETED[type(action)], namespace, action.name)
            case StopSlot():
                cluster.annotate(api.INFERENCE_SERVICES, namespace, action.name, {objects.STOP: "true"})
            case RestartSlot():
                template = {"spec": {"predictor": {"annotations": {objects.RESTARTED_AT: action.at}}}}
                cluster.merge(api.INFERENCE_SERVICES, namespace, action.name, template)
            case Emit():
                self._emit(rollout, action, now)
            case _:
                assert_never(action)

    def _emit(self, rollout: Rollout, event: Emit, now: datetime) -> None:
        try:
            self._cluster.create(api.EVENTS, _event(rollout, event, now, self._instance))
        except Exception as error:  # noqa: BLE001
            # Whatever keeps an Event from being written (a quota, a policy), it keeps no release from going on.
            about = {"namespace": rollout.namespace, "model": rollout.name, "error": str(error)}
            log.warning("an Event was not written", extra={**about, "fields": {"event": event.reason}})


def _status_body(rollout: Rollout, status: Status, version: str) -> dict[str, Any]:
    # Only over what was read: another leader may have decided meanwhile, or a person changed the spec.
    return {
        "apiVersion": objects.API_VERSION,
        "kind": objects.KIND,
        "metadata": {"name": rollout.name, "namespace": rollout.namespace, "resourceVersion": version},
        "status": documents.status_document(status, documents.required_by(rollout)),
    }


def _event(rollout: Rollout, event: Emit, now: datetime, instance: str) -> dict[str, Any]:
    # The name is made from the key: after a crash the same Event is the same object, and not a second one.
    suffix = hashlib.sha256(f"{rollout.uid}/{event.key}".encode()).hexdigest()[:16]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{rollout.name}.{suffix}", "namespace": rollout.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": "leeway.dev/operator",
        "reportingInstance": instance,
        "action": "Reconcile",
        "reason": event.reason,
        "note": event.message.encode()[:_LONGEST_NOTE].decode(errors="ignore"),
        "type": event.type,
        "regarding": {
            "apiVersion": objects.API_VERSION,
            "kind": objects.KIND,
            "name": rollout.name,
            "namespace": rollout.namespace,
            "uid": rollout.uid,
        },
    }
