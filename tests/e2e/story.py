"""What the end-to-end story does to a cluster: helm, kubectl, HTTPS requests, model images."""

import dataclasses
import itertools
import json
import os
import re
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import yaml

from cluster import demo, lifecycle, paths, up
from cluster.addons.kube import Kube
from cluster.fetch import debian
from cluster.https import Endpoint
from cluster.shell import CommandFailedError, run

NAMESPACE, RELEASE, MODEL = demo.NAMESPACE, demo.RELEASE, demo.MODEL


@dataclasses.dataclass
class Answer:
    """One answered (or failed) request: its id, status code (0: no answer), version header, body and error."""

    request_id: str
    status: int
    version: str = ""
    body: dict[str, Any] = dataclasses.field(default_factory=dict)
    error: str = ""


class Caller:
    """An HTTPS client of the model: by its name, at the gateway's address, checked against the gateway's authority."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._hostname, self._address = endpoint.hostname, endpoint.address
        self._client = httpx.Client(verify=ssl.create_default_context(cafile=endpoint.authority), timeout=20)

    def close(self) -> None:
        self._client.close()

    def call(self, path: str, body: object, **headers: str) -> Answer:
        """POST once, never again: what fails is what a user would have seen fail."""
        request_id = str(uuid.uuid4())
        try:
            answer = self._client.post(
                f"https://{self._address}{path}",
                json=body,
                headers={"host": self._hostname, "x-request-id": request_id, **headers},
                extensions={"sni_hostname": self._hostname},
            )
        except httpx.HTTPError as error:
            return Answer(request_id, 0, error=repr(error))
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return Answer(
            request_id=answer.headers.get("x-request-id", ""),
            status=answer.status_code,
            version=answer.headers.get("x-leeway-version", ""),
            body=answer.json() if is_json else {},
            error="" if answer.is_success else answer.text[:300],
        )


class Story:
    """One cluster with Leeway on it."""

    def __init__(self, cluster: paths.ClusterPaths) -> None:
        self.cluster = cluster
        self.kube = Kube(cluster.kubeconfig)
        self.endpoint = up.endpoint(cluster)
        self.values: dict[str, Any] = yaml.safe_load((cluster.state / "values.yaml").read_text(encoding="utf-8"))

    def caller(self, hostname: str = demo.HOSTNAME) -> Caller:
        return Caller(dataclasses.replace(self.endpoint, hostname=hostname))

    def helm(self, *arguments: str | Path, namespace: str = NAMESPACE, stdin: str | None = None) -> str:
        return run(
            [self.cluster.bin / "helm", *arguments, "--namespace", namespace],
            env={"KUBECONFIG": str(self.cluster.kubeconfig)},
            stdin=stdin,
        )

    def upgrade(self, **model: str) -> None:
        """`helm upgrade` with other fields of the model; everything else as installed by `make up`."""
        changed = json.loads(json.dumps(self.values))
        changed["models"][MODEL]["model"] |= model
        self.upgrade_values(changed)

    def upgrade_values(self, values: dict[str, Any]) -> None:
        self.helm("upgrade", RELEASE, up.CHART, "--values", "-", stdin=yaml.safe_dump(values))

    @contextmanager
    def installed(self, changes: dict[str, Any]) -> Iterator[None]:
        """Have other values than `make up` installed, until the block ends; mappings are merged."""
        self.upgrade_values(_merged(self.values, changes))
        self._await_detector()
        try:
            yield
        finally:
            self.upgrade()
            self._await_detector()

    def _await_detector(self) -> None:
        detector = f"deployment/{RELEASE}-drift-detector"
        self.kube.kubectl("rollout", "status", detector, f"--namespace={NAMESPACE}", "--timeout=120s")

    def rollout(self, name: str = MODEL) -> dict[str, Any]:
        """Return a ModelRollout."""
        return self.get("modelrollout", name)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.kube.kubectl("get", kind, name, f"--namespace={NAMESPACE}", "--output=json")
        )
        return found

    def stable_version(self) -> str:
        return str(self.rollout().get("status", {}).get("stable", {}).get("version", ""))

    def condition(self, kind: str) -> dict[str, Any]:
        conditions = self.rollout().get("status", {}).get("conditions", [])
        return next((entry for entry in conditions if entry["type"] == kind), {})

    def ready(self, name: str) -> bool:
        """Whether a ModelRollout's stable version serves; False for one that is not there yet."""
        conditions = self.rollout(name).get("status", {}).get("conditions", [])
        return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)

    def operator_pods(self) -> list[str]:
        return self.pods("app.kubernetes.io/component=operator")

    def pods(self, selector: str) -> list[str]:
        """Return the pods as `pod/<name>`."""
        return self.kube.kubectl(
            "get", "pods", f"--namespace={NAMESPACE}", f"--selector={selector}", "--output=name"
        ).split()

    def load(self, archive: Path) -> None:
        """Give an image archive to the node."""
        lifecycle.import_image(self.cluster, debian.unpack(lifecycle.DEBIAN_PACKAGES), archive)

    def tag_image(self, reference: str, other: str) -> None:
        """Give an image of the node another name."""
        run([
            debian.unpack(lifecycle.DEBIAN_PACKAGES) / "usr/bin/ctr", "--address", self.cluster.containerd_socket,
            "--namespace", "k8s.io", "images", "tag", "--force", reference, other,
        ])  # fmt: skip

    def seen(self, version: str, kind: str) -> set[str]:
        """Return the request ids in the detector's window of this version, of "request" or "response" events."""
        window = self.detector(f"/v1/windows/{NAMESPACE}/{MODEL}/{version}?type={kind}")
        return set(window["request_ids"]) if window is not None else set()

    def detector(self, path: str) -> dict[str, Any] | None:
        """Return the detector's answer to GET `path`; None if it has no event of that model or version yet."""
        service = f"/api/v1/namespaces/{NAMESPACE}/services/{RELEASE}-drift-detector:80/proxy"
        try:
            answer: dict[str, Any] = json.loads(self.kube.kubectl("get", "--raw", f"{service}{path}"))
        except CommandFailedError as error:
            if "NotFound" in str(error):
                return None
            raise
        return answer

    def detector_metric(self, name: str, **labels: str) -> float | None:
        """Return the sum of the detector's series of that name with these labels; None if there is none."""
        (pod,) = self.pods("app.kubernetes.io/component=drift-detector")
        proxy = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod.removeprefix('pod/')}:8082/proxy/metrics"
        series = re.findall(
            rf"^{name}(?:\{{(.*)\}})? (\S+)$", self.kube.kubectl("get", "--raw", proxy), flags=re.MULTILINE
        )
        wanted = labels.items()
        found = [float(value) for text, value in series if wanted <= dict(re.findall(r'(\w+)="([^"]*)"', text)).items()]
        return sum(found) if found else None


