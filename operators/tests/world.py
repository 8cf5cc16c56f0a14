"""A cluster in memory: the API server's behaviour that the operator relies on, KServe, a gateway and model servers.

Deterministic: nothing moves but by a call of the operator, or by `World.tick`.
"""

import copy
import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from leeway_operators.core import documents, objects
from leeway_operators.core.evidence import CounterReading, Counters, DetectorReading, Evidence, Missing, Question
from leeway_operators.core.model import SLOTS, Rollout, Slot
from leeway_operators.core.seen import Seen, Word
from leeway_operators.shell import api
from leeway_operators.shell.reconcile import Reconciler

NAMESPACE, NAME = "models", "flights"
SINK = "http://sink.example/"
REPOSITORY = Path(__file__).parents[2]
Key = tuple[api.Resource, str]
BOUND = 0.1
"""Seconds: the one bucket bound of this world's servers."""


NOBODY = Missing(reason="no drift detector answers")


class Crashed(BaseException):  # not an Exception: nothing in the operator survives its death
    """The operator was killed."""


@functools.cache
def crd() -> dict[str, Any]:
    """The CustomResourceDefinition that the chart installs."""
    text = (REPOSITORY / "charts/leeway/charts/crds/crds/modelrollouts.yaml").read_text()
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def rollout_schema() -> dict[str, Any]:
    """The schema of a ModelRollout."""
    schema: dict[str, Any] = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def defaulted(schema: Mapping[str, Any], value: Any) -> Any:
    """What the API server makes of a document: defaults filled in, from the CRD itself."""
    if isinstance(value, dict):
        known = schema.get("properties", {})
        filled = {key: copy.deepcopy(sub["default"]) for key, sub in known.items() if "default" in sub} | value
        return {key: defaulted(known.get(key, {}), item) for key, item in filled.items()}
    if isinstance(value, list):
        return [defaulted(schema.get("items", {}), item) for item in value]
    return value


def spec(version: str = "1", **model: Any) -> dict[str, Any]:
    """A ModelRollout's spec as a user writes it."""
    return {
        "model": {
            "storageUri": f"oci://docker.io/leeway/model-flights:{version}",
            "version": version,
            "digest": digest(version),
            **model,
        },
        "endpoint": {"gateway": {"name": "leeway", "namespace": "leeway"}, "hostnames": ["flights.example.org"]},
        "runtime": "leeway-onnx-1",
    }


def digest(version: str) -> str:
    """The digest of a version's bundle in this world."""
    return "sha256:" + version.encode().hex().rjust(64, "0")


