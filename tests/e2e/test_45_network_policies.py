"""The release's NetworkPolicies hold for the pods that they name, and let in what there is.

The built-in cluster's network does not enforce them: that packets are refused is not shown here.
"""

import json
from contextlib import suppress
from typing import Any

import pytest
from processes import of_container
from story import NAMESPACE, RELEASE, Story

Manifest = dict[str, Any]

_HELD = {
    f"{RELEASE}-operator": {"operator"},
    f"{RELEASE}-drift-detector": {"drift-detector"},
    f"{RELEASE}-models": {"model"},
}


@pytest.fixture(scope="module")
def policies(story: Story) -> dict[str, Manifest]:
    """Specs by name."""
    found = json.loads(story.kube.kubectl("get", "networkpolicies", f"--namespace={NAMESPACE}", "--output=json"))
    return {one["metadata"]["name"]: one["spec"] for one in found["items"]}


def _selector(selector: Manifest) -> str:
    """The same in kubectl's words."""
    terms = [f"{label}={value}" for label, value in selector.get("matchLabels", {}).items()]
    for term in selector.get("matchExpressions", []):
        listed = f" in ({','.join(term['values'])})" if term["operator"] == "In" else ""
        assert listed or term["operator"] == "Exists", f"the test does not know the operator of {term}"
        terms.append(f"{term['key']}{listed}")
    return ",".join(terms)


def _pods(story: Story, selector: Manifest, *where: str) -> dict[str, Manifest]:
    """Return the pods that it selects, run and are to go on running, by name.

    Those of the release before take a minute to end, with some of their containers gone.
    """
    running = "--field-selector=status.phase=Running"
    found = story.kube.kubectl("get", "pods", *where, f"--selector={_selector(selector)}", running, "--output=json")
    return {
        pod["metadata"]["name"]: pod for pod in json.loads(found)["items"] if "deletionTimestamp" not in pod["metadata"]
    }


def _running(pod: Manifest) -> str:
    """Return what the runtime calls a container of the pod that runs; all have the pod's network."""
    statuses = pod["status"]["containerStatuses"]
    identity: str = next(status["containerID"] for status in statuses if "running" in status["state"])
    return identity.rpartition("/")[2]


def _component(pod: Manifest) -> str:
    labels = pod["metadata"]["labels"]
    return "model" if "leeway.dev/model" in labels else str(labels.get("app.kubernetes.io/component", ""))


def _peers(policy: Manifest) -> list[Manifest]:
    ingress = [peer for rule in policy.get("ingress", []) for peer in rule.get("from", [])]
    return ingress + [peer for rule in policy.get("egress", []) for peer in rule.get("to", [])]


def test_each_pod_of_the_release_has_the_policy_that_is_meant_for_it(
    story: Story, policies: dict[str, Manifest]
) -> None:
    here = f"--namespace={NAMESPACE}"
    before = _pods(story, {}, here).keys()
    selected = {name: _pods(story, policy["podSelector"], here) for name, policy in policies.items()}

    assert {name: {_component(pod) for pod in pods.values()} for name, pods in selected.items()} == _HELD
    # The autoscaler may add or take one between two questions.
    assert (before & _pods(story, {}, here).keys()) - {pod for pods in selected.values() for pod in pods} == set()


def test_whoever_a_policy_names_is_there(story: Story, policies: dict[str, Manifest]) -> None:
    named = [(name, peer) for name, policy in policies.items() for peer in _peers(policy)]
    nobody = []
    for name, peer in named:
        if (spaces := peer.get("namespaceSelector")) is None:
            where = [NAMESPACE]
        else:
            listed = story.kube.kubectl("get", "namespaces", f"--selector={_selector(spaces)}", "--output=name")
            where = [namespace.removeprefix("namespace/") for namespace in listed.split()]
        if not any(_pods(story, peer.get("podSelector", {}), f"--namespace={namespace}") for namespace in where):
            nobody.append((name, peer))

    assert len(named) > len(policies)
    assert nobody == []


def test_a_port_that_is_let_in_is_one_that_somebody_listens_on(story: Story, policies: dict[str, Manifest]) -> None:
    listening: dict[str, set[int]] = {name: set() for name in policies}
    for name, policy in policies.items():
        for pod in _pods(story, policy["podSelector"], f"--namespace={NAMESPACE}").values():
            with suppress(LookupError):  # it has ended since it was listed; the others are to listen
                listening[name] |= of_container(story.cluster, _running(pod))[0].listening()
    let_in = {
        name: {entry["port"] for rule in policy["ingress"] for entry in rule["ports"]}
        for name, policy in policies.items()
    }

    assert all(let_in.values())
    assert {name: ports - listening[name] for name, ports in let_in.items()} == {name: set() for name in policies}
