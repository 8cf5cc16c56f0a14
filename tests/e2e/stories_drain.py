"""A second node joins, takes the pods of the first when that is drained, gives them back and leaves: no request fails.

`make drain` tells it, `make e2e` does not: it takes four minutes. Of the first node only the model's pods are drained:
the cluster's own parts, the gateway among them, have one replica each, so that they would be away while they move. The
second node has nothing but the model, and is drained of all.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from releases import Model, Part, failed
from story import MODEL, NAMESPACE, Story, eventually

from cluster import demo, paths, second, up
from cluster.progress import Step
from rollouts.stage import Stage
from rollouts.traffic import Traffic

_NAME = "moved"
_PODS = 2
_RATE = 20.0  # requests a second
_ANSWERED = re.compile(r'^leeway_inference_requests_total\{[^}]*code="200"[^}]*\} (\S+)$', flags=re.MULTILINE)


class Moved(Model):
    """A model of a Helm release of its own, with two pods."""

    def __init__(self, story: Story, samples: list[dict[str, Any]]) -> None:
        super().__init__(Stage(story.cluster), Part(name=_NAME, rate=_RATE), samples, NAMESPACE)
        self._story = story

    def install(self) -> None:
        values = yaml.safe_dump(_values(self._story))
        self._story.helm("upgrade", "--install", _NAME, up.CHART, "--values", "-", stdin=values)

    def remove(self) -> None:
        self._story.helm("uninstall", _NAME, "--ignore-not-found")

    def disruptions(self) -> dict[str, Any]:
        """What the PodDisruptionBudget of the slot that serves says; empty before its first look."""
        status: dict[str, Any] = self._story.get("pdb", f"{_NAME}-{self.status()['stable']['slot']}").get("status", {})
        return status

    def nodes(self) -> list[str]:
        """Return the node of each pod that is ready."""
        return sorted(pod["spec"]["nodeName"] for pod in self._listed() if _is_ready(pod))

    def answered(self) -> list[float]:
        """Return how many predictions each pod has given."""
        return [self._answered(pod["metadata"]["name"]) for pod in self._listed()]

    def seen(self) -> set[str]:
        """Return the ids of requests that the detector was told of and has in its window."""
        window = self._story.detector(f"/v1/windows/{NAMESPACE}/{_NAME}/{demo.VERSION}?type=request")
        return set(window["request_ids"]) if window else set()

    def _listed(self) -> list[dict[str, Any]]:
        where = (f"--namespace={NAMESPACE}", f"--selector=leeway.dev/model={_NAME}")
        listed: list[dict[str, Any]] = json.loads(self._story.kube.kubectl("get", "pods", *where, "--output=json"))[
            "items"
        ]
        return listed

    def _answered(self, pod: str) -> float:
        proxy = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8082/proxy/metrics"
        return sum(map(float, _ANSWERED.findall(self._story.kube.kubectl("get", "--raw", proxy))))


@pytest.fixture(scope="module")
def model(story: Story, samples: list[dict[str, Any]]) -> Iterator[Moved]:
    """The model, served by two pods."""
    model = Moved(story, samples)
    try:
        model.install()
        eventually(lambda: model.stage.answers(model.site, samples[0]), seconds=180, what="the model")
        eventually(lambda: len(model.nodes()) == _PODS, seconds=120, what="the model's second pod")
        yield model
    finally:
        model.remove()


@pytest.fixture(scope="module")
def second_node(story: Story) -> Iterator[str]:
    """The name of a node that may join; whatever becomes of it, it is gone at the end."""
    assert second.leftovers(story.cluster) == [], "the cluster has a second node: make node REMOVE=1"
    try:
        yield paths.SecondNodePaths(story.cluster).name
    finally:
        second.destroy(story.cluster)


def test_the_pods_of_a_drained_node_go_to_one_that_has_joined_and_no_request_fails(
    story: Story, model: Moved, second_node: str
) -> None:
    first = story.cluster.name
    assert model.nodes() == [first] * _PODS
    eventually(lambda: model.disruptions().get("disruptionsAllowed") == 1, seconds=30, what="the disruption budget")
    with model.requests(rate=_RATE) as traffic:
        second.add(story.cluster, Step(second_node, lambda _: None))
        with _drained(story, first):
            assert model.nodes() == [second_node] * _PODS
            later = _later(traffic)
            assert min(model.answered()) > 0, "a pod of the new node is not asked"
            # By a name, a Service and a pod that is still on the first node.
            eventually(lambda: bool(later & model.seen()), seconds=60, what="an event from the new node")
    assert failed(traffic.failures()) == []


def test_a_node_that_leaves_gives_its_pods_back_and_nothing_of_it_is_left(
    story: Story, model: Moved, second_node: str
) -> None:
    assert model.nodes() == [second_node] * _PODS, "nothing calls them back to the first"
    with model.requests(rate=_RATE, seed=1) as traffic:
        second.remove(story.cluster, Step(second_node, lambda _: None))
        assert second.leftovers(story.cluster) == []
        assert model.nodes() == [story.cluster.name] * _PODS
        _later(traffic)
        assert min(model.answered()) > 0, "a pod that came back is not asked"
    assert failed(traffic.failures()) == []


def _values(story: Story) -> dict[str, Any]:
    return {
        "operator": {"enabled": False},
        "crds": {"install": False},
        "driftDetector": {"enabled": False},
        "gateway": {"create": False, "parentRef": {"name": demo.RELEASE, "namespace": NAMESPACE}},
        "monitoring": {"rules": {"enabled": False}},
        "images": story.values["images"],
        "models": {
            _NAME: {
                "model": story.values["models"][MODEL]["model"],
                "scaling": {"minReplicas": _PODS},
                "autoscaling": {"maxReplicas": _PODS},
            }
        },
    }


@contextmanager
def _drained(story: Story, node: str) -> Iterator[None]:
    """Have the model's pods leave a node, and none come, until the block ends."""
    try:
        # What a modelcar shares with the server lies in an emptyDir, and can be had again.
        selected = (f"--pod-selector=leeway.dev/model={_NAME}", "--delete-emptydir-data")
        story.kube.kubectl("drain", node, *selected, "--timeout=180s")
        yield
    finally:
        story.kube.kubectl("uncordon", node)


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def _later(traffic: Traffic) -> set[str]:
    """Wait for answers to requests that are sent from now on, and return their ids."""
    already = len(traffic.sent)
    eventually(lambda: len(traffic.sent) >= already + 5 * _RATE, seconds=60, what="answers")
    return {sent.id for sent in traffic.sent[already:]}
