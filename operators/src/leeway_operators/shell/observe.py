"""One look at everything that belongs to a ModelRollout."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leeway_operators.core import objects
from leeway_operators.core.model import SLOTS, Release, Rollout, Slot, Weights
from leeway_operators.core.seen import Seen, SeenDeployment, SeenHpa, SeenPod, SeenRoute, SeenSlot, Word
from leeway_operators.core.strategy import strategy_of
from leeway_operators.shell import api
from leeway_operators.shell.probe import Probe

# Reasons of a waiting container that no waiting cures.
_TROUBLE = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
SERVICE_NAME = "kubernetes.io/service-name"
MIRRORING = "HTTPRouteRequestMirror"
# Controllers that accept a route with a mirror, and then answer every request for it with 500.
SILENT_WITHOUT_MIRRORS = frozenset({"traefik.io/gateway-controller"})
ANY_HOSTNAME = "*"


def observe(cluster: api.Api, probe: Probe, rollout: Rollout, ask: Slot | None, *, within: str | None = None) -> Seen:
    """Read the rollout's objects.

    Args:
        cluster: the API server.
        probe: asks pods for their word.
        rollout: whose objects.
        ask: the slot whose pods are asked; None asks nobody.
        within: the only namespace that may be read; None: all may.
    """
    name, namespace = rollout.name, rollout.namespace
    mine = f"{objects.LABEL_MODEL}={name}"
    made = f"{mine},{objects.MANAGED_BY}={objects.OPERATOR}"
    services = {slot: cluster.get(api.INFERENCE_SERVICES, namespace, objects.slot_name(name, slot)) for slot in SLOTS}
    route = cluster.get(api.ROUTES, namespace, name)
    pods = cluster.list(api.PODS, namespace, mine)
    predictors = ",".join(objects.predictor_name(name, slot) for slot in SLOTS)
    slices = cluster.list(api.ENDPOINT_SLICES, namespace, f"{SERVICE_NAME} in ({predictors})")
    exposed = {slot: cluster.get(api.SERVICES, namespace, objects.bundle_service_name(name, slot)) for slot in SLOTS}
    hpas = {slot: cluster.get(api.HPAS, namespace, objects.hpa_name(name, slot)) for slot in SLOTS}
    slots = {
        slot: _slot(
            services[slot],
            cluster.get(api.DEPLOYMENTS, namespace, objects.predictor_name(name, slot)),
            [item for item in slices if _label(item, SERVICE_NAME) == objects.predictor_name(name, slot)],
            _pods(
                [pod for pod in pods if _label(pod, objects.LABEL_SLOT) == slot and _counts(pod)],
                (lambda addresses: probe(addresses, name)) if slot == ask else None,
            ),
        )
        for slot in SLOTS
    }
    needed = [item for item in (*services.values(), *exposed.values(), route) if item is not None]
    return Seen(
        slots=slots,
        route=_route(route, rollout) if route is not None else None,
        hpas={
            slot: SeenHpa(min_replicas=hpa["spec"].get("minReplicas"), max_replicas=hpa["spec"]["maxReplicas"])
            for slot, hpa in hpas.items()
            if hpa is not None
        },
        bundle_services={slot: service for slot, service in exposed.items() if service is not None},
        copies=frozenset(item["metadata"]["name"] for item in cluster.list(api.RUNTIMES, namespace, made)),
        runtime=cluster.get(api.RUNTIMES, namespace, rollout.spec["runtime"]),
        foreign=tuple(
            f"{item['kind']} {item['metadata']['name']}" for item in needed if _label(item, objects.LABEL_MODEL) != name
        ),
        taken=_taken(cluster.list(api.ROUTES, within, f"{objects.MANAGED_BY}={objects.OPERATOR}"), rollout),
        mirrors=_mirrors(cluster, rollout, route) if any(s.shadow for s in strategy_of(rollout.spec).steps) else None,
    )


def _mirrors(cluster: api.Api, rollout: Rollout, route: Mapping[str, Any] | None) -> bool | None:
    """Whether the gateway mirrors requests, by its class or else by who speaks for the route; None: nobody says."""
    features = _features(cluster, rollout)
    if features:
        return MIRRORING in features
    speakers = {parent.get("controllerName") for parent in _parents(route, rollout)} if route is not None else set()
    return False if speakers & SILENT_WITHOUT_MIRRORS else None


def _features(cluster: api.Api, rollout: Rollout) -> frozenset[str]:
    """What the gateway's class says that it supports; empty: it does not say, or may not be read."""
    gateway = rollout.spec["endpoint"]["gateway"]
    try:
        found = cluster.get(api.GATEWAYS, gateway.get("namespace", rollout.namespace), gateway["name"])
        chosen = found["spec"]["gatewayClassName"] if found is not None else None
        kind = cluster.get(api.GATEWAY_CLASSES, None, chosen) if chosen is not None else None
    except api.ForbiddenError:
        return frozenset()  # an operator of one namespace has no right to what belongs to the cluster
    listed = (kind or {}).get("status", {}).get("supportedFeatures") or []
    # A list of names, and of objects with a name since Gateway API 1.3.
    return frozenset(entry["name"] if isinstance(entry, Mapping) else entry for entry in listed)