def feeds(request: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return what onnxruntime is to be asked for the answer to a V2 request."""
    kinds = {"FP32": np.float32, "BYTES": object}
    return {
        tensor["name"]: np.array(
            [np.nan if value is None else value for value in tensor["data"]], dtype=kinds[tensor["datatype"]]
        ).reshape(tensor["shape"])
        for tensor in request["inputs"]
    }


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    whole = dict(values)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(whole.get(key), dict)
        whole[key] = _merged(whole[key], value) if both else value
    return whole


def eventually(holds: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait for something that other processes bring about.

    Raises:
        AssertionError: it did not come about in time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.5)  # a poll, bounded by the deadline above


@contextmanager
def traffic(story: Story, bodies: list[dict[str, Any]], *, callers: int = 4) -> Iterator[list[Answer]]:
    """Send requests from `callers` threads until the block ends; yields the growing list of answers."""
    answers: list[Answer] = []
    stop = threading.Event()

    def run_caller(offset: int) -> None:
        caller = story.caller()
        try:
            for body in itertools.cycle(bodies[offset:] + bodies[:offset]):
                if stop.is_set():
                    return
                answers.append(caller.call(f"/v2/models/{MODEL}/infer", body))
                stop.wait(0.02)  # about fifty requests a second from each caller: a load, not a flood
        finally:
            caller.close()

    threads = [threading.Thread(target=run_caller, args=(number * 7,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def diagnose(story: Story, folder: Path) -> None:
    """Keep what a person needs after a failure: objects, events, logs of pods and of the node."""
    folder.mkdir(parents=True, exist_ok=True)
    questions = {
        "objects.yaml": ["get", "mro,isvc,httproute,gateway,servingruntime,hpa,deploy,pods", "-A", "-o", "yaml"],
        "pods.txt": ["get", "pods", "-A", "-o", "wide"],
        "events.txt": ["get", "events", "-A", "--sort-by=.lastTimestamp"],
        "operator.log": ["logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=operator", "--tail=-1"],
        "detector.log": ["logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=drift-detector", "--tail=-1"],
        "predictors.log": [
            "logs", "-n", NAMESPACE, "-l", "leeway.dev/model", "--all-containers", "--prefix", "--tail=500",
            "--max-log-requests=50",
        ],
        "kserve.log": ["logs", "-n", "kserve", "-l", "control-plane=kserve-controller-manager", "--tail=1000"],
    }  # fmt: skip
    for name, question in questions.items():
        try:
            text = story.kube.kubectl(*question)
        except CommandFailedError as error:
            text = str(error)
        (folder / name).write_text(text, encoding="utf-8")


def diagnose_operator(story: Story, *, lines: int = 150) -> str:
    """Return the end of what the operators have logged."""
    selector = "--selector=app.kubernetes.io/component=operator"
    return story.kube.kubectl("logs", f"--namespace={NAMESPACE}", selector, "--prefix", f"--tail={lines}")


def cluster_from_environment() -> paths.ClusterPaths:
    """Return the cluster under test."""
    return paths.ClusterPaths(os.environ["CLUSTER"])
