"""Where things are kept: what is built once per version in the cache, what one running cluster needs beside it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / "scripts/cluster/tools"
_NAME = re.compile(r"[a-z][a-z0-9]{0,9}")


def cache() -> Path:
    """The user's cache folder for Leeway; everything in it can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "leeway"


@dataclass(frozen=True)
class ClusterPaths:
    """The folders of one cluster. `name` is short because network device names are built from it (15 characters)."""

    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"cluster name {self.name!r}: expected a lower-case letter and up to 9 letters or digits")

    @property
    def state(self) -> Path:
        """Everything that lives and dies with the cluster."""
        return cache() / "clusters" / self.name

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, valid in the box and from the host's shell."""
        return self.state / "kubeconfig"

    @property
    def logs(self) -> Path:
        """One file per component."""
        return self.state / "logs"

    @property
    def containerd_socket(self) -> Path:
        """Kept in the state folder since the box has its own /run."""
        return self.state / "containerd.sock"

    @property
    def bin(self) -> Path:
        """What `eval "$(make -s env)"` puts first on PATH."""
        return self.state / "bin"


@dataclass(frozen=True)
class SecondNodePaths:
    """The name and the folders of a cluster's second node; they lie in the cluster's own, and go with it."""

    cluster: ClusterPaths

    @property
    def name(self) -> str:
        """Of the node, its host name and its network namespace: one that no cluster can have."""
        return f"{self.cluster.name}-2"

    @property
    def state(self) -> Path:
        """Everything that comes and goes with the node."""
        return self.cluster.state / "second"

    @property
    def logs(self) -> Path:
        """One file per component."""
        return self.state / "logs"

    @property
    def containerd_socket(self) -> Path:
        """Of its own containerd."""
        return self.state / "containerd.sock"


def uv() -> Path:
    """The uv that `scripts/bootstrap.sh` fetched; set by the Makefile, so that its version is written once."""
    return Path(os.environ["LEEWAY_UV"])