def _parents(route: Mapping[str, Any], rollout: Rollout) -> list[Mapping[str, Any]]:
    """What is said of the route as one of the gateway that the wish names, by those who serve that gateway.

    Some controllers (earlier versions of Traefik) speak for every parent of every route, and say of one that is
    another's that it matches none of theirs. That is news only if nobody else has any.
    """
    gateway, namespace = rollout.spec["endpoint"]["gateway"], rollout.namespace
    wished = (gateway["name"], gateway.get("namespace", namespace))
    said = [
        parent
        for parent in route.get("status", {}).get("parents", [])
        if (parent["parentRef"]["name"], parent["parentRef"].get("namespace", namespace)) == wished
    ]
    return [parent for parent in said if not _is_anothers(parent)] or said


def _is_anothers(parent: Mapping[str, Any]) -> bool:
    return any(
        condition["type"] == "Accepted" and condition["status"] != "True" and condition["reason"] == "NoMatchingParent"
        for condition in parent.get("conditions", [])
    )


def _taken(routes: list[dict[str, Any]], rollout: Rollout) -> Mapping[str, str]:
    """Hostnames that are another's: it has them and ours does not yet, or its route is older, and so goes first."""
    gateway = rollout.spec["endpoint"]["gateway"]
    wished = (gateway["name"], gateway.get("namespace", rollout.namespace))
    own = (rollout.namespace, rollout.name)
    claims: dict[tuple[str, str], tuple[str, frozenset[str]]] = {}
    for route in routes:
        metadata, spec = route["metadata"], route["spec"]
        parents = {(ref["name"], ref.get("namespace", metadata["namespace"])) for ref in spec.get("parentRefs", [])}
        if wished in parents:
            # A route without a hostname has all that no other names.
            names = frozenset(spec.get("hostnames") or [ANY_HOSTNAME])
            claims[metadata["namespace"], metadata["name"]] = (metadata.get("creationTimestamp", ""), names)
    age, mine = claims.get(own, ("", frozenset()))
    return {
        name: "/".join(other)
        for other, (since, names) in claims.items()
        for name in names & set(rollout.spec["endpoint"].get("hostnames") or [ANY_HOSTNAME])
        if other != own and (name not in mine or (since, other) < (age, own))
    }


def _label(item: Mapping[str, Any], key: str) -> str | None:
    value = item["metadata"].get("labels", {}).get(key)
    return value if isinstance(value, str) else None


