"""The root for minikube, applied and destroyed with a minikube and a helm that write down how they were called."""

from dataclasses import dataclass

import pytest
import yaml

from cluster import paths
from cluster.shell import CommandFailedError
from terraform.conftest import Terraform
from terraform.programs import Call, Programs

ROOT = "environments/minikube"
APPLY = ("apply", "-auto-approve", "-no-color", "-input=false")
DESTROY = ("destroy", "-auto-approve", "-no-color", "-input=false")


@dataclass(frozen=True)
class Story:
    """From nothing to nothing: what was called by the first apply, what by a second one, what by destroy."""

    applied: list[Call]
    call: str
    again: str
    applied_again: list[Call]
    destroyed: list[Call]


def programs_of(terraform: Terraform) -> Programs:
    assert terraform.programs
    programs = Programs(terraform.programs)
    programs.minikube()
    programs.helm()
    programs.sleep()
    terraform.init(ROOT)
    return programs


@pytest.fixture
def programs(fresh: Terraform) -> Programs:
    return programs_of(fresh)


@pytest.fixture(scope="module")
def story(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Story:
    own = terraform.anew(tmp_path_factory.mktemp("minikube"))
    programs = programs_of(own)
    own(ROOT, *APPLY)
    applied, call = programs.calls(), own(ROOT, "output", "-raw", "call")
    again = own(ROOT, *APPLY)
    applied_again = programs.calls()
    own(ROOT, *DESTROY)
    return Story(applied, call, again, applied_again, programs.calls())


def order(calls: list[Call], verb: str) -> list[str]:
    """Names of releases in the order in which helm did `verb`."""
    return [
        call.arguments[2 if verb == "upgrade" else 1]
        for call in calls
        if call.program == "helm" and call.arguments[0] == verb
    ]


def test_one_apply_brings_the_cluster_and_then_the_platform(story: Story) -> None:
    first, *rest = story.applied
    assert (first.program, first.arguments[0]) == ("minikube", "start")
    assert first.option("--profile") == "leeway"
    assert first.option("--memory") == "8192mb"
    assert {call.program for call in rest} == {"helm"}
    assert {call.option("--kube-context") for call in rest} == {"leeway"}
    installed = order(rest, "upgrade")
    assert sorted(installed) == sorted(set(installed)), "each once"
    for before, after in [("cert-manager", "kserve"), ("kserve-crd", "kserve"), ("envoy-gateway", "leeway-cluster")]:
        assert installed.index(before) < installed.index(after)
    assert installed[-1] == "leeway"


def test_the_gateway_is_where_helm_test_asks(story: Story) -> None:
    """As in the values for a laptop: at the listener's port of an address that there is without a load balancer."""
    (leeway,) = [call for call in story.applied if call.arguments[:3] == ["upgrade", "--install", "leeway"]]
    laptop = yaml.safe_load((paths.REPOSITORY / "deploy/values-minikube.yaml").read_text(encoding="utf-8"))
    service_type = yaml.safe_load(leeway.stdin)["gateway"]["envoy"]["serviceType"]
    assert service_type == laptop["gateway"]["envoy"]["serviceType"] == "ClusterIP"
    assert "port-forward --namespace envoy-gateway-system" in story.call


def test_a_second_apply_changes_nothing(story: Story) -> None:
    assert "0 added, 0 changed, 0 destroyed" in story.again
    assert order(story.applied_again, "upgrade") == []


def test_what_was_taken_away_by_hand_is_brought_back(fresh: Terraform, programs: Programs) -> None:
    fresh(ROOT, *APPLY)
    programs.calls()
    programs.forget("kserve")
    assert "1 added, 0 changed, 0 destroyed" in fresh(ROOT, *APPLY)
    assert order(programs.calls(), "upgrade") == ["kserve"]


def test_what_failed_is_named_and_tried_again(fresh: Terraform, programs: Programs) -> None:
    programs.fail("kserve")
    with pytest.raises(CommandFailedError, match=r"(?s)helm upgrade --install kserve.*context deadline exceeded"):
        fresh(ROOT, *APPLY)
    assert "leeway" not in order(programs.calls(), "upgrade"), "it needs KServe"
    programs.mend("kserve")
    fresh(ROOT, *APPLY)
    installed = order(programs.calls(), "upgrade")
    assert "cert-manager" not in installed, "it stood already"
    assert installed[-1] == "leeway"


def test_a_new_version_of_a_model_is_one_changed_release(fresh: Terraform, programs: Programs) -> None:
    fresh(ROOT, *APPLY)
    programs.calls()
    fresh.variables["values"] = "models: {flights: {model: {version: 1.1.0}}}"
    assert "0 added, 1 changed, 0 destroyed" in fresh(ROOT, *APPLY)
    changed = [call for call in programs.calls() if call.arguments[0] == "upgrade"]
    assert [call.arguments[2] for call in changed] == ["leeway"]
    assert yaml.safe_load(changed[0].stdin)["models"]["flights"]["model"]["version"] == "1.1.0"


def test_destroy_goes_backwards_and_ends_with_the_cluster(story: Story) -> None:
    removed = order(story.destroyed, "uninstall")
    assert removed[0] == "leeway", "its operator takes its models apart while KServe is still there"
    assert removed.index("kserve") < removed.index("cert-manager")
    last = story.destroyed[-1]
    assert (last.program, last.arguments) == ("minikube", ["delete", "--profile", "leeway"])


def test_models_get_time_to_go_before_kserve_does(story: Story) -> None:
    """KServe marks each InferenceService, and only it takes the mark off."""
    told = [(call.program, *call.arguments[:2]) for call in story.destroyed]
    leeway, kserve = told.index(("helm", "uninstall", "leeway")), told.index(("helm", "uninstall", "kserve"))
    assert leeway < told.index(("sleep", "30")) < kserve
