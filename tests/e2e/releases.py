"""Models of their own beside the flights model: served side by side, released under load, and asked how it went."""

import dataclasses
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Self

import yaml
from story import NAMESPACE, Story, diagnose_operator

from cluster import demo
from cluster.shell import CommandFailedError
from drill.detector import Detector, RefusedError
from rollouts import manifests
from rollouts.labels import Labels
from rollouts.manifests import Manifest, Site
from rollouts.stage import Stage
from rollouts.telling import attempts, outcome
from rollouts.traffic import Sent, Traffic
from rollouts.variants import Variants

FAST: Mapping[str, Any] = {"monitoring": {"podMonitors": {"interval": "1s"}}}
"""Values of the chart under which the gateway's counts come as often as those of the models here."""
_CANARY = ({"weight": 20, "hold": "4s"}, {"weight": 50})
# Margins that a version as good as stable has proven to keep within two minutes of this little traffic.
_GATES: Mapping[str, Any] = {"errors": {"margin": 0.05}, "latency": {"threshold": "200ms", "margin": 0.05}}
# What twenty pods have to fit into, on a node of two cores.
_RESOURCES: Mapping[str, Any] = {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}}
_SERVE_SECONDS = 300.0
_DECIDE_SECONDS = 360.0
_HISTORY = 60  # requests before a release, of which stable's usual rates are known
_POLL_SECONDS = 1.0

Status = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """What a model is to go through.

    Attributes:
        name: of the model.
        rate: requests per second.
        fault: of the candidate's server, as FAULT has it; empty: none.
        strategy: beside ticks of 2 s and the gates' margins.
        gates: required beside errors and latency.
        labels: whether true labels follow the predictions.
        idle: whether its traffic begins later than its release.
    """

    name: str
    rate: float = 8
    fault: str = ""
    strategy: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"steps": _CANARY})
    gates: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    labels: bool = False
    idle: bool = False

    def document(self) -> dict[str, Any]:
        """Return `spec.strategy`."""
        analysis = {"interval": "2s", "gates": {**_GATES, **self.gates}}
        return {"minRequests": 20, "analysis": analysis, **json.loads(json.dumps(self.strategy))}


