"""The commands behind the Makefile: python -m cluster COMMAND; --help lists them."""

import argparse
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cluster import demo, forward, lifecycle, paths, prerequisites, second, up
from cluster.addons import monitoring
from cluster.addons.kube import Kube
from cluster.context import command as elsewhere
from cluster.fetch import debian, tools
from cluster.progress import Step, run_steps
from cluster.shell import run


def main() -> int:
    """Run one command; failures print their cause and the next command to try."""
    parser = argparse.ArgumentParser(prog="cluster", description=__doc__)
    parser.add_argument("command", choices=sorted({*_COMMANDS, *elsewhere.COMMANDS, "load"}))
    parser.add_argument("archives", nargs="*", type=Path, metavar="ARCHIVE", help="of load: image archives")
    arguments = parser.parse_args()
    command = arguments.command
    if bool(arguments.archives) != (command == "load"):
        parser.error("image archives are what load takes, and nothing else does")
    cluster = up.context_from_environment()
    try:
        if wish := elsewhere.asked(os.environ, command):
            print(elsewhere.run(wish, os.environ, command))
        elif command == "load":
            _load(cluster, arguments.archives)
        else:
            _COMMANDS[command](cluster)
    except KeyboardInterrupt:
        sys.stderr.write(f"\nmake {command} was interrupted; it goes on from there when called again\n")
        return 130
    except (RuntimeError, OSError, ValueError) as error:
        sys.stderr.write(f"\nmake {command} failed.\n{error}\n\nnext: {_next(command)}\n")
        return 1
    return 0


@contextmanager
def _alone(cluster: paths.ClusterPaths) -> Iterator[None]:
    """Hold the cluster's lock: two `make up` at once would take each other's box down.

    Raises:
        RuntimeError: another process holds it.
    """
    lock = cluster.state.with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError(f"another make up or make down of {cluster.name} is at work; wait for it") from error
        yield


def _up(cluster: paths.ClusterPaths) -> None:
    prerequisites.check()
    with _alone(cluster):
        print(up.up(cluster, _profile(), os.environ.get("GATEWAY", "")))


def _build(cluster: paths.ClusterPaths) -> None:
    prerequisites.check()
    up.build(cluster, _profile(), os.environ.get("GATEWAY", ""))


def _profile() -> str:
    return os.environ.get("PROFILE", "")


def _down(cluster: paths.ClusterPaths) -> None:
    with _alone(cluster):
        lifecycle.destroy(cluster)
    if left := lifecycle.leftovers(cluster):
        raise RuntimeError(f"something of {cluster.name} is left: {'; '.join(left)}")
    print(f"{cluster.name} is gone; nothing of it is left")


def _node(cluster: paths.ClusterPaths) -> None:
    name = paths.SecondNodePaths(cluster).name
    if remove := os.environ.get("REMOVE", ""):
        if remove != "1":
            raise ValueError(f"REMOVE={remove}: expected 1, or nothing to have a second node join")
        work, done = second.remove, f"{name} is gone; nothing of it is left"
    else:
        work, done = second.add, f"{name} takes pods; make node REMOVE=1 moves them and takes it away"
    if not lifecycle.is_up(cluster):
        raise RuntimeError(f"the cluster {cluster.name} is not up")
    with _alone(cluster):
        run_steps([Step(f"node {name}", lambda step: work(cluster, step))], parallel=1)
    if remove and (left := second.leftovers(cluster)):
        raise RuntimeError(f"something of {name} is left: {'; '.join(left)}")
    print(done)


def _status(cluster: paths.ClusterPaths) -> None:
    if not lifecycle.is_up(cluster):
        raise RuntimeError(f"the cluster {cluster.name} is not up")
    kube = Kube(cluster.kubeconfig)
    print(kube.kubectl("get", "nodes", "--output=wide"))
    print(run([cluster.bin / "kubectl-leeway", "status", "-A"], env={"KUBECONFIG": str(cluster.kubeconfig)}))
    print(kube.kubectl("get", "pods", "--all-namespaces"))
    print(kube.kubectl("get", "gateway,httproute", f"--namespace={demo.NAMESPACE}"))
    print(monitoring.table(monitoring.targets(kube)))


def _monitoring(cluster: paths.ClusterPaths) -> None:
    if not lifecycle.is_up(cluster):
        raise RuntimeError(f"the cluster {cluster.name} is not up")
    kube = Kube(cluster.kubeconfig)
    try:
        with ExitStack() as stack:
            opened = [stack.enter_context(forward.Forward(kube, service)) for service in forward.services(kube)]
            for one in opened:
                one.wait()
            print("\n".join([*forward.lines(opened), "Ctrl-C closes them"]), flush=True)
            forward.keep_open(opened)
    except KeyboardInterrupt:  # how it is meant to end
        print("\nclosed")


def _env(cluster: paths.ClusterPaths) -> None:
    print(up.environment(cluster))


def _load(cluster: paths.ClusterPaths, archives: list[Path]) -> None:
    if not lifecycle.is_up(cluster):
        raise RuntimeError(f"the cluster {cluster.name} is not up")
    for archive in archives:
        lifecycle.import_image(cluster, debian.unpack(lifecycle.DEBIAN_PACKAGES), archive.resolve())
        print(f"{archive.name} is on the node")


def _bundle(_cluster: paths.ClusterPaths) -> None:
    print(demo.train(demo.VERSION))


def _tools(_cluster: paths.ClusterPaths) -> None:
    tools.fetch()


def _clean(cluster: paths.ClusterPaths) -> None:
    clusters = paths.cache() / "clusters"
    names = {folder.name for folder in clusters.glob("*") if folder.is_dir()} | {cluster.name}
    for name in sorted(names):
        _down(paths.ClusterPaths(name))
    shutil.rmtree(paths.cache(), ignore_errors=True)
    print(f"removed {paths.cache()}; Go's and uv's own caches are theirs: go clean -cache -modcache, uv cache clean")


_COMMANDS = {
    "up": _up,
    "build": _build,
    "down": _down,
    "node": _node,
    "status": _status,
    "monitoring": _monitoring,
    "env": _env,
    "bundle": _bundle,
    "tools": _tools,
    "clean": _clean,
}


def _next(command: str) -> str:
    if os.environ.get("CONTEXT"):
        return "docs/clusters.md says what a cluster has to have"
    return _NEXT.get(command, "make help")


_NEXT = {
    "up": "make up goes on from where it failed; make status shows what runs",
    "build": "make build goes on from where it failed",
    "down": "make down tries again",
    "node": "make node REMOVE=1 takes away what there is of it; make up, if there is no cluster",
    "status": "make up",
    "monitoring": "make up, then make monitoring again",
    "load": "make up, then make load ARCHIVE=FILE with a file that holds an image",
}

if __name__ == "__main__":
    sys.exit(main())
