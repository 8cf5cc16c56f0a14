"""Who writes lines on the cluster: a model of its own at debug, one that is not served, the detector, the operator."""

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from cluster import demo
from cluster.progress import wait_until
from cluster.up import CHART
from drill.alerts.release import values
from logs.lines import Line, written
from rollouts.manifests import Manifest, Site
from rollouts.stage import Stage

SITE = Site("logged", "logged")
REFUSED = "refused"
"""The model whose digest is another's, so that its server has an error to tell."""

_NOBODYS = "sha256:" + "0" * 64
_SERVES_SECONDS = 240


def release(stage: Mapping[str, Any], site: Site) -> Manifest:
    """Return the chart's values for a team with two models at `debug`, of which one is not served; pure.

    Args:
        stage: the values that `make up` installed.
        site: of the first model.
    """
    model = stage["models"][demo.MODEL]["model"]
    named = {key: model[key] for key in ("storageUri", "version", "digest")}
    made = values(site, named, images=stage["images"])
    served = made["models"][site.name]
    refused = {
        **served,
        "hostnames": [f"{REFUSED}.leeway.internal"],
        "model": {**served["model"], "digest": _NOBODYS},
    }
    return {**made, "models": {site.name: served, REFUSED: refused}, "logs": {"level": "debug"}}


@contextmanager
def installed(stage: Stage) -> Iterator[None]:
    """Have the two models, and the detector at `debug`, until the block ends; then all is as `make up` left it.

    Raises:
        CommandFailedError: the cluster refused it.
        TimeoutError: the model is not served.
    """
    platform = {**stage.values, "logs": {"levels": {"driftDetector": "debug"}}}
    platform["gateway"] = {**stage.values.get("gateway", {}), "allowedNamespaces": [SITE.namespace]}
    sample = demo.samples(1)[0]
    try:
        stage.install(platform)
        stage.kube.helm_install(SITE.name, CHART, namespace=SITE.namespace, values=release(stage.values, SITE))
        stage.kube.kubectl(
            "rollout", "status", f"deployment/{demo.RELEASE}-drift-detector", f"--namespace={demo.NAMESPACE}",
            "--timeout=120s",
        )  # fmt: skip
        wait_until(lambda: stage.answers(SITE, sample), seconds=_SERVES_SECONDS, what=f"the model {SITE.name}")
        yield
    finally:
        # Models first, or the operator would make anew what the namespace loses.
        stage.kube.kubectl("delete", "modelrollout", "--all", f"--namespace={SITE.namespace}", "--ignore-not-found")
        stage.kube.kubectl("delete", "namespace", SITE.namespace, "--ignore-not-found", "--timeout=180s")
        stage.install(stage.values)


def ask(stage: Stage, count: int) -> Sequence[str]:
    """Send as many requests, each under a name of its own; return the names.

    Raises:
        OSError: no connection.
        RuntimeError: one was not answered.
    """
    endpoint, sample = stage.endpoint_of(SITE), demo.samples(1)[0]["v2"]
    names = [str(uuid.uuid4()) for _ in range(count)]
    for name in names:
        status, _, _ = endpoint.post(SITE.path, sample, request_id=name)
        if status != HTTPStatus.OK:
            raise RuntimeError(f"{SITE.name} answered {status} to {name}")
    return names


class Files(AbstractContextManager["Files"]):
    """The pods' logs of a node, kept open: those of a pod that has gone are still read. Closed on leaving the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._files: dict[Path, BinaryIO] = {}
        self.look()

    def look(self) -> int:
        """Open what is new; return how many are not empty, those of pods that have gone included."""
        for file in sorted(self._folder.glob("*/*/*.log")):
            if file not in self._files:
                self._files[file] = self._open.enter_context(file.open("rb"))
        return sum(os.fstat(file.fileno()).st_size > 0 for file in self._files.values())

    def lines(self, since: int) -> list[Line]:
        """Return the lines of all files since a moment, in nanoseconds of Unix time."""
        self.look()
        found = []
        for path, file in self._files.items():
            file.seek(0)
            found += written(file.read(), path.parent.name, since=since)
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
