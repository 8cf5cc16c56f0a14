"""The Kubernetes objects that the operator makes, as plain dictionaries.

Defaults that the API server would add are written out, so that comparing a live object with a wished one is a
comparison of what both hold.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leeway_operators.core.model import Arm, Rollout, Slot, Weights
from leeway_operators.core.strategy import Match

GROUP = "leeway.dev"
API_VERSION = f"{GROUP}/v1alpha1"
KIND = "ModelRollout"
LABEL_MODEL = f"{GROUP}/model"
LABEL_SLOT = f"{GROUP}/slot"
LABEL_VERSION = f"{GROUP}/version"
LABEL_REVISION = f"{GROUP}/revision"
MANAGED_BY = "app.kubernetes.io/managed-by"
OPERATOR = "leeway-operator"
RESTARTED_AT = f"{GROUP}/restartedAt"
STOP = "serving.kserve.io/stop"
PROBE_HEADER = "x-leeway-probe"
EVENT_ID_HEADER = "ce-id"

# The routed paths, exactly: no /v2/repository (unload asks nobody), no /bundle (for operator and detector only).
ROUTED_PATHS = (
    ("PathPrefix", "/v1/models"),
    ("Exact", "/v2"),
    ("PathPrefix", "/v2/health"),
    ("PathPrefix", "/v2/models"),
    ("Exact", "/api/v1/predict"),
    ("Exact", "/api/v1/health"),
    ("Exact", "/openapi.json"),
)
# Of a rule that nobody is to match yet. A server answers it with 404.
CLOSED_PATH = ("Exact", "/.well-known/leeway/closed")
# The agent drains its queue of events for 30 s; the runtime's preStop outlives that, and the pod outlives both.
GRACE_SECONDS = 75
UID = 10001


@dataclass(frozen=True, kw_only=True)
class Bearers:
    """Whose requests go to one slot whatever the weights; a rule of theirs is there, closed, before it matches any.

    A gateway is told of routes and of where they lead in two messages. Envoy answers 503 to what a new rule matches
    until it knows the backends of that rule. Those of a closed one it knows already, so that opening it changes only
    what matches.
    """

    match: Match
    slot: Slot
    opened: bool


def slot_name(model: str, slot: Slot) -> str:
    """Name of a slot's InferenceService."""
    return f"{model}-{slot}"


def predictor_name(model: str, slot: Slot) -> str:
    """Name that KServe gives a slot's Deployment and Service."""
    return f"{slot_name(model, slot)}-predictor"


def hpa_name(model: str, slot: Slot) -> str:
    """Name of a slot's HorizontalPodAutoscaler: never the Deployment's, or KServe takes it for its own."""
    return f"{slot_name(model, slot)}-scale"


def bundle_service_name(model: str, slot: Slot) -> str:
    """Name of the Service that leads to each pod of a slot past KServe's agent."""
    return f"{slot_name(model, slot)}-bundle"


def runtime_copy_name(model: str, slot: Slot, revision: str) -> str:
    """Name of the ServingRuntime that only this slot uses, at this revision."""
    return f"{slot_name(model, slot)}-{revision}"


