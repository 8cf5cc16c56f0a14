"""Writes everything the components of a node read: certificates, kubeconfigs, configuration, links to programs."""

import datetime as dt
import json
import os
import sys
from pathlib import Path

import yaml

from cluster import paths
from cluster.box.network import Addresses
from cluster.node import components, pki

KUBERNETES_NAMES = (
    "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy",
)  # fmt: skip
_COMPONENT_USERS = {
    "kube-controller-manager": "system:kube-controller-manager",
    "kube-scheduler": "system:kube-scheduler",
    "kube-proxy": "system:kube-proxy",
}


def prepare(cluster: paths.ClusterPaths, addresses: Addresses, kubernetes: Path, debian: Path) -> Path:
    """Write the state folder of a new cluster and return the configuration of its box's init.

    Args:
        cluster: whose folders are filled.
        addresses: its address plan.
        kubernetes: the multi-call binary.
        debian: the unpacked tree with containerd, runc, etcd, nft and the CNI plugins.
    """
    state = cluster.state
    for folder in ("pki", "sbin", "volumes"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    state.chmod(0o755)
    (state / "pki").chmod(0o700)
    programs = _programs(state / "sbin", kubernetes, debian)
    authority = pki.Authority.create(state / "pki", "ca", dt.datetime.now(dt.UTC))
    users = {user: authority.leaf(user, common_name=name) for user, name in _COMPONENT_USERS.items()}
    node = components.Node(
        name=cluster.name,
        address=addresses.node,
        pods=addresses.pods,
        addresses=addresses,
        state=state,
        programs=programs,
        authority=authority.pair,
        kubelet=_kubelet_certificate(authority, cluster.name, addresses.node),
    )
    certificates = _certificates(state, authority, addresses)
    _write_worker(node)
    for user, pair in users.items():
        _kubeconfig(node, pair, node.kubeconfig(user))
    admin = authority.leaf("admin", common_name="admin", organizations=["system:masters"])
    _kubeconfig(node, admin, cluster.kubeconfig)
    cloud = Path(__file__).with_name("cloud.py")
    services = components.control_plane(node, certificates, sys.executable, cloud) | components.worker(node)
    return _write_box(node, services, cluster.logs)


def prepare_second(second: paths.SecondNodePaths, addresses: Addresses, debian: Path, *, taint: str) -> Path:
    """Write the state folder of a cluster's second node and return the configuration of its box's init.

    It runs the programs of the first, so that both are of one version.

    Args:
        second: whose folders are filled.
        addresses: of the cluster, which stands.
        debian: as for the first.
        taint: key of the taint that the node comes with.
    """
    cluster = second.cluster
    (second.state / "pki").mkdir(parents=True)
    (second.state / "pki").chmod(0o700)
    pair = _pair(cluster, "ca")
    authority = pki.Authority(pair, second.state / "pki", dt.datetime.now(dt.UTC))
    node = components.Node(
        name=second.name,
        address=addresses.second,
        pods=addresses.second_pods,
        addresses=addresses,
        state=second.state,
        programs=components.Programs(links=cluster.state / "sbin", debian=debian),
        authority=pair,
        kubelet=_kubelet_certificate(authority, second.name, addresses.second),
    )
    _write_worker(node, taint=taint)
    _kubeconfig(node, _pair(cluster, "kube-proxy"), node.kubeconfig("kube-proxy"))
    return _write_box(node, components.worker(node), second.logs)


def _pair(cluster: paths.ClusterPaths, name: str) -> pki.Pair:
    folder = cluster.state / "pki"
    return pki.Pair(folder / f"{name}.crt", folder / f"{name}.key")


def _programs(links: Path, kubernetes: Path, debian: Path) -> components.Programs:
    for name in KUBERNETES_NAMES:
        (links / name).symlink_to(kubernetes)
    libraries = f"{debian}/usr/lib/x86_64-linux-gnu:{debian}/lib/x86_64-linux-gnu"
    for name in ("runc", "nft"):
        # Only what needs Debian's libraries gets them: the machine's own programs keep the machine's.
        wrapper = links / name
        wrapper.write_text(
            f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {debian}/usr/sbin/{name} "$@"\n', encoding="utf-8"
        )
        wrapper.chmod(0o755)
    return components.Programs(links=links, debian=debian)


def _write_worker(node: components.Node, *, taint: str = "") -> None:
    for folder in ("kubeconfigs", "cni", "scratch"):
        (node.state / folder).mkdir(exist_ok=True)
    (node.state / "kubeconfigs").chmod(0o700)
    _kubeconfig(node, node.kubelet, node.kubeconfig("kubelet"))
    (node.state / "resolv.conf").write_text("options ndots:1\n", encoding="utf-8")
    (node.state / "containerd.toml").write_text(components.containerd(node), encoding="utf-8")
    (node.state / "cni/10-pods.conflist").write_text(components.pod_network(node), encoding="utf-8")
    (node.state / "kubelet.yaml").write_text(components.kubelet(node, taint=taint), encoding="utf-8")
    (node.state / "kube-proxy.yaml").write_text(components.kube_proxy(node), encoding="utf-8")


def _write_box(node: components.Node, services: dict[str, list[str]], logs: Path) -> Path:
    logs.mkdir(exist_ok=True)
    folders = [str(node.programs.links), *(f"{node.programs.debian}/usr/{name}" for name in ("sbin", "bin"))]
    config = node.state / "box.json"
    config.write_text(
        json.dumps(
            {
                "hostname": node.name,
                "scratch": str(node.state / "scratch"),
                "logs": str(logs),
                "environment": {
                    "PATH": ":".join([*folders, os.environ["PATH"]]),
                    "HOME": str(node.state),
                },
                "services": [{"name": name, "command": command} for name, command in services.items()],
            },
            indent=2,
        ),
        encoding="utf-8",
    )
    return config


def _kubelet_certificate(authority: pki.Authority, name: str, address: str) -> pki.Pair:
    return authority.leaf(
        "kubelet", common_name=f"system:node:{name}", organizations=["system:nodes"], hosts=[name, address]
    )


def _certificates(state: Path, authority: pki.Authority, addresses: Addresses) -> components.Certificates:
    front = pki.Authority.create(state / "pki/front-proxy", "front-proxy-ca", dt.datetime.now(dt.UTC))
    api_names = [
        addresses.node, addresses.api_service, "127.0.0.1", "localhost", "kubernetes", "kubernetes.default",
        "kubernetes.default.svc", f"kubernetes.default.svc.{components.DNS_DOMAIN}",
    ]  # fmt: skip
    return components.Certificates(
        front_proxy_authority=front.pair,
        front_proxy=front.leaf("front-proxy", common_name="front-proxy"),
        api_server=authority.leaf("api-server", common_name="kube-apiserver", hosts=api_names),
        api_server_kubelet=authority.leaf(
            "api-server-kubelet", common_name="api-server", organizations=["system:masters"]
        ),
        service_account_key=pki.service_account_key(state / "pki/service-accounts.key"),
    )


def _kubeconfig(node: components.Node, pair: pki.Pair, path: Path) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": node.name,
                "cluster": {
                    "server": node.api_server,
                    "certificate-authority": str(node.authority.certificate),
                },
            }
        ],
        "users": [
            {
                "name": node.name,
                "user": {"client-certificate": str(pair.certificate), "client-key": str(pair.key)},
            }
        ],
        "contexts": [{"name": node.name, "context": {"cluster": node.name, "user": node.name}}],
        "current-context": node.name,
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