class Model:
    """One model with its traffic."""

    def __init__(self, stage: Stage, part: Part, samples: Sequence[Mapping[str, Any]], namespace: str) -> None:
        self.stage, self.part, self.site, self._samples = stage, part, Site(part.name, namespace), samples
        self.traffic = self.requests(rate=part.rate)
        self.attempts = 0
        self.lost: list[str] = []

    def requests(self, *, rate: float, headers: Mapping[str, str] | None = None, seed: int = 0) -> Traffic:
        """Return traffic that has not begun."""
        endpoint = self.stage.endpoint_of(self.site)
        return Traffic(endpoint, self.site.path, self._samples, rate=rate, headers=headers, seed=seed)

    def labels(self, traffic: Traffic) -> Labels:
        """Return what sends the true labels of that traffic; `lost` says which of them the detector did not take."""
        detector = Detector(self.stage.cluster.kubeconfig)

        def send(items: list[dict[str, Any]]) -> None:
            try:
                detector.feedback(items)
            except (RefusedError, OSError) as error:  # a detector that is busy: these labels are lost, the next are not
                self.lost.append(f"{len(items)} labels: {error}")

        return Labels(send, traffic.sent, self._samples, self.site, clock=time.time)

    def status(self) -> Status:
        return self.stage.status(self.site)

    def leeway(self, verb: str, *arguments: str) -> str:
        """Run `kubectl leeway VERB` for this model."""
        return self.stage.leeway(verb, self.site.name, f"--namespace={self.site.namespace}", *arguments)

    def until(self, holds: Callable[[Status], bool], *, seconds: float = _DECIDE_SECONDS, what: str) -> Status:
        """Wait until the status says something; return it.

        Raises:
            AssertionError: it has not in time.
        """
        deadline = time.monotonic() + seconds
        while not holds(status := self.status()):
            assert time.monotonic() < deadline, f"{self.site.name}: {what}: not within {seconds:.0f} s"
            time.sleep(_POLL_SECONDS)  # a poll, bounded by the deadline above
        return status

    def ended(self, *, seconds: float = _DECIDE_SECONDS) -> Mapping[str, Any]:
        """Wait for the end of the first attempt since the last release or `begin`; return its record."""
        status = self.until(lambda status: self.outcome(status) is not None, seconds=seconds, what="the end")
        record = self.outcome(status)
        assert record is not None
        return record

    def outcome(self, status: Status) -> Mapping[str, Any] | None:
        """Return the record of the first attempt since the last release or `begin` that has ended."""
        return outcome(status, after=self.attempts)

    def begin(self) -> None:
        """From now on `ended` means a later attempt than those that have ended by now."""
        self.attempts = attempts(self.status())

    def in_phase(self, *phases: str, seconds: float = _DECIDE_SECONDS) -> Status:
        return self.until(lambda status: status.get("phase") in phases, seconds=seconds, what=f"phase {phases}")

    def held(self, *reasons: str, seconds: float = _DECIDE_SECONDS) -> str:
        """Wait until one of these reasons holds it; return the sentence."""
        status = self.until(lambda status: hold(status)[0] in reasons, seconds=seconds, what=f"held by {reasons}")
        return hold(status)[1]

    def pods(self) -> dict[str, tuple[str, int]]:
        """Return each pod's name with its uid and the restarts of its containers."""
        selector = f"--selector=leeway.dev/model={self.site.name}"
        namespace = f"--namespace={self.site.namespace}"
        listed = json.loads(self.stage.kube.kubectl("get", "pods", namespace, selector, "--output=json"))["items"]
        return {
            pod["metadata"]["name"]: (
                pod["metadata"]["uid"],
                sum(container["restartCount"] for container in pod["status"].get("containerStatuses", [])),
            )
            for pod in listed
        }

    def told(self) -> list[tuple[str, str]]:
        """What a person would ask after a failure."""
        asked = []
        for verb in ("status", "why"):
            try:
                said = self.leeway(verb)
            except CommandFailedError as error:
                said = str(error)
            asked.append((f"kubectl leeway {verb} {self.site.name}", said))
        failures = "\n".join(map(str, self.traffic.failures()[:20]))
        lost = [("labels that were not taken", "\n".join(self.lost[-20:]))] if self.lost else []
        return [*asked, *lost, (f"failed requests of {self.site.name}", failures or "none")]