def owned(rollout: Rollout, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Metadata of an object that goes when the ModelRollout does."""
    # The owner makes Kubernetes' garbage collector our uninstaller: no finalizer that outlives the operator.
    owner = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": rollout.name,
        "uid": rollout.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {"name": name, "namespace": rollout.namespace, "ownerReferences": [owner]}
    return metadata | {"labels": {MANAGED_BY: OPERATOR} | dict(labels)}


def _slot_labels(rollout: Rollout, arm: Arm) -> dict[str, str]:
    return {
        LABEL_MODEL: rollout.name,
        LABEL_SLOT: arm.slot,
        LABEL_VERSION: arm.release.version,
        LABEL_REVISION: arm.release.revision,
    }


def runtime_copy(rollout: Rollout, arm: Arm, source: Mapping[str, Any]) -> dict[str, Any]:
    """A ServingRuntime for one slot at one revision, so that no change of the source reaches a running slot.

    `autoSelect` is off in the copy: KServe refuses two selectable runtimes of one format and priority.
    """
    spec = dict(source["spec"])
    spec["supportedModelFormats"] = [
        {key: value for key, value in fmt.items() if key != "priority"} | {"autoSelect": False}
        for fmt in spec.get("supportedModelFormats", [])
    ]
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": owned(
            rollout,
            runtime_copy_name(rollout.name, arm.slot, arm.release.revision),
            _slot_labels(rollout, arm),
        ),
        "spec": spec,
    }


def inference_service(rollout: Rollout, arm: Arm, sink_url: str | None) -> dict[str, Any]:
    """The InferenceService of a slot that runs `rollout.spec`.

    KServe copies its labels to the Deployment, the Service and the pods. It is left without
    `disable-auto-update`: with it, KServe 0.20 skips a Ready InferenceService altogether, a changed spec and `stop`
    included. What that annotation is for, the slot's own copy of the runtime gives.

    Args:
        rollout: the wish.
        arm: the slot and the release it gets; the release is the one of `rollout.spec`.
        sink_url: where KServe's logger, or the server itself, sends events; None sends none.
    """
    model, capture = rollout.spec["model"], rollout.spec["capture"]
    release = arm.release
    own = {"LEEWAY_MODEL_VERSION": release.version}
    if release.digest is not None:
        own["LEEWAY_BUNDLE_DIGEST"] = release.digest
    if capture["mode"] == "direct" and sink_url is not None:
        own |= {
            "LEEWAY_CAPTURE_URL": sink_url,
            "LEEWAY_CAPTURE_SAMPLE": str(float(capture["sample"])),
            "LEEWAY_NAMESPACE": rollout.namespace,
            "LEEWAY_INFERENCESERVICE": slot_name(rollout.name, arm.slot),
        }
    env = [dict(entry) for entry in model.get("env", [])]
    env += [{"name": name, "value": value} for name, value in own.items()]
    predictor: dict[str, Any] = {
        "automountServiceAccountToken": False,
        # For the containers that KServe adds without a word on it (a modelcar's check runs as the image's root
        # otherwise); where modelcars have a uid of their own, KServe sets that on the containers concerned.
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {LABEL_MODEL: rollout.name, LABEL_SLOT: arm.slot}},
            }
        ],
        "model": {
            "modelFormat": {"name": "onnx"},
            "protocolVersion": "v2",
            "runtime": runtime_copy_name(rollout.name, arm.slot, release.revision),
            "storageUri": release.storage_uri,
            "env": env,
            "resources": model.get("resources", {}),
        },
    }
    if capture["mode"] == "kserve" and sink_url is not None:
        # Header names in Go's canonical form: the logger looks them up as they are written.
        predictor["logger"] = {"mode": "all", "url": sink_url, "metadataHeaders": ["X-Request-Id"]}
    labels = _slot_labels(rollout, arm) | {
        "networking.kserve.io/visibility": "cluster-local",
        "modelname": rollout.name,
        "endpoint": release.version,
    }
    metadata = owned(rollout, slot_name(rollout.name, arm.slot), labels)
    metadata["annotations"] = {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "external",
        STOP: "false",
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": predictor},
    }


def bundle_service(rollout: Rollout, slot: Slot) -> dict[str, Any]:
    """The headless Service of a slot, by which the drift detector asks its pods for bundle and counters.

    Headless, since each pod counts its own rows; and past KServe's agent, so that no such question becomes an event.
    """
    ports = (("http", 8080), ("metrics", 8082))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": owned(
            rollout, bundle_service_name(rollout.name, slot), {LABEL_MODEL: rollout.name, LABEL_SLOT: slot}
        ),
        "spec": {
            "clusterIP": "None",
            "selector": {LABEL_MODEL: rollout.name, LABEL_SLOT: slot},
            "ports": [{"name": name, "port": port, "targetPort": port, "protocol": "TCP"} for name, port in ports],
        },
    }


def http_route(
    rollout: Rollout,
    weights: Weights,
    backends: Sequence[Slot],
    *,
    mirror: Slot | None = None,
    bearers: Bearers | None = None,
) -> dict[str, Any]:
    """The HTTPRoute of a model: its hostnames, the allowed paths, and `backends` with their weights.

    Args:
        rollout: the wish.
        weights: percent per slot.
        backends: slots that have a Service.
        mirror: the slot that gets a copy of every request; what it answers is thrown away.
        bearers: requests with this header go to this slot, whatever the weights, once their rule is open.
    """
    endpoint = rollout.spec["endpoint"]
    gateway = endpoint["gateway"]
    parent = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": gateway["name"],
        "namespace": gateway.get("namespace", rollout.namespace),
    }
    # From outside either would hide requests from the evidence: one marks a look of ours, which no count includes,
    # and KServe's agent takes over the other as the event's id, of which the detector counts each once.
    filters: list[dict[str, Any]] = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": [PROBE_HEADER, EVENT_ID_HEADER]}}
    ]
    if mirror is not None:
        filters.append({"type": "RequestMirror", "requestMirror": {"backendRef": _backend(rollout, mirror)}})
    common = {"filters": filters, "timeouts": {"request": endpoint["timeout"]}}
    shares = [_backend(rollout, slot) | {"weight": weights.of(slot)} for slot in backends]
    rules = [{"matches": _paths(ROUTED_PATHS), **common, "backendRefs": shares}]
    if bearers is not None:
        # After the main rule: gateways know the backends of a rule by its place. What matches more closely wins anyway.
        rules.append({**bearers_rule(rollout, bearers), **common})
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": owned(rollout, rollout.name, {LABEL_MODEL: rollout.name}),
        "spec": {"parentRefs": [parent], "hostnames": list(endpoint.get("hostnames", [])), "rules": rules},
    }


def bearers_rule(rollout: Rollout, bearers: Bearers) -> dict[str, Any]:
    """What decides where requests with the header go, of the rule that is theirs."""
    header = {"type": "Exact", "name": bearers.match.header, "value": bearers.match.value}
    return {
        "matches": [path | {"headers": [header]} for path in _paths(ROUTED_PATHS if bearers.opened else [CLOSED_PATH])],
        "backendRefs": [_backend(rollout, bearers.slot) | {"weight": 100}],
    }


def _paths(routed: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"path": {"type": kind, "value": path}} for kind, path in routed]


def _backend(rollout: Rollout, slot: Slot) -> dict[str, Any]:
    return {"group": "", "kind": "Service", "name": predictor_name(rollout.name, slot), "port": 80}


def min_replicas(rollout: Rollout, slot: Slot, replicas: int) -> dict[str, Any]:
    """The one field of a slot's HorizontalPodAutoscaler that is ours."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": hpa_name(rollout.name, slot), "namespace": rollout.namespace},
        "spec": {"minReplicas": replicas},
    }


def covers(live: Any, wished: Any) -> bool:
    """True if applying `wished` would change nothing: all it says already holds in `live`."""
    if isinstance(wished, Mapping):
        return isinstance(live, Mapping) and all(covers(live.get(key), value) for key, value in wished.items())
    if isinstance(wished, list):
        # An empty list that was applied may come back as an absent one.
        return (live is None and not wished) or (
            isinstance(live, list) and len(live) == len(wished) and all(map(covers, live, wished))
        )
    return bool(live == wished)
