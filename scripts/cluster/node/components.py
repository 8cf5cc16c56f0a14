"""Configuration files and command lines of the node's components, as functions of its addresses and folders."""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from cluster.box.network import Addresses
from cluster.node.pki import Pair

PAUSE_IMAGE = "docker.io/leeway/pause:1"
DNS_DOMAIN = "cluster.local"


@dataclass(frozen=True)
class Programs:
    """Folders of the binaries: links and wrappers (Kubernetes' names, runc, nft), and Debian's tree unpacked."""

    links: Path
    debian: Path


@dataclass(frozen=True)
class Certificates:
    """The files of the cluster's PKI that the control plane is told about, beside the authority."""

    front_proxy_authority: Pair
    front_proxy: Pair
    api_server: Pair
    api_server_kubelet: Pair
    service_account_key: Path


@dataclass(frozen=True)
class Node:
    """What the components of a node are told: who and where they are, and where their files lie.

    Attributes:
        name: of the node.
        address: of the node.
        pods: CIDR of its pods.
        addresses: of the cluster.
        state: the node's own folder.
        programs: what it runs.
        authority: of the cluster, whose clients the kubelet lets in.
        kubelet: what the kubelet shows to its callers.
    """

    name: str
    address: str
    pods: str
    addresses: Addresses
    state: Path
    programs: Programs
    authority: Pair
    kubelet: Pair

    @property
    def api_server(self) -> str:
        """The address of the API, the same on every node and on the host."""
        return f"https://{self.addresses.node}:6443"

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of a component; `write` makes it."""
        return self.state / "kubeconfigs" / user


def containerd(node: Node) -> str:
    """Return the configuration of containerd (TOML, version 2)."""
    cri = "plugins.'io.containerd.grpc.v1.cri'"
    lib = node.programs.debian / "usr"
    # restrict_oom_score_adj: without CAP_SYS_RESOURCE nobody may lower a score, and runc fails when asked to.
    return f"""\
version = 2
root = "{node.state}/containerd"
state = "/run/containerd"
[grpc]
address = "{node.state}/containerd.sock"
[{cri}]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
[{cri}.cni]
bin_dir = "{lib}/lib/cni"
conf_dir = "{node.state}/cni"
[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[{cri}.containerd.runtimes.runc.options]
BinaryName = "{node.programs.links}/runc"
SystemdCgroup = false
"""


def pod_network(node: Node) -> str:
    """Return the CNI configuration: a routed veth per pod, so that Services need no bridge hooks."""
    return json.dumps(
        {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "ptp",
                    "ipam": {
                        "type": "host-local",
                        "dataDir": f"{node.state}/cni-leases",
                        "ranges": [[{"subnet": node.pods}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                }
            ],
        },
        indent=2,
    )


def kubelet(node: Node, *, taint: str = "") -> str:
    """Return the configuration of the kubelet (YAML).

    Args:
        node: that it is for.
        taint: key of the taint that the node has from its first report on, so that no pod comes; empty: none.
    """
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": "0.0.0.0",  # noqa: S104 - every address of the box, which only this machine can reach
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(node.authority.certificate)},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "clusterDNS": [node.addresses.dns],
            "clusterDomain": DNS_DOMAIN,
            "containerRuntimeEndpoint": f"unix://{node.state}/containerd.sock",
            # The disk is the machine's, and mostly not ours: evict only when it is as good as full.
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "failCgroupV1": False,
            "failSwapOn": False,
            "imageGCHighThresholdPercent": 100,
            "imageMaximumGCAge": "0s",
            "makeIPTablesUtilChains": False,
            "maxPods": 200,
            "oomScoreAdj": 0,
            "podLogsDir": f"{node.state}/pod-logs",
            "registerNode": True,
            "registerWithTaints": [{"key": taint, "effect": "NoSchedule"}] if taint else [],
            "resolvConf": f"{node.state}/resolv.conf",
            "serializeImagePulls": False,
            "shutdownGracePeriod": "0s",
            "syncFrequency": "10s",
            "tlsCertFile": str(node.kubelet.certificate),
            "tlsPrivateKeyFile": str(node.kubelet.key),
        }
    )


def kube_proxy(node: Node) -> str:
    """Return the configuration of kube-proxy (YAML)."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(node.kubeconfig("kube-proxy"))},
            # What does not come from a pod of this node is masqueraded on its way to a Service.
            "clusterCIDR": node.pods,
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s"},
            "mode": "nftables",
            "nftables": {"syncPeriod": "30s", "minSyncPeriod": "200ms"},
            "oomScoreAdj": 0,
        }
    )


