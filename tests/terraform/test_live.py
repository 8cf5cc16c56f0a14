"""The way to the real cluster: what Terraform does is left out of the cluster's own plan, and images are named."""

from pathlib import Path

import pytest

from cluster.addons import plan
from cluster.addons.images import AddonImage
from cluster.addons.kube import Kube
from cluster.box.network import Addresses
from cluster.progress import Step
from infrastructure import live, parts


def step(name: str, *needs: str) -> Step:
    return Step(name, lambda _: None, needs)


def test_what_terraform_installs_the_cluster_does_not() -> None:
    steps = plan.steps(Kube(Path("kubeconfig"), Path("tools")), lambda _: None, lambda: Addresses(0), needs=["node"])
    kept = live.leave_out(steps, live.TERRAFORMS)
    assert len(kept) == len(steps) - len(live.TERRAFORMS)
    assert {"load cert-manager", "load envoy", "load kserve", "Prometheus"} <= {each.name for each in kept}


def test_a_step_that_is_waited_for_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match="'b' needs \\['a'\\]"):
        live.leave_out([step("a"), step("b", "a")], {"a"})


def test_a_step_that_has_another_name_by_now_is_noticed() -> None:
    with pytest.raises(ValueError, match="no step is called \\['c'\\]"):
        live.leave_out([step("a")], {"c"})


def test_each_program_of_cert_manager_has_its_image() -> None:
    images = [
        AddonImage(f"docker.io/leeway/cert-manager-{name}:v1", {}, [])
        for name in ("controller", "webhook", "cainjector", "startupapicheck")
    ]
    values = parts.cert_manager(images)
    assert values["image"] == {
        "repository": "docker.io/leeway/cert-manager-controller",
        "tag": "v1",
        "pullPolicy": "IfNotPresent",
    }
    assert values["webhook"]["image"]["repository"] == "docker.io/leeway/cert-manager-webhook"
    assert values["cainjector"]["image"]["repository"] == "docker.io/leeway/cert-manager-cainjector"
    assert values["startupapicheck"]["image"]["repository"] == "docker.io/leeway/cert-manager-startupapicheck"
