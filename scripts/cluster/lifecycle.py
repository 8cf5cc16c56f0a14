"""Starting and stopping a cluster: the box, the node in it, and proof that it really serves."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from cluster import paths
from cluster.box import cgroups, network
from cluster.node import prepare
from cluster.progress import Step, wait_until
from cluster.shell import CommandFailedError, run

DEBIAN_PACKAGES = (
    "containerd", "runc", "containernetworking-plugins", "etcd-server", "nftables",
    # libraries of nft and runc
    "libnftables1", "libnftnl11", "libmnl0", "libjansson4", "libxtables12", "libedit2", "libbsd0", "libmd0", "libgmp10",
    "libtinfo6", "libseccomp2",
)  # fmt: skip


def cgroup_name(name: str) -> str:
    """The name of the cluster's cgroups."""
    return f"leeway-{name}"


def is_up(cluster: paths.ClusterPaths) -> bool:
    """Whether the box stands and its API answers."""
    if not (
        network.exists(cluster.name) and cluster.kubeconfig.exists() and cgroups.existing(cgroup_name(cluster.name))
    ):
        return False
    try:
        return _kubectl(cluster, "get", "--raw", "/readyz", "--request-timeout=5s") == "ok"
    except CommandFailedError:
        return False


@dataclass(frozen=True)
class Programs:
    """What a node is made of: the multi-call binary, Debian's tree unpacked, the folder of helm and kubectl."""

    kubernetes: Path
    debian: Path
    tools: Path


def start(cluster: paths.ClusterPaths, addresses: network.Addresses, programs: Programs, step: Step) -> None:
    """Create the cluster from nothing and return when its API serves and its node has reported.

    Raises:
        RuntimeError: the cache folder lies where the box mounts its own file systems.
        TimeoutError: a component did not come up; names it and its log.
    """
    destroy(cluster)
    for covered in ("/run", "/var/lib", "/var/log"):
        if cluster.state.resolve().is_relative_to(covered):
            raise RuntimeError(
                f"the cache folder {paths.cache()} lies under {covered}, which the cluster covers with its own; "
                "set XDG_CACHE_HOME to another place"
            )
    config = prepare.prepare(cluster, addresses, programs.kubernetes, programs.debian)
    cluster.bin.mkdir(exist_ok=True)
    for name in ("kubectl", "helm"):
        (cluster.bin / name).symlink_to(programs.tools / name)
    (cluster.state / "addresses.json").write_text(json.dumps({"index": addresses.index}), encoding="utf-8")
    network.create(cluster.name, addresses)
    enter(cluster.name, config, cluster.logs)
    try:
        wait_until(lambda: is_up(cluster), seconds=120, what="the API server", step=step)
        wait_until(lambda: node_ready(cluster), seconds=120, what="the node's first report", step=step)
        wait_until(lambda: _accepts_pods(cluster), seconds=60, what="the default service account", step=step)
    except TimeoutError as error:
        raise TimeoutError(f"{error}; its components log to {cluster.logs}") from error


def enter(name: str, config: Path, logs: Path) -> None:
    """Start the box of a node, whose network namespace has its name, and return while its services come up."""
    run(
        ["setsid", "--fork", sys.executable, "-m", "cluster.box.enter", cgroup_name(name), name, config],
        cwd=paths.REPOSITORY / "scripts",
        log=logs / "init.log",
    )


def free_addresses() -> network.Addresses:
    """An address plan that no cluster of this machine has."""
    return network.Addresses(network.free_index())


def addresses_of(cluster: paths.ClusterPaths) -> network.Addresses | None:
    """The address plan the cluster was started with; None if there is no cluster."""
    file = cluster.state / "addresses.json"
    return network.Addresses(json.loads(file.read_text(encoding="utf-8"))["index"]) if file.exists() else None


def node_ready(cluster: paths.ClusterPaths) -> bool:
    """Whether the kubelet of each node says that it is Ready."""
    ready = 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status} {end}'
    return set(_kubectl(cluster, "get", "nodes", f"--output={ready}").split()) == {"True"}


def _accepts_pods(cluster: paths.ClusterPaths) -> bool:
    # Pods are refused until their namespace's service account is there, moments after the API serves.
    return bool(_kubectl(cluster, "get", "serviceaccount", "default", "--ignore-not-found", "--output=name"))


def _kubectl(cluster: paths.ClusterPaths, *arguments: str) -> str:
    return run([cluster.bin / "kubectl", *arguments], env={"KUBECONFIG": str(cluster.kubeconfig)}).strip()


def import_image(cluster: paths.ClusterPaths, debian: Path, archive: Path) -> None:
    """Give the containerd of each node an image archive.

    Raises:
        CommandFailedError: it is not an image archive.
    """
    nodes: list[paths.ClusterPaths | paths.SecondNodePaths] = [cluster]
    if network.exists((second := paths.SecondNodePaths(cluster)).name):
        nodes.append(second)
    for node in nodes:
        run([*ctr(debian, node.containerd_socket), "images", "import", archive], log=node.logs / "images.log")


def ctr(debian: Path, socket: Path) -> list[str | Path]:
    """Return the command line that speaks to a node's containerd."""
    return [debian / "usr/bin/ctr", "--address", socket, "--namespace", "k8s.io"]


def destroy(cluster: paths.ClusterPaths) -> None:
    """Stop the cluster, if it runs, and remove every trace of it and of its second node.

    Raises:
        TimeoutError: a process of it would not die.
    """
    for name in _nodes(cluster):
        cgroups.kill_and_remove(cgroup_name(name))
        network.remove(name)
    if cluster.state.exists():
        shutil.rmtree(cluster.state)


def leftovers(cluster: paths.ClusterPaths) -> list[str]:
    """What of a stopped cluster is still on the machine: processes, mounts, cgroups, links, namespaces, folders."""
    found = [left for name in _nodes(cluster) for left in boxes(name)]
    found += [f"link {line}" for line in network.links() if f" {cluster.name}0@" in line]
    return found + folders(cluster.state)


def boxes(name: str) -> list[str]:
    """What of a node's box there is: cgroups, network namespace."""
    found = [f"cgroup {group}" for group in cgroups.existing(cgroup_name(name))]
    return found + ([f"network namespace {name}"] if network.exists(name) else [])


def folders(state: Path) -> list[str]:
    """What of a state folder there is: itself, and mounts in it that this process sees."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    found = [f"mount {line.split()[1]}" for line in mounts if str(state) in line]
    return found + ([f"folder {state}"] if state.exists() else [])


def _nodes(cluster: paths.ClusterPaths) -> tuple[str, str]:
    # The second first: its link hangs on the first.
    return paths.SecondNodePaths(cluster).name, cluster.name
