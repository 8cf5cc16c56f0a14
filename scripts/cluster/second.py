"""A second node: it joins a cluster that stands, takes pods, is drained and leaves with nothing of it left.

It is a worker: API server, load balancers' addresses and volumes stay with the first. Gateways whose Service has the
traffic policy Local have to stay there too, since it is the first node that has the load balancers' addresses.
"""

import http.client
import json
import shutil
import subprocess
from pathlib import Path

from cluster import lifecycle, paths
from cluster.addons.kube import Kube
from cluster.box import cgroups, network
from cluster.fetch import debian
from cluster.node import prepare
from cluster.progress import Step, wait_until
from cluster.shell import CommandFailedError, run

# No registry can be reached: a pod that came before its image would have to wait for the kubelet to try again.
TAINT = "leeway.dev/images-missing"
_PROXY_HEALTH_PORT = 10256
_DRAIN_SECONDS = 300


def add(cluster: paths.ClusterPaths, step: Step) -> None:
    """Have a second node join, and return when it takes pods: with every image of the first, and Services that work.

    Args:
        cluster: that stands.
        step: told what is waited for.

    Raises:
        RuntimeError: the cluster is not up, or has a second node.
        TimeoutError: a component did not come up; names the folder of the logs.
        CommandFailedError: an image could not be copied.
    """
    second = paths.SecondNodePaths(cluster)
    addresses = lifecycle.addresses_of(cluster)
    if addresses is None or not lifecycle.is_up(cluster):
        raise RuntimeError(f"the cluster {cluster.name} is not up")
    if left := leftovers(cluster):
        raise RuntimeError(f"{cluster.name} has a second node already, or what is left of one: {'; '.join(left)}")
    kube, programs = Kube(cluster.kubeconfig), debian.unpack(lifecycle.DEBIAN_PACKAGES)
    config = prepare.prepare_second(second, addresses, programs, taint=TAINT)
    network.join(cluster.name, second.name, addresses)
    lifecycle.enter(second.name, config, second.logs)
    try:
        wait_until(lambda: _answers(programs, second), seconds=60, what="its containerd", step=step)
        step.wait("the images of the first node")
        copy_images(programs, cluster.containerd_socket, second.containerd_socket, second.logs / "images.log")
        wait_until(lambda: _is_ready(kube, second.name), seconds=120, what="its first report", step=step)
        wait_until(lambda: _serves(addresses.second), seconds=60, what="its rules for Services", step=step)
    except TimeoutError as error:
        raise TimeoutError(f"{error}; the components of {second.name} log to {second.logs}") from error
    kube.kubectl("taint", "node", second.name, f"{TAINT}-")


def remove(cluster: paths.ClusterPaths, step: Step) -> None:
    """Move the second node's pods to the first, as their PodDisruptionBudgets allow, and take the node away.

    Raises:
        CommandFailedError: a pod could not be moved; the node stays, and takes no new ones.
        TimeoutError: a process would not die.
    """
    second = paths.SecondNodePaths(cluster)
    kube = Kube(cluster.kubeconfig)
    # A box that died cannot say that its pods ended; whoever looks after pods finds out from the node that is gone.
    if _node(kube, second.name) and cgroups.existing(lifecycle.cgroup_name(second.name)):
        step.wait("its pods to be moved")
        kube.kubectl(
            "drain", second.name, "--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={_DRAIN_SECONDS}s"
        )
    destroy(cluster)


def destroy(cluster: paths.ClusterPaths) -> None:
    """Stop the second node, if there is one, and remove every trace of it, whatever runs on it.

    Raises:
        TimeoutError: a process would not die.
    """
    second = paths.SecondNodePaths(cluster)
    cgroups.kill_and_remove(lifecycle.cgroup_name(second.name))
    if addresses := lifecycle.addresses_of(cluster):
        network.leave(cluster.name, second.name, addresses)
    # After the kubelet, which would have the API server write its node anew.
    Kube(cluster.kubeconfig).kubectl("delete", "node", second.name, "--ignore-not-found")
    if second.state.exists():
        shutil.rmtree(second.state)


def leftovers(cluster: paths.ClusterPaths) -> list[str]:
    """What there is of a second node, of a cluster that stands: box, routes, folders, its object in the API."""
    second = paths.SecondNodePaths(cluster)
    found = lifecycle.boxes(second.name) + lifecycle.folders(second.state)
    if addresses := lifecycle.addresses_of(cluster):
        found += [f"route {line}" for line in network.routes_to_second(addresses)]
    if _node(Kube(cluster.kubeconfig), second.name):
        found.append(f"node {second.name} in the API")
    return found


def copy_images(programs: Path, source: Path, target: Path, log: Path) -> None:
    """Give the containerd at the socket `target` every image of the one at `source`.

    They are unpacked when a container first needs them: that spares half of the time and of the disk.

    Args:
        programs: Debian's tree unpacked.
        source: a containerd's socket.
        target: another's.
        log: what both programs say.

    Raises:
        CommandFailedError: one of the two ended with an error; names the log.
    """
    listed = run([*lifecycle.ctr(programs, source), "images", "list", "--quiet"]).split()
    # The kubelet's own names for the same images have no repository, by which they could be found again.
    names = [name for name in listed if not name.startswith("sha256:")]
    with (
        log.open("ab") as sink,
        subprocess.Popen(
            [*lifecycle.ctr(programs, source), "images", "export", "-", *names], stdout=subprocess.PIPE, stderr=sink
        ) as export,
    ):
        imported = subprocess.run(
            [*lifecycle.ctr(programs, target), "images", "import", "--no-unpack", "-"],
            stdin=export.stdout, stdout=sink, stderr=sink, check=False,
        )  # fmt: skip
        if export.stdout:
            export.stdout.close()  # an export whose reader has died ends too
    if export.returncode or imported.returncode:
        raise CommandFailedError(
            f"copying {len(names)} images: export ended with {export.returncode}, import with {imported.returncode}"
            f"\n  whole log: {log}"
        )


def _answers(programs: Path, second: paths.SecondNodePaths) -> bool:
    try:
        run([*lifecycle.ctr(programs, second.containerd_socket), "version"], timeout=5)
    except CommandFailedError:
        return False
    return True


def _node(kube: Kube, name: str) -> dict[str, object]:
    found = kube.kubectl("get", "node", name, "--ignore-not-found", "--output=json")
    node: dict[str, object] = json.loads(found) if found else {}
    return node


def _is_ready(kube: Kube, name: str) -> bool:
    ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    return kube.kubectl("get", "node", name, "--ignore-not-found", f"--output={ready}") == "True"


def _serves(address: str) -> bool:
    """Whether the node's kube-proxy has written its rules."""
    connection = http.client.HTTPConnection(address, _PROXY_HEALTH_PORT, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