def worker(node: Node) -> dict[str, list[str]]:
    """Return the services that every node has: name → command line."""
    bin_dir = node.programs.links
    return {
        "containerd": [f"{node.programs.debian}/usr/bin/containerd", f"--config={node.state}/containerd.toml"],
        "kubelet": [
            f"{bin_dir}/kubelet", f"--config={node.state}/kubelet.yaml", f"--hostname-override={node.name}",
            f"--kubeconfig={node.kubeconfig('kubelet')}", f"--node-ip={node.address}",
            f"--root-dir={node.state}/kubelet",
            # Where cAdvisor, which does not read the configuration, asks which container a cgroup belongs to.
            f"--containerd={node.state}/containerd.sock",
        ],
        "kube-proxy": [
            f"{bin_dir}/kube-proxy", f"--config={node.state}/kube-proxy.yaml", f"--hostname-override={node.name}",
        ],
    }  # fmt: skip


def control_plane(node: Node, certificates: Certificates, python: str, cloud: Path) -> dict[str, list[str]]:
    """Return the services that the first node alone has: name → command line."""
    bin_dir, debian = node.programs.links, node.programs.debian
    return {
        "etcd": [
            f"{debian}/usr/bin/etcd", f"--data-dir={node.state}/etcd", "--unsafe-no-fsync",
            "--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380",
        ],
        "kube-apiserver": [
            f"{bin_dir}/kube-apiserver",
            f"--advertise-address={node.addresses.node}", "--allow-privileged=true", "--authorization-mode=Node,RBAC",
            f"--client-ca-file={node.authority.certificate}", "--enable-admission-plugins=NodeRestriction",
            "--enable-aggregator-routing=true", "--etcd-servers=http://127.0.0.1:2379", "--profiling=false",
            f"--kubelet-certificate-authority={node.authority.certificate}",
            f"--kubelet-client-certificate={certificates.api_server_kubelet.certificate}",
            f"--kubelet-client-key={certificates.api_server_kubelet.key}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--proxy-client-cert-file={certificates.front_proxy.certificate}",
            f"--proxy-client-key-file={certificates.front_proxy.key}",
            f"--requestheader-client-ca-file={certificates.front_proxy_authority.certificate}",
            "--requestheader-allowed-names=front-proxy", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group", "--requestheader-username-headers=X-Remote-User",
            f"--service-account-issuer=https://kubernetes.default.svc.{DNS_DOMAIN}",
            f"--service-account-key-file={certificates.service_account_key}",
            f"--service-account-signing-key-file={certificates.service_account_key}",
            f"--service-cluster-ip-range={node.addresses.services}", "--shutdown-delay-duration=0s",
            f"--tls-cert-file={certificates.api_server.certificate}",
            f"--tls-private-key-file={certificates.api_server.key}",
        ],
        "kube-controller-manager": [
            f"{bin_dir}/kube-controller-manager", f"--kubeconfig={node.kubeconfig('kube-controller-manager')}",
            f"--authentication-kubeconfig={node.kubeconfig('kube-controller-manager')}",
            f"--authorization-kubeconfig={node.kubeconfig('kube-controller-manager')}",
            f"--cluster-signing-cert-file={node.authority.certificate}",
            f"--cluster-signing-key-file={node.authority.key}", "--leader-elect=false", "--profiling=false",
            f"--root-ca-file={node.authority.certificate}",
            f"--service-account-private-key-file={certificates.service_account_key}",
            "--use-service-account-credentials=true",
            # A test must not wait five minutes to see a scale-down.
            "--horizontal-pod-autoscaler-sync-period=5s", "--horizontal-pod-autoscaler-cpu-initialization-period=30s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
            "--horizontal-pod-autoscaler-downscale-stabilization=30s",
        ],
        "kube-scheduler": [
            f"{bin_dir}/kube-scheduler", f"--kubeconfig={node.kubeconfig('kube-scheduler')}",
            f"--authentication-kubeconfig={node.kubeconfig('kube-scheduler')}",
            f"--authorization-kubeconfig={node.kubeconfig('kube-scheduler')}",
            "--leader-elect=false", "--profiling=false",
        ],
        "cloud": [
            python, str(cloud), f"--server={node.api_server}",
            f"--authority={node.authority.certificate}",
            f"--certificate={node.state}/pki/admin.crt", f"--key={node.state}/pki/admin.key",
            f"--load-balancers={node.addresses.load_balancers}", f"--volumes={node.state}/volumes",
        ],
    }  # fmt: skip
