"""What is taken away while a release is under way, and given back: operators, Prometheus, the API server."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from releases import Model
from story import NAMESPACE, Story, eventually

from cluster import lifecycle, paths
from cluster.addons import monitoring
from cluster.box import cgroups
from cluster.progress import Step

_LEASE = "leeway-operator"


def kill_operators(story: Story) -> None:
    """Have all operators gone at once, in the middle of whatever they do."""
    pods = ("delete", "pods", f"--namespace={NAMESPACE}", "--selector=app.kubernetes.io/component=operator")
    story.kube.kubectl(*pods, "--grace-period=0", "--force")


def leader(story: Story) -> str:
    """Return the name of the pod that acts; empty if the last one has let go and no other has begun."""
    return str(story.get("lease", _LEASE)["spec"].get("holderIdentity") or "")


class Killer:
    """Kills the operators once in each phase of a model, as soon as the API server reports it, until the block ends."""

    def __init__(self, story: Story, model: Model) -> None:
        self.killed: list[str] = []
        self._story, self._model = story, model

    def __enter__(self) -> Self:
        site = self._model.site
        self._watch = subprocess.Popen(
            [
                self._story.kube.tools / "kubectl", "get", "modelrollout", site.name, f"--namespace={site.namespace}",
                "--watch", '--output=jsonpath={.status.phase}{"\\n"}',
            ],
            env=os.environ | {"KUBECONFIG": str(self._story.cluster.kubeconfig)},
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.terminate()
        self._thread.join()
        with self._watch:  # closes its pipe
            pass

    def _run(self) -> None:
        assert self._watch.stdout is not None
        for line in self._watch.stdout:
            phase = line.strip()
            if phase not in ("", "Stable", *self.killed):
                self.killed.append(phase)
                kill_operators(self._story)


@contextmanager
def without_prometheus(story: Story) -> Iterator[None]:
    """Have no Prometheus until the block ends; what it had recorded is there again then."""
    _scale_prometheus(story, 0)
    try:
        eventually(lambda: monitoring.targets(story.kube) is None, seconds=60, what="Prometheus gone")
        yield
    finally:
        _scale_prometheus(story, 1)
        story.kube.wait(
            "prometheus/cluster",
            "condition=Available",
            namespace=monitoring.NAMESPACE,
            seconds=120,
            step=Step("Prometheus", lambda _: None),
        )
        eventually(lambda: monitoring.targets(story.kube) is not None, seconds=60, what="Prometheus")


def _scale_prometheus(story: Story, replicas: int) -> None:
    change = json.dumps({"spec": {"replicas": replicas}})
    where = ("prometheus", "cluster", f"--namespace={monitoring.NAMESPACE}")
    story.kube.kubectl("patch", *where, "--type=merge", f"--patch={change}")


@contextmanager
def without_api_server(cluster: paths.ClusterPaths) -> Iterator[None]:
    """Stop the API server without an answer to anybody, until the block ends: connections stay, and nothing comes."""
    process = _api_server(cluster)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)
    eventually(lambda: lifecycle.is_up(cluster) and lifecycle.node_ready(cluster), seconds=120, what="the API server")


def _api_server(cluster: paths.ClusterPaths) -> int:
    """Return the process of this cluster's API server, and of no other's."""
    for group in cgroups.existing(lifecycle.cgroup_name(cluster.name)):
        for file in group.rglob("cgroup.procs"):
            for pid in file.read_text(encoding="utf-8").split():
                program = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
                if program.endswith(b"/kube-apiserver"):
                    return int(pid)
    raise LookupError(f"cluster {cluster.name} has no kube-apiserver")
