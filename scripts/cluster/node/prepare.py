"""Writes everything the box's components read: certificates, kubeconfigs, configuration, links to programs."""

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
    """Write the state folder of a new cluster and return the configuration of the box's init.

    Args:
        cluster: whose folders are filled.
        addresses: its address plan.
        kubernetes: the multi-call binary.
        debian: the unpacked tree with containerd, runc, etcd, nft and the CNI plugins.
    """
    state = cluster.state
    for folder in ("pki", "kubeconfigs", "cni", "sbin", "scratch", "volumes"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    state.chmod(0o755)
    for folder in ("pki", "kubeconfigs"):
        (state / folder).chmod(0o700)
    cluster.logs.mkdir(exist_ok=True)
    for name in KUBERNETES_NAMES:
        (state / "sbin" / name).symlink_to(kubernetes)
    libraries = f"{debian}/usr/lib/x86_64-linux-gnu:{debian}/lib/x86_64-linux-gnu"
    for name in ("runc", "nft"):
        # Only what needs Debian's libraries gets them: the machine's own programs keep the machine's.
        wrapper = state / "sbin" / name
        wrapper.write_text(
            f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {debian}/usr/sbin/{name} "$@"\n', encoding="utf-8"
        )
        wrapper.chmod(0o755)
    certificates = _certificates(state, cluster.name, addresses)
    node = components.Node(
        name=cluster.name,
        addresses=addresses,
        state=state,
        programs=components.Programs(kubernetes=state / "sbin", debian=debian),
        certificates=certificates,
    )
    _kubeconfigs(node, cluster)
    (state / "resolv.conf").write_text("options ndots:1\n", encoding="utf-8")
    (state / "containerd.toml").write_text(components.containerd(node), encoding="utf-8")
    (state / "cni/10-pods.conflist").write_text(components.pod_network(node), encoding="utf-8")
    (state / "kubelet.yaml").write_text(components.kubelet(node), encoding="utf-8")
    (state / "kube-proxy.yaml").write_text(components.kube_proxy(node), encoding="utf-8")
    commands = components.commands(node, sys.executable, Path(__file__).with_name("cloud.py"))
    config = state / "box.json"
    config.write_text(
        json.dumps(
            {
                "hostname": cluster.name,
                "scratch": str(state / "scratch"),
                "logs": str(cluster.logs),
                "environment": {
                    "PATH": f"{state}/sbin:{debian}/usr/sbin:{debian}/usr/bin:{os.environ['PATH']}",
                    "HOME": str(state),
                },
                "services": [{"name": name, "command": command} for name, command in commands.items()],
            },
            indent=2,
        ),
        encoding="utf-8",
    )
    return config


def _certificates(state: Path, name: str, addresses: Addresses) -> components.Certificates:
    now = dt.datetime.now(dt.UTC)
    authority = pki.Authority(state / "pki", "ca", now)
    front = pki.Authority(state / "pki/front-proxy", "front-proxy-ca", now)
    api_names = [
        addresses.node, addresses.api_service, "127.0.0.1", "localhost", "kubernetes", "kubernetes.default",
        "kubernetes.default.svc", f"kubernetes.default.svc.{components.DNS_DOMAIN}",
    ]  # fmt: skip
    authority.leaf("admin", common_name="admin", organizations=["system:masters"])
    for user, common_name in _COMPONENT_USERS.items():
        authority.leaf(user, common_name=common_name)
    return components.Certificates(
        authority=authority.pair,
        front_proxy_authority=front.pair,
        front_proxy=front.leaf("front-proxy", common_name="front-proxy"),
        api_server=authority.leaf("api-server", common_name="kube-apiserver", hosts=api_names),
        api_server_kubelet=authority.leaf(
            "api-server-kubelet", common_name="api-server", organizations=["system:masters"]
        ),
        kubelet=authority.leaf(
            "kubelet", common_name=f"system:node:{name}", organizations=["system:nodes"], hosts=[name, addresses.node]
        ),
        service_account_key=pki.service_account_key(state / "pki/service-accounts.key"),
    )


def _kubeconfigs(node: components.Node, cluster: paths.ClusterPaths) -> None:
    folder = node.state / "pki"
    for user in ("kubelet", *_COMPONENT_USERS):
        _kubeconfig(node, pki.Pair(folder / f"{user}.crt", folder / f"{user}.key"), node.kubeconfig(user))
    _kubeconfig(node, pki.Pair(folder / "admin.crt", folder / "admin.key"), cluster.kubeconfig)


def _kubeconfig(node: components.Node, pair: pki.Pair, path: Path) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": node.name,
                "cluster": {
                    "server": node.api_server,
                    "certificate-authority": str(node.certificates.authority.certificate),
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
