"""helm uninstall takes everything with it but what it says it keeps."""

import pytest
from story import NAMESPACE, RELEASE, Story, eventually

from cluster.shell import CommandFailedError

_KINDS = (
    "modelrollouts,inferenceservices,servingruntimes,httproutes,gateways,horizontalpodautoscalers,deployments,"
    "services,poddisruptionbudgets,networkpolicies,certificates,issuers,pods,secrets,leases"
)


def _left(story: Story) -> list[str]:
    return story.kube.kubectl("get", _KINDS, f"--namespace={NAMESPACE}", "--output=name").split()


def _cluster_scoped(story: Story) -> list[str]:
    kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
    selector = f"--selector=app.kubernetes.io/instance={RELEASE}"
    return story.kube.kubectl("get", kinds, selector, "--output=name").split()


def test_uninstall_leaves_nothing_but_the_definitions(story: Story) -> None:
    assert _cluster_scoped(story)

    story.helm("uninstall", RELEASE, "--wait")

    eventually(lambda: _left(story) == [], seconds=180, what=f"an empty namespace, still there: {_left(story)}")
    assert _cluster_scoped(story) == []
    assert story.kube.kubectl("get", "crd", "modelrollouts.leeway.dev", "--output=name").strip()


def test_the_name_no_longer_answers(story: Story) -> None:
    with pytest.raises(CommandFailedError, match="NotFound"):
        story.kube.kubectl("get", "gateway", RELEASE, f"--namespace={NAMESPACE}")