def _condition(item: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found = (entry for entry in item.get("status", {}).get("conditions", []) if entry["type"] == kind)
    return next(found, {})


def _slot(
    service: Mapping[str, Any] | None,
    deployment: Mapping[str, Any] | None,
    slices: list[dict[str, Any]],
    pods: tuple[SeenPod, ...],
) -> SeenSlot:
    if service is None:
        return SeenSlot()
    ready = _condition(service, "Ready")
    return SeenSlot(
        exists=True,
        release=_release(service),
        stopped=service["metadata"].get("annotations", {}).get(objects.STOP, "false").lower() == "true",
        restarted_at=service["spec"]["predictor"].get("annotations", {}).get(objects.RESTARTED_AT),
        kserve_ready=ready.get("status") == "True",
        kserve_message=ready.get("message", "") or ready.get("reason", "") or "no condition Ready yet",
        deployment=_deployment(deployment) if deployment is not None else None,
        has_service=bool(slices),
        endpoints=frozenset(
            address
            for item in slices
            for endpoint in item.get("endpoints") or []
            if endpoint.get("conditions", {}).get("ready") is True
            for address in endpoint["addresses"]
        ),
        pods=pods,
    )


def _release(service: Mapping[str, Any]) -> Release | None:
    version, revision = (_label(service, key) for key in (objects.LABEL_VERSION, objects.LABEL_REVISION))
    model = service["spec"]["predictor"].get("model", {})
    if version is None or revision is None or "storageUri" not in model:
        return None
    env = {entry["name"]: entry.get("value") for entry in model.get("env", [])}
    digest = env.get("LEEWAY_BUNDLE_DIGEST")
    return Release(version=version, revision=revision, storage_uri=model["storageUri"], digest=digest)


def _deployment(body: Mapping[str, Any]) -> SeenDeployment:
    status, desired = body.get("status", {}), body["spec"].get("replicas", 1)
    counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")}
    progressing = _condition(body, "Progressing")
    stuck = progressing.get("status") == "False" and progressing.get("reason") == "ProgressDeadlineExceeded"
    labels = body["spec"]["template"]["metadata"].get("labels", {})
    return SeenDeployment(
        revision=labels.get(objects.LABEL_REVISION),
        complete=status.get("observedGeneration") == body["metadata"]["generation"] and counts == {desired},
        desired=desired,
        available=status.get("availableReplicas", 0),
        stuck=progressing.get("message", "the progress deadline is exceeded") if stuck else None,
    )


def _pods(
    bodies: Sequence[Mapping[str, Any]], ask: Callable[[Sequence[str]], Mapping[str, Word]] | None
) -> tuple[SeenPod, ...]:
    addresses = [ip for body in bodies if (ip := body.get("status", {}).get("podIP")) is not None]
    words = ask(addresses) if ask is not None and addresses else {}
    return tuple(_pod(body, words) for body in bodies)


def _pod(body: Mapping[str, Any], words: Mapping[str, Word]) -> SeenPod:
    status = body.get("status", {})
    ip = status.get("podIP")
    scheduled = _condition(body, "PodScheduled")
    return SeenPod(
        name=body["metadata"]["name"],
        ip=ip,
        revision=_label(body, objects.LABEL_REVISION),
        ready=_condition(body, "Ready").get("status") == "True",
        trouble=_trouble(status),
        unscheduled=scheduled.get("message", "no node takes it") if scheduled.get("status") == "False" else None,
        word=words.get(ip) if ip is not None else None,
    )


def _counts(body: Mapping[str, Any]) -> bool:
    """Whether the Deployment counts this pod: it is neither leaving nor left over from an eviction."""
    ended = body.get("status", {}).get("phase") in {"Failed", "Succeeded"}
    return "deletionTimestamp" not in body["metadata"] and not ended


def _trouble(status: Mapping[str, Any]) -> str | None:
    for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in _TROUBLE:
            ended = container.get("lastState", {}).get("terminated")
            # `OOMKilled` is a reason without a message; what a process wrote to its termination log is a message.
            last = f"it ended with {ended.get('reason', 'code')} {ended['exitCode']}" if ended else ""
            told = " ".join(
                text for text in (waiting.get("message", ""), last, (ended or {}).get("message", "")) if text
            )
            return f"{waiting['reason']}: container {container['name']}: {told}"
    return None


def _route(body: Mapping[str, Any], rollout: Rollout) -> SeenRoute:
    # What a header chooses has no share in the traffic.
    shares = {
        reference["name"]: reference.get("weight", 1)
        for rule in body["spec"].get("rules", [])
        if not any(match.get("headers") for match in rule.get("matches", []))
        for reference in rule.get("backendRefs", [])
    }
    accepted = [
        condition
        for parent in _parents(body, rollout)
        for condition in parent.get("conditions", [])
        if condition["type"] == "Accepted"
    ]
    generation = body["metadata"]["generation"]
    taken_over = bool(accepted) and all(condition["status"] == "True" for condition in accepted)
    return SeenRoute(
        body=body,
        weights=Weights(**{slot: shares.get(objects.predictor_name(rollout.name, slot), 0) for slot in SLOTS}),
        generation=generation,
        # A gateway that does not say which generation it speaks of is taken to speak of this one. One that refuses a
        # route may go on with the one before.
        followed=taken_over and all(c.get("observedGeneration", generation) == generation for c in accepted),
        accepted=taken_over if accepted else None,
        message="; ".join(f"{c['reason']}: {c.get('message', '')}" for c in accepted if c["status"] != "True"),
    )
