"""Names, addresses and certificates of a cluster."""

import datetime as dt
import ipaddress
import json
import ssl
import tomllib
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from cluster import paths
from cluster.box.network import Addresses
from cluster.node import components, pki, prepare


@pytest.mark.parametrize("name", ["", "Leeway", "1st", "a-b", "elevenchars"])
def test_a_cluster_name_that_makes_no_device_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cluster name"):
        paths.ClusterPaths(name)


def test_clusters_share_no_address() -> None:
    networks = [
        ipaddress.ip_network(cidr)
        for index in range(4)
        for plan in [Addresses(index)]
        for cidr in (plan.link, plan.second_link, plan.pods, plan.second_pods, plan.services, plan.load_balancers)
    ]

    overlapping = [(a, b) for i, a in enumerate(networks) for b in networks[:i] if a.overlaps(b)]
    assert overlapping == []


def test_every_end_of_a_link_has_an_address_of_that_link() -> None:
    plan = Addresses(3)

    for link, ends in ((plan.link, (plan.node, plan.host)), (plan.second_link, (plan.first_of_second, plan.second))):
        assert sorted(map(ipaddress.ip_address, ends)) == list(ipaddress.ip_network(link).hosts())


def test_the_api_and_dns_addresses_lie_in_the_service_range() -> None:
    plan = Addresses(3)
    services = ipaddress.ip_network(plan.services)

    assert ipaddress.ip_address(plan.api_service) == services[1]
    assert ipaddress.ip_address(plan.dns) == services[10]


def test_a_server_certificate_holds_its_names_and_is_the_authoritys(tmp_path: Path) -> None:
    authority = pki.Authority.create(tmp_path, "ca", dt.datetime.now(dt.UTC))
    leaf = authority.leaf("api", common_name="kube-apiserver", hosts=["10.200.0.1", "kubernetes"])

    certificate = x509.load_pem_x509_certificate(leaf.certificate.read_bytes())
    issuer = x509.load_pem_x509_certificate(authority.pair.certificate.read_bytes())
    certificate.verify_directly_issued_by(issuer)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kubernetes"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.200.0.1")]
    assert leaf.key.stat().st_mode & 0o077 == 0


def test_everything_the_box_reads_is_written_and_only_its_owner_may_read_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cluster = paths.ClusterPaths("unit")

    config = json.loads(prepare.prepare(cluster, Addresses(5), Path("/k"), Path("/d")).read_text(encoding="utf-8"))

    names = [service["name"] for service in config["services"]]
    assert sorted(names) == [
        "cloud", "containerd", "etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler",
        "kubelet",
    ]  # fmt: skip
    kubelet = yaml.safe_load((cluster.state / "kubelet.yaml").read_text(encoding="utf-8"))
    assert kubelet["clusterDNS"] == [Addresses(5).dns]
    assert kubelet["registerWithTaints"] == []
    toml = tomllib.loads((cluster.state / "containerd.toml").read_text(encoding="utf-8"))
    assert toml["plugins"]["io.containerd.grpc.v1.cri"]["sandbox_image"] == components.PAUSE_IMAGE
    for folder in ("pki", "kubeconfigs"):
        assert (cluster.state / folder).stat().st_mode & 0o077 == 0
    admin = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
    assert admin["clusters"][0]["cluster"]["server"] == "https://10.200.5.1:6443"
    pair = admin["users"][0]["user"]
    ssl.create_default_context().load_cert_chain(pair["client-certificate"], pair["client-key"])


def test_a_second_node_is_a_worker_of_the_same_cluster_with_files_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cluster, plan = paths.ClusterPaths("unit"), Addresses(5)
    first = json.loads(prepare.prepare(cluster, plan, Path("/k"), Path("/d")).read_text(encoding="utf-8"))
    second = paths.SecondNodePaths(cluster)

    config = json.loads(prepare.prepare_second(second, plan, Path("/d"), taint="wait").read_text(encoding="utf-8"))

    commands = {service["name"]: service["command"] for service in config["services"]}
    assert sorted(commands) == ["containerd", "kube-proxy", "kubelet"]
    programs = {service["name"]: service["command"][0] for service in first["services"]}
    assert {name: command[0] for name, command in commands.items()}.items() <= programs.items()
    assert f"--node-ip={plan.second}" in commands["kubelet"]
    kubelet = yaml.safe_load((second.state / "kubelet.yaml").read_text(encoding="utf-8"))
    assert kubelet["registerWithTaints"] == [{"key": "wait", "effect": "NoSchedule"}]
    network = json.loads((second.state / "cni/10-pods.conflist").read_text(encoding="utf-8"))
    assert network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": plan.second_pods}]]
    user = yaml.safe_load((second.state / "kubeconfigs/kubelet").read_text(encoding="utf-8"))
    assert user["clusters"][0]["cluster"]["server"] == f"https://{plan.node}:6443"
    certificate = x509.load_pem_x509_certificate(Path(user["users"][0]["user"]["client-certificate"]).read_bytes())
    authority = x509.load_pem_x509_certificate((cluster.state / "pki/ca.crt").read_bytes())
    certificate.verify_directly_issued_by(authority)
    assert certificate.subject.rfc4514_string() == "CN=system:node:unit-2,O=system:nodes"
    for folder in ("pki", "kubeconfigs"):
        assert (second.state / folder).stat().st_mode & 0o077 == 0


def test_no_cluster_can_have_the_name_of_a_second_node() -> None:
    second = paths.SecondNodePaths(paths.ClusterPaths("unit"))

    with pytest.raises(ValueError, match="cluster name"):
        paths.ClusterPaths(second.name)