@dataclass
class World:
    """Everything there is. `images` maps a storageUri to the word of the server that loads it."""

    objects: dict[Key, dict[str, Any]] = field(default_factory=dict)
    images: dict[str, Word] = field(default_factory=dict)
    load: dict[str, int] = field(default_factory=dict)
    """Replicas that a slot's autoscaler wants for its traffic."""
    events_refused: bool = False
    """Whether a quota keeps every Event out."""
    gateway_up: bool = True
    """Whether a gateway takes over what the HTTPRoute says."""
    rate: float = 0.0
    """Requests per second at the gateway."""
    errors: dict[str, float] = field(default_factory=dict)
    """Share of a version's requests that fail."""
    slow: dict[str, float] = field(default_factory=dict)
    """Share of a version's predictions that take longer than `BOUND`."""
    prometheus_up: bool = True
    loss: dict[str, float] = field(default_factory=dict)
    """Share of a version's labelled predictions that were wrong; the drift detector answers once one has labels."""
    frozen: str | None = None
    """Why nothing may move forward."""
    counted: dict[str, list[float]] = field(default_factory=dict)
    """Pod → requests, errors and predictions that were slow."""
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    writes: list[tuple[str, str]] = field(default_factory=list)
    crash_after: int | None = None
    reads: set[tuple[str, str]] = field(default_factory=set)
    on_write: Callable[["World"], None] | None = None

    def __post_init__(self) -> None:
        """Install the chart's runtime."""
        self.put(
            api.RUNTIMES,
            {
                "metadata": {"name": "leeway-onnx-1", "namespace": NAMESPACE},
                "spec": {"supportedModelFormats": [{"name": "onnx", "autoSelect": True, "priority": 1}]},
            },
        )

    # ------------------------------------------------------------------------------------ people and KServe

    def put(self, resource: api.Resource, body: dict[str, Any]) -> None:
        """Somebody else writes an object."""
        self.objects[resource, body["metadata"]["name"]] = body

    def release(self, wished: dict[str, Any]) -> None:
        """Somebody applies a ModelRollout; the API server fills in the defaults and counts the generation."""
        full = defaulted(rollout_schema()["properties"]["spec"], wished)
        body = self.objects.setdefault(
            (api.ROLLOUTS, NAME),
            {"metadata": {"name": NAME, "namespace": NAMESPACE, "uid": "u-1", "generation": 0}, "spec": None},
        )
        if body["spec"] != full:
            body["spec"] = full
            body["metadata"]["generation"] += 1
            _count_version(body)
        model = full["model"]
        self.images.setdefault(model["storageUri"], Word(version=model["version"], digest=digest(model["version"])))

    def tick(self, seconds: int = 5) -> None:
        """Time passes: KServe, kubelet and gateway do what they were asked to."""
        self.now += timedelta(seconds=seconds)
        for slot in SLOTS:
            self._serve(slot, seconds)
            self._kserve(slot)
        route = self.objects.get((api.ROUTES, NAME))
        if route is not None and self.gateway_up:
            accepted = {
                "type": "Accepted",
                "status": "True",
                "reason": "Accepted",
                "message": "",
                "observedGeneration": route["metadata"]["generation"],
            }
            parent = route["spec"]["parentRefs"][0]
            route["status"] = {"parents": [{"parentRef": parent, "conditions": [accepted]}]}

    def _serve(self, slot: Slot, seconds: int) -> None:
        """Requests of the seconds that have passed, as exact shares: nothing is left to chance."""
        live = self.objects.get((api.INFERENCE_SERVICES, f"{NAME}-{slot}"))
        addresses = self._ready(slot)
        if live is None or not addresses:
            return
        version = live["metadata"]["labels"][objects.LABEL_VERSION]
        route = self.objects.get((api.ROUTES, NAME), {"spec": {"rules": [{"backendRefs": []}]}})
        mirrored = any(
            copy["requestMirror"]["backendRef"]["name"] == f"{NAME}-{slot}-predictor"
            for copy in route["spec"]["rules"][0].get("filters", [])
            if copy["type"] == "RequestMirror"
        )
        share = 1.0 if mirrored else self.shares().get(slot, 0) / 100
        requests = self.rate * seconds * share / len(addresses)
        failed, slow = self.errors.get(version, 0.0), self.slow.get(version, 0.0)
        for address in addresses:
            counted = self.counted.setdefault(f"{NAME}-{slot}-predictor-{address}", [0.0, 0.0, 0.0])
            counted[0] += requests
            counted[1] += requests * failed
            counted[2] += requests * (1 - failed) * slow

    def _ready(self, slot: str) -> list[str]:
        ready = self.objects.get((api.ENDPOINT_SLICES, f"{NAME}-{slot}-predictor"), {"endpoints": []})["endpoints"]
        return [endpoint["addresses"][0] for endpoint in ready]

    def _kserve(self, slot: str) -> None:
        service = self.objects.get((api.INFERENCE_SERVICES, f"{NAME}-{slot}"))
        name = f"{NAME}-{slot}-predictor"
        mine = [key for key, item in self.objects.items() if item["metadata"].get("of") == name]
        if service is None or service["metadata"]["annotations"][objects.STOP] == "true":
            for key in mine:
                del self.objects[key]
            if service is not None:
                service["status"] = {"conditions": [{"type": "Ready", "status": "False", "reason": "Stopped"}]}
            return
        model = service["spec"]["predictor"]["model"]
        if (api.RUNTIMES, model["runtime"]) not in self.objects:
            return
        deployment = self.objects.get((api.DEPLOYMENTS, name))
        labels = service["metadata"]["labels"]
        new = deployment is None or deployment["spec"]["template"]["metadata"]["labels"] != labels
        generation = 1 if deployment is None else deployment["metadata"]["generation"] + new
        hpa = self.objects.get((api.HPAS, f"{NAME}-{slot}-scale"))
        replicas = max(hpa["spec"].get("minReplicas", 1), self.load.get(slot, 1)) if hpa is not None else 1
        word = self.images[model["storageUri"]]
        # A fresh template is first only promised: its pods come with the next tick.
        up = replicas if not new and word.error is None else 0
        counts = {"replicas": replicas, "updatedReplicas": replicas, "availableReplicas": up, "readyReplicas": up}
        for key in mine:
            del self.objects[key]
        meta = {"namespace": NAMESPACE, "of": name, "labels": labels}
        self.put(
            api.DEPLOYMENTS,
            {
                "metadata": {"name": name, "generation": generation, **meta},
                "spec": {"replicas": replicas, "template": {"metadata": {"labels": labels}}},
                "status": {"observedGeneration": generation - new, **counts},
            },
        )
        addresses = [f"10.0.{'ab'.index(slot)}.{number}" for number in range(replicas)]
        for address in addresses if not new else ():
            ready = "True" if up else "False"
            pod = {"metadata": {"name": f"{name}-{address}", **meta}, "uri": model["storageUri"]}
            self.put(api.PODS, pod | {"status": {"podIP": address, "conditions": [{"type": "Ready", "status": ready}]}})
        self.put(
            api.ENDPOINT_SLICES,
            {
                "metadata": {"name": name, **meta, "labels": {"kubernetes.io/service-name": name}},
                "endpoints": [{"addresses": [a], "conditions": {"ready": True}} for a in addresses[:up]],
            },
        )
        # As KServe does it: Ready stays as it was until the new template's pods decide.
        if up or not new:
            service["status"] = {"conditions": [{"type": "Ready", "status": "True" if up else "False", "message": ""}]}

    # ------------------------------------------------------------------------------------ what tests look at

    @property
    def body(self) -> dict[str, Any]:
        """The ModelRollout."""
        return self.objects[api.ROLLOUTS, NAME]

    @property
    def status(self) -> dict[str, Any]:
        """Its status."""
        status: dict[str, Any] = self.body.get("status", {})
        return status

    def condition(self, kind: str) -> dict[str, Any]:
        """One of its conditions."""
        found: dict[str, Any] = next(entry for entry in self.status["conditions"] if entry["type"] == kind)
        return found

    def shares(self) -> dict[str, int]:
        """Slot → weight, as the gateway has it."""
        route = self.objects.get((api.ROUTES, NAME))
        backends = route["spec"]["rules"][0]["backendRefs"] if route is not None else []
        return {ref["name"].removesuffix("-predictor")[-1]: ref["weight"] for ref in backends}

    def served(self, slot: str) -> set[tuple[str | None, str | None]]:
        """(version, digest) of every ready pod behind a slot's Service."""
        words = self(self._ready(slot), NAME)
        return {(word.version, word.digest) for word in words.values()}

    def events(self) -> list[str]:
        """Reasons of the Events, in the order of their creation."""
        return [item["reason"] for (resource, _), item in self.objects.items() if resource == api.EVENTS]

    # ------------------------------------------------------------------------------------ the probe

    def __call__(self, addresses: Sequence[str], model: str) -> Mapping[str, Word]:
        """The words of the servers on pods."""
        assert model == NAME
        pods = [item for (resource, _), item in self.objects.items() if resource == api.PODS]
        uris = {item["status"]["podIP"]: item["uri"] for item in pods if "podIP" in item["status"]}
        return {address: self.images[uris[address]] for address in addresses}

    # ------------------------------------------------------------------------------------ the sources

    def sources(self, rollout: Rollout, question: Question, seen: Seen) -> Evidence:
        """What Prometheus and the drift detector know."""
        assert rollout.name == NAME
        assert seen.slots
        if not self.prometheus_up:
            return Evidence(counters=Missing(reason="Prometheus at prometheus.example gave no answer"), detector=NOBODY)
        servers: dict[str, Counters] = {}
        ready: dict[str, Slot] = {}
        for slot in SLOTS:
            for address in self._ready(slot):
                pod = f"{NAME}-{slot}-predictor-{address}"
                ready[pod] = slot
                requests, failed, slow = self.counted.get(pod, [0.0, 0.0, 0.0])
                servers[pod] = Counters(
                    slot=slot,
                    time=self.now.timestamp(),
                    requests=requests,
                    errors=failed,
                    buckets={BOUND: requests - failed - slow, math.inf: requests - failed},
                )
        stable: Slot = "a" if question.candidate == "b" else "b"
        hour = Counters(
            slot=stable, time=self.now.timestamp(), requests=3600, errors=0, buckets={BOUND: 3600, math.inf: 3600}
        )
        counters = CounterReading(servers=servers, ready=ready, interval=5, history=hour if question.history else None)
        return Evidence(counters=counters, detector=self._detected(seen, question) if self.loss else NOBODY)

    def _detected(self, seen: Seen, question: Question) -> DetectorReading:
        """One tick of 50 labels for each version that has any, of predictions of its minute."""
        arms, served = {}, self.now.replace(second=0, microsecond=0)
        for slot in SLOTS:
            release = seen.slots[slot].release
            if release is None or release.version not in self.loss:
                continue
            wrong = round(50 * self.loss[release.version])
            arms["candidate" if slot == question.candidate else "stable"] = {
                "version": release.version,
                "profile": "p",
                "requests": 0,
                "rows": 0,
                "outputs": {},
                "losses": [{"served": served.isoformat(), "n": 50, "sum": wrong, "sumsq": wrong}],
                "quality": {"n": 0, "bad": 0},
                "features": {},
            }
        tick = {
            "start": self.now.isoformat(),
            "arms": arms,
            "pairs": {"n": 0, "sum": 0, "sumsq": 0, "labelled": 0, "flips": 0, "bounded": True},
        }
        coverage = {"candidate": 1.0, "stable": 1.0}
        return DetectorReading(epoch="e", cursor=self.now.isoformat(), coverage=coverage, ticks=(tick,))

    # ------------------------------------------------------------------------------------ the API server

    def _write(self, verb: str, resource: api.Resource) -> None:
        if self.crash_after is not None:
            if self.crash_after == 0:
                raise Crashed
            self.crash_after -= 1
        self.writes.append((verb, resource.plural))

    def _written(self) -> None:
        if self.on_write is not None:
            self.on_write(self)

    def get(self, resource: api.Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
        """See `Api.get`."""
        assert namespace == NAMESPACE or resource in {api.GATEWAYS, api.GATEWAY_CLASSES}
        self.reads.add(("get", resource.plural))
        return copy.deepcopy(self.objects.get((resource, name)))

    def list(self, resource: api.Resource, namespace: str | None, selector: str = "") -> list[dict[str, Any]]:
        """See `Api.list`; the selectors are those the operator uses."""
        assert namespace == NAMESPACE or (namespace is None and resource == api.ROUTES)
        self.reads.add(("list", resource.plural))
        found = [item for (kind, _), item in self.objects.items() if kind == resource]
        return copy.deepcopy([item for item in found if _selected(item, selector)])

    def apply(self, resource: api.Resource, body: Mapping[str, Any], *, status: bool = False) -> None:
        """See `Api.apply`."""
        wished = json.loads(json.dumps(body))
        self._write("status" if status else "apply", resource)
        key = (resource, wished["metadata"]["name"])
        live = self.objects.get(key)
        if status:
            assert live is not None
            if wished["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
                raise api.StaleError(wished["metadata"]["name"])
            live["status"] = wished["status"]
            _count_version(live)
        elif resource == api.HPAS:
            assert live is not None
            live["spec"]["minReplicas"] = wished["spec"]["minReplicas"]
        else:
            if resource == api.INFERENCE_SERVICES and live is not None:
                self._assert_not_serving(wished["metadata"]["name"])
            kept = {"status": live["status"]} if live is not None and "status" in live else {}
            before = live["metadata"].get("generation", 0) if live is not None else 0
            wished["metadata"]["generation"] = before + (live is None or live.get("spec") != wished.get("spec"))
            self.objects[key] = wished | kept
        self._written()

    def _assert_not_serving(self, name: str) -> None:
        assert self.shares().get(name[-1], 0) == 0, f"{name} serves and was edited"

    def create(self, resource: api.Resource, body: Mapping[str, Any]) -> None:
        """See `Api.create`."""
        self._write("create", resource)
        if resource == api.EVENTS and self.events_refused:
            raise PermissionError("exceeded quota: events")
        self.objects.setdefault((resource, body["metadata"]["name"]), json.loads(json.dumps(body)))
        self._written()

    def annotate(self, resource: api.Resource, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """See `Api.annotate`."""
        assert namespace == NAMESPACE
        self._write("annotate", resource)
        if annotations.get(objects.STOP) == "true":
            self._assert_not_serving(name)
        self.objects[resource, name]["metadata"]["annotations"].update(annotations)
        self._written()

    def merge(self, resource: api.Resource, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        """See `Api.merge`."""
        assert namespace == NAMESPACE
        self._write("merge", resource)
        _merge(self.objects[resource, name], json.loads(json.dumps(patch)))
        self._written()

    def delete(self, resource: api.Resource, namespace: str, name: str) -> None:
        """See `Api.delete`."""
        assert namespace == NAMESPACE
        self._write("delete", resource)
        self.objects.pop((resource, name), None)
        self._written()

    # ------------------------------------------------------------------------------------ running the operator

    def operator(self) -> Reconciler:
        """A freshly started operator."""
        return Reconciler(self, self, lambda: self.now, SINK, "operator-0", sources=self.sources, frozen=self.frozen)

    def settle(self, rounds: int = 12) -> None:
        """Let operator and cluster take turns; every look is by an operator that remembers nothing."""
        for _ in range(rounds):
            self.operator().reconcile(NAMESPACE, NAME)
            self.tick()

    def document(self) -> dict[str, Any]:
        """What must not depend on when the operator was killed: roles, weights and outcomes, without times."""
        status = documents.status_of(self.body)
        roles = {"stable": status.stable, "candidate": status.candidate, "previous": status.previous}
        return {
            "roles": {role: (arm.slot, arm.release) for role, arm in roles.items() if arm is not None},
            "weights": status.weights,
            "phase": status.phase,
            "shares": self.shares(),
            "history": [(record.version, record.outcome) for record in status.history],
        }


def _count_version(body: dict[str, Any]) -> None:
    body["metadata"]["resourceVersion"] = str(int(body["metadata"].get("resourceVersion", "0")) + 1)


def _merge(into: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def _selected(item: Mapping[str, Any], selector: str) -> bool:
    labels = item["metadata"].get("labels", {})
    if " in (" in selector:
        key, values = selector.removesuffix(")").split(" in (")
        return labels.get(key) in values.split(",")
    return all(labels.get(key) == value for key, value in (term.split("=") for term in selector.split(",")))
