"""The cluster itself: a second one beside the first, made and taken down twice, leaves nothing behind.

The second time it has a second node by then.
"""

from story import Story

from cluster import images, lifecycle, paths, programs, versions
from cluster import second as second_node
from cluster.addons.kube import Kube
from cluster.box import network
from cluster.fetch import debian, tools
from cluster.progress import Step
from cluster.shell import run

_POD = """
apiVersion: v1
kind: Pod
metadata: {name: NODE, namespace: default}
spec:
  nodeSelector: {kubernetes.io/hostname: NODE}
  containers: [{name: probe, image: "docker.io/leeway/pause:1"}]
"""


def test_a_machine_without_iproute2_uses_debians_own_out_of_the_cache() -> None:
    assert run([*network.unpacked_ip(), "-o", "link", "show"]).splitlines() == network.links()


def test_a_second_cluster_comes_and_goes_twice_beside_the_first_and_leaves_nothing(story: Story) -> None:
    second = paths.ClusterPaths("second")
    kubernetes = programs.kubernetes(versions.kubernetes())
    unpacked = debian.unpack(lifecycle.DEBIAN_PACKAGES)
    node = lifecycle.Programs(kubernetes / "kubernetes", unpacked, tools.fetch())
    joined = paths.SecondNodePaths(second).name
    for nodes in ([second.name], [second.name, joined]):
        lifecycle.start(second, lifecycle.free_addresses(), node, Step("second", lambda _: None))
        kube = Kube(second.kubeconfig)
        lifecycle.import_image(second, unpacked, images.pause(kubernetes / "pause"))
        if joined in nodes:
            second_node.add(second, Step(joined, lambda _: None))
        for name in nodes:
            kube.apply(_POD.replace("NODE", name))
            kube.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s")
        assert lifecycle.addresses_of(second) != lifecycle.addresses_of(story.cluster)

        lifecycle.destroy(second)

        assert lifecycle.leftovers(second) == []
        assert lifecycle.is_up(story.cluster)