class Cast:
    """The models of a test module, all serving the first version, and the traffic of each, until the block ends."""

    def __init__(
        self, story: Story, variants: Variants, samples: Sequence[dict[str, Any]], parts: Sequence[Part]
    ) -> None:
        self.story, self.variants = story, variants
        self.asked: set[str] = set()
        """Models that the running test has asked for; what they say is printed if it fails."""
        self._stage, self._samples = Stage(story.cluster), samples
        self._base, self._runtime = self._stage.base()
        self._models = {part.name: Model(self._stage, part, samples, NAMESPACE) for part in parts}
        self._made: list[Manifest] = []
        self._stack = ExitStack()

    def __getitem__(self, name: str) -> Model:
        self.asked.add(name)
        return self._models[name]

    def __enter__(self) -> Self:
        monitor = manifests.pod_monitor(self._stage.server_monitor(), "stories", list(self._models), interval="1s")
        self._made.append(monitor)
        for model in self._models.values():
            good = manifests.runtime(self._runtime, model.site, _runtime(model))
            self._made += [self._rollout(model, self.variants.stable, _runtime(model)), good]
            if model.part.fault:
                image, fault = self.variants.faulty_server, model.part.fault
                self._made.append(
                    manifests.runtime(self._runtime, model.site, _runtime(model, "-bad"), image=image, fault=fault)
                )
        self._stack.callback(self._remove)
        try:
            self._stage.kube.apply(self._made)
            self._await_service()
            for model in self._models.values():
                self._listen(model)
            self._await_history()
        except BaseException as error:
            self.asked = set(self._models)
            error.add_note("\n".join(f"--- {what}\n{said}" for what, said in self.told()))
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def release(self, *names: str) -> None:
        """Release the good version of all models, or of these; with the fault that it is to have."""
        chosen = [self._models[name] for name in names or self._models]
        for model in chosen:
            model.begin()
        self._stage.kube.apply([
            self._rollout(model, self.variants.good, _runtime(model, "-bad" if model.part.fault else ""))
            for model in chosen
        ])  # fmt: skip

    def change(self, name: str, image: demo.ModelImage) -> None:
        """Change what `spec.model` names."""
        self._stage.kube.apply([self._rollout(self._models[name], image, _runtime(self._models[name]))])

    def told(self) -> list[tuple[str, str]]:
        """What is printed of a test that failed."""
        sections = [section for name in sorted(self.asked) for section in self._models[name].told()]
        return [*sections, ("operator", diagnose_operator(self.story))]

    def _rollout(self, model: Model, image: demo.ModelImage, runtime: str) -> Manifest:
        rollout = manifests.rollout(
            self._base,
            model.site,
            model=image.values(),
            runtime=runtime,
            strategy=model.part.document(),
            capture={"mode": "direct", "sample": 1},
        )
        rollout["spec"]["model"]["resources"] = dict(_RESOURCES)
        return rollout

    def _await_service(self) -> None:
        waiting = set(self._models)
        deadline = time.monotonic() + _SERVE_SECONDS
        while waiting:
            waiting = {name for name in waiting if not self._stage.answers(self._models[name].site, self._samples[0])}
            assert time.monotonic() < deadline, f"no answer of {waiting} within {_SERVE_SECONDS:.0f} s"
            time.sleep(_POLL_SECONDS)  # a poll, bounded by the deadline above

    def _listen(self, model: Model) -> None:
        if not model.part.idle:
            self._stack.enter_context(model.traffic)
        if model.part.labels:
            self._stack.enter_context(model.labels(model.traffic))

    def _await_history(self) -> None:
        """Wait until every model that has traffic was asked often enough to have usual rates."""
        deadline = time.monotonic() + _SERVE_SECONDS
        while quiet := {
            name for name, model in self._models.items() if not model.part.idle and len(model.traffic.sent) < _HISTORY
        }:
            assert time.monotonic() < deadline, f"{quiet}: fewer than {_HISTORY} requests"
            time.sleep(_POLL_SECONDS)  # a poll, bounded by the deadline above

    def _remove(self) -> None:
        self.story.kube.kubectl("delete", "--ignore-not-found", "--filename=-", stdin=yaml.safe_dump_all(self._made))


def _runtime(model: Model, suffix: str = "") -> str:
    return f"{model.site.name}-runtime{suffix}"


def answers_of(traffic: Traffic, versions: Collection[str], *, seconds: float = 30) -> None:
    """Wait until the latest twenty requests, all due from now on, were answered by these versions alone.

    Raises:
        AssertionError: others answer still.
    """
    since, deadline = time.time(), time.monotonic() + seconds
    while True:
        latest = [sent for sent in list(traffic.sent)[-20:] if sent.time - sent.seconds > since]
        if len(latest) == 20 and {sent.version for sent in latest} <= set(versions):
            return
        said = [(sent.version, sent.status) for sent in latest]
        assert time.monotonic() < deadline, f"answers of {versions} expected within {seconds:.0f} s, got {said}"
        time.sleep(_POLL_SECONDS)  # a poll, bounded by the deadline above


def hold(status: Status) -> tuple[str, str]:
    """What holds the candidate: reason and sentence; both empty if nothing does."""
    held = (status.get("analysis") or {}).get("held") or {}
    return held.get("reason", ""), held.get("message", "")


def weight(status: Status) -> int:
    """Percent of the candidate; 0 without one."""
    return int((status.get("candidate") or {}).get("weight", 0))


def serves_alone(status: Status, version: str) -> bool:
    """Whether the status says that this version has all traffic."""
    stable = status.get("stable") or {}
    return stable.get("version") == version and status.get("weights", {}).get(stable.get("slot")) == 100


def condition(status: Status, kind: str) -> dict[str, Any]:
    found = [entry for entry in status.get("conditions", []) if entry["type"] == kind]
    return found[0] if found else {}


def failed(sent: Sequence[Sent]) -> list[str]:
    """What users were let down by, for people."""
    return [f"{one.status} by {one.version or 'nobody'}: {one.error}" for one in sent]
