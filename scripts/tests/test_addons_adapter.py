"""prometheus-adapter: what it may do, what it is told, and when the API server is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster.addons import adapter, kubernetes, monitoring
from cluster.addons.kube import Kube
from cluster.progress import Step
from cluster.shell import CommandFailedError

CERTIFICATE = {"authority": "YXV0aG9yaXR5", "certificate": "Y2VydGlmaWNhdGU=", "key": "a2V5"}


def installed(kind: str, rules: Sequence[dict[str, Any]] | None = None) -> dict[str, Any]:
    documents = yaml.safe_load_all(adapter.program_manifests(CERTIFICATE, adapter.rules() if rules is None else rules))
    (found,) = [dict(document) for document in documents if document["kind"] == kind]
    return found


def registration() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(kubernetes.manifest("custom-metrics", authority="YXV0aG9yaXR5"))
    return found


def test_it_has_the_charts_rules_and_no_others():
    config = yaml.safe_load(installed("ConfigMap")["data"]["config.yaml"])
    assert list(config) == ["rules"]
    assert config["rules"] == adapter.rules()
    assert {rule["name"]["as"] for rule in config["rules"]} == {
        "leeway_inference_requests_in_flight",
        "leeway_inference_requests_per_second",
    }


def test_other_rules_are_read_by_a_new_pod():
    def digest(rules: Sequence[dict[str, Any]]) -> str:
        annotations: dict[str, str] = installed("Deployment", rules)["spec"]["template"]["metadata"]["annotations"]
        return annotations["leeway.dev/rules"]

    rules = adapter.rules()
    assert digest(rules) == digest(adapter.rules())
    assert digest(rules) != digest(rules[:1])


def test_it_may_list_pods_and_nothing_else():
    assert installed("ClusterRole")["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]


def test_it_asks_the_clusters_prometheus():
    (container,) = installed("Deployment")["spec"]["template"]["spec"]["containers"]
    assert f"--prometheus-url={monitoring.URL}" in container["command"]
    assert container["image"] == kubernetes.image_reference()
    assert "--logging-format=json" in container["command"]


def test_the_api_server_verifies_it_by_an_authority_of_its_own():
    spec, service, secret = registration()["spec"], installed("Service"), installed("Secret")
    assert spec["service"] == {name: service["metadata"][name] for name in ("name", "namespace")}
    assert spec["caBundle"] == CERTIFICATE["authority"]
    assert "insecureSkipTLSVerify" not in spec
    assert secret["data"] == {"tls.crt": CERTIFICATE["certificate"], "tls.key": CERTIFICATE["key"]}
    assert registration()["metadata"]["name"] == f"{spec['version']}.{spec['group']}"
    assert f"/apis/{spec['group']}/{spec['version']}" == adapter.API


@dataclass(frozen=True)
class Recorded(Kube):
    """A cluster that does what it is told, and remembers what that was; silent ones answer nothing."""

    told: list[str] = field(default_factory=list)
    silent: bool = False

    def kubectl(self, *arguments: str | Path, stdin: str | None = None) -> str:
        if self.silent:
            raise CommandFailedError("the server is currently unable to handle the request")
        kinds = [document["kind"] for document in yaml.safe_load_all(stdin)] if stdin else []
        self.told.extend(kinds or [" ".join(map(str, arguments[:2]))])
        return "{}"


def test_the_api_server_is_told_of_it_when_it_runs():
    kube = Recorded(Path("kubeconfig"), Path("tools"))
    adapter.install(kube, Step("custom metrics", lambda _: None))
    available, registered = kube.told.index("wait deployment/prometheus-adapter"), kube.told.index("APIService")
    assert kube.told.index("Deployment") < available < registered
    assert kube.told[-1] == "get --raw"


def test_while_it_does_not_answer_it_is_waited_for():
    assert adapter.answers(Recorded(Path("kubeconfig"), Path("tools")))
    assert not adapter.answers(Recorded(Path("kubeconfig"), Path("tools"), silent=True))
