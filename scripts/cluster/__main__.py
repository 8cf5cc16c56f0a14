"""The commands behind the Makefile: python -m cluster up|down|status|env|bundle|tools|clean."""

import argparse
import shutil
import sys

from cluster import demo, lifecycle, paths, up
from cluster.addons.kube import Kube
from cluster.fetch import tools
from cluster.shell import run


def main() -> int:
    """Run one command; failures print their cause and the next command to try."""
    parser = argparse.ArgumentParser(prog="cluster", description=__doc__)
    parser.add_argument("command", choices=sorted(_COMMANDS))
    command = parser.parse_args().command
    cluster = up.context_from_environment()
    try:
        _COMMANDS[command](cluster)
    except (RuntimeError, TimeoutError, ValueError) as error:
        sys.stderr.write(f"\nmake {command} failed.\n{error}\n\nnext: {_NEXT.get(command, 'make help')}\n")
        return 1
    return 0


def _up(cluster: paths.ClusterPaths) -> None:
    print(up.up(cluster))


def _down(cluster: paths.ClusterPaths) -> None:
    lifecycle.destroy(cluster)
    if left := lifecycle.leftovers(cluster):
        raise RuntimeError(f"something of {cluster.name} is left: {'; '.join(left)}")
    print(f"{cluster.name} is gone; nothing of it is left")


def _status(cluster: paths.ClusterPaths) -> None:
    if not lifecycle.is_up(cluster):
        raise RuntimeError(f"the cluster {cluster.name} is not up")
    kube = Kube(cluster.kubeconfig)
    print(kube.kubectl("get", "nodes", "--output=wide"))
    print(run([cluster.bin / "kubectl-leeway", "status", "-A"], env={"KUBECONFIG": str(cluster.kubeconfig)}))
    print(kube.kubectl("get", "pods", "--all-namespaces"))
    print(kube.kubectl("get", "gateway,httproute", f"--namespace={demo.NAMESPACE}"))


def _env(cluster: paths.ClusterPaths) -> None:
    print(up.environment(cluster))


def _bundle(_cluster: paths.ClusterPaths) -> None:
    print(demo.train(demo.VERSION))


def _tools(_cluster: paths.ClusterPaths) -> None:
    tools.fetch()


def _clean(cluster: paths.ClusterPaths) -> None:
    clusters = paths.cache() / "clusters"
    for folder in [*(clusters.iterdir() if clusters.exists() else []), cluster.state]:
        _down(paths.ClusterPaths(folder.name))
    shutil.rmtree(paths.cache(), ignore_errors=True)
    print(f"removed {paths.cache()}; Go's and uv's own caches are theirs: go clean -cache -modcache, uv cache clean")


_COMMANDS = {
    "up": _up,
    "down": _down,
    "status": _status,
    "env": _env,
    "bundle": _bundle,
    "tools": _tools,
    "clean": _clean,
}
_NEXT = {
    "up": "make up goes on from where it failed; make status shows what runs",
    "down": "make down tries again",
    "status": "make up",
}

if __name__ == "__main__":
    sys.exit(main())
