"""A slot follows its load: more pods for more requests in flight, none fewer while nobody knows, and back to one.

The server is slow on purpose: many requests wait for it, and cost this machine next to nothing. The tests follow one
slot through its day, and need each other in this order.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from releases import Model, Part, failed
from story import NAMESPACE, Story, eventually

from cluster import demo, up
from cluster.addons import adapter, monitoring
from cluster.progress import Step
from rollouts.stage import Stage
from rollouts.traffic import Traffic
from rollouts.variants import Variants

# What a flood loses is told after ten minutes of it (test_85_alerts.py): they begin here.
pytestmark = pytest.mark.usefixtures("own_detectors")

_NAME = "scaled"
_TARGET = 2  # requests in flight per pod
_SLOW = "slow=1,delay=0.05"  # twenty requests a second from each pod
_BUSY, _QUIET = 48.0, 2.0  # requests a second: twelve callers who wait, and now and then one
_SYNC_SECONDS = 5  # from one look of this cluster's autoscalers to the next
_IN_FLIGHT = f'sum(avg_over_time(leeway_inference_in_flight{{leeway_dev_model="{_NAME}"}}[1m]))'


class Scaled(Model):
    """A model of a Helm release of its own, whose slots scale by requests in flight."""

    def __init__(self, story: Story, samples: list[dict[str, Any]]) -> None:
        super().__init__(Stage(story.cluster), Part(name=_NAME, rate=_BUSY), samples, NAMESPACE)
        self._story = story

    def install(self, variants: Variants) -> None:
        values = yaml.safe_dump(_values(self._story, variants))
        self._story.helm("upgrade", "--install", _NAME, up.CHART, "--values", "-", stdin=values)

    def remove(self) -> None:
        self._story.helm("uninstall", _NAME, "--ignore-not-found")

    def replicas(self) -> int:
        """Pods that the slot is to have."""
        return int(self._deployment()["spec"]["replicas"])

    def serving(self) -> int:
        """Pods that the slot has, and that are ready."""
        return int(self._deployment()["status"].get("availableReplicas", 0))

    def scaling_active(self) -> dict[str, str]:
        """What the autoscaler says of its metric; empty before its first look."""
        found = self._story.get("hpa", f"{_NAME}-{self._slot()}-scale").get("status", {}).get("conditions", [])
        return next((entry for entry in found if entry["type"] == "ScalingActive"), {})

    def _deployment(self) -> dict[str, Any]:
        return self._story.get("deployment", f"{_NAME}-{self._slot()}-predictor")

    def _slot(self) -> str:
        return str(self.status()["stable"]["slot"])


@pytest.fixture(scope="module")
def model(story: Story, variants: Variants, samples: list[dict[str, Any]]) -> Iterator[Scaled]:
    """The model, served by one pod that nobody asks."""
    model = Scaled(story, samples)
    try:
        model.install(variants)
        eventually(lambda: model.stage.answers(model.site, samples[0]), seconds=180, what="the model")
        eventually(lambda: model.scaling_active().get("status") == "True", seconds=90, what="the autoscaler's metric")
        yield model
    finally:
        model.remove()


def test_requests_that_wait_bring_another_pod_and_none_of_them_fails(story: Story, model: Scaled) -> None:
    assert "custom metrics API" not in story.helm("get", "notes", _NAME), "they say that nobody serves it"
    assert model.replicas() == 1
    with model.requests(rate=_BUSY) as traffic:
        eventually(lambda: model.serving() == 2, seconds=120, what="another pod")
        _some_more(traffic)
    assert failed(traffic.failures()) == []


def test_while_nobody_knows_the_load_a_slot_keeps_its_pods(story: Story, model: Scaled) -> None:
    with model.requests(rate=_QUIET, seed=1) as traffic, _without_adapter(story):
        eventually(lambda: model.scaling_active().get("status") == "False", seconds=60, what="a word of the autoscaler")
        assert model.scaling_active()["reason"] == "FailedGetPodsMetric"
        # One pod would be enough by now, if the autoscaler were told.
        eventually(lambda: _in_flight(story) < _TARGET / 2, seconds=120, what="the end of the load")
        until = time.monotonic() + 2 * _SYNC_SECONDS
        eventually(lambda: model.replicas() != 2 or time.monotonic() > until, seconds=30, what="two looks")
        assert model.replicas() == 2
    assert failed(traffic.failures()) == []


def test_when_the_load_is_known_again_the_slot_shrinks_and_no_request_fails(model: Scaled) -> None:
    with model.requests(rate=_QUIET, seed=2) as traffic:
        eventually(lambda: model.replicas() == 1, seconds=120, what="one pod less")
        eventually(lambda: len(model.pods()) == 1, seconds=120, what="the end of the other pod")
        _some_more(traffic)
    assert model.scaling_active()["status"] == "True"
    assert failed(traffic.failures()) == []


def _values(story: Story, variants: Variants) -> dict[str, Any]:
    repository, _, tag = variants.faulty_server.removeprefix("docker.io/").rpartition(":")
    model = {
        "model": {**variants.stable.values(), "env": {"FAULT": _SLOW}},
        "capture": {"mode": "direct"},
        "autoscaling": {
            "maxReplicas": 2,
            "targetCPUUtilizationPercentage": 0,
            "targetRequestsInFlight": _TARGET,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        },
    }
    return {
        "operator": {"enabled": False},
        "crds": {"install": False},
        "driftDetector": {"enabled": False},
        "gateway": {"create": False, "parentRef": {"name": demo.RELEASE, "namespace": NAMESPACE}},
        "monitoring": {"podMonitors": {"interval": "2s"}, "rules": {"enabled": False}},
        "images": story.values["images"] | {"onnxServer": {"repository": repository, "tag": tag}},
        "models": {_NAME: model},
    }


def _some_more(traffic: Traffic) -> None:
    """Wait for answers to requests that are sent from now on."""
    enough = len(traffic.sent) + 20
    eventually(lambda: len(traffic.sent) >= enough, seconds=60, what="twenty answers")


def _in_flight(story: Story) -> float:
    """Return what Prometheus knows of all pods together, as the adapter asks it; infinite where that is nothing."""
    service = f"/api/v1/namespaces/{monitoring.NAMESPACE}/services/prometheus:9090/proxy"
    answer = story.kube.kubectl("get", "--raw", f"{service}/api/v1/query?query={quote(_IN_FLIGHT)}")
    result = json.loads(answer)["data"]["result"]
    return float(result[0]["value"][1]) if result else float("inf")


@contextmanager
def _without_adapter(story: Story) -> Iterator[None]:
    """Have nobody answer autoscalers until the block ends."""
    _scale_adapter(story, 0)
    try:
        yield
    finally:
        _scale_adapter(story, 1)
        story.kube.wait(
            "deployment/prometheus-adapter",
            "condition=Available",
            namespace=monitoring.NAMESPACE,
            seconds=120,
            step=Step("custom metrics", lambda _: None),
        )
        eventually(lambda: adapter.answers(story.kube), seconds=60, what="the custom metrics API")


def _scale_adapter(story: Story, replicas: int) -> None:
    where = ("deployment/prometheus-adapter", f"--namespace={monitoring.NAMESPACE}")
    story.kube.kubectl("scale", *where, f"--replicas={replicas}")
