"""kubectl and helm against one cluster."""

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster import paths
from cluster.progress import Step, wait_until
from cluster.shell import CommandFailedError, run

Manifest = dict[str, Any]
_FIELD_MANAGER = "leeway-cluster"


@dataclass(frozen=True)
class Kube:
    """A cluster as its administrator sees it.

    Attributes:
        kubeconfig: as the variable KUBECONFIG has it.
        tools: the folder with kubectl and helm.
        context: which of the kubeconfig's; empty is its current one.
    """

    kubeconfig: Path
    tools: Path = field(default_factory=lambda: paths.cache() / "tools")
    context: str = ""

    def kubectl(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """Run kubectl and return what it printed.

        Raises:
            CommandFailedError: it failed; the message carries the API server's.
        """
        chosen = [f"--context={self.context}"] if self.context else []
        return run([self.tools / "kubectl", *chosen, *arguments], env={"KUBECONFIG": str(self.kubeconfig)}, stdin=stdin)

    def apply(self, manifests: str | Path | Iterable[Manifest]) -> list[str]:
        """Apply manifests (YAML, a folder of it, or documents) and return the objects' names ("kind.group/name").

        On the server's side: large definitions would not fit in the annotation that kubectl keeps otherwise, and
        applying again is no error.

        Raises:
            CommandFailedError: the API server refused one.
        """
        if isinstance(manifests, Path):
            source, stdin = str(manifests), None
        else:
            source, stdin = "-", manifests if isinstance(manifests, str) else yaml.safe_dump_all(manifests)
        printed = self.kubectl("apply", *_SERVER_SIDE, "--output=name", f"--filename={source}", stdin=stdin)
        return printed.split()

    def apply_definitions(self, manifests: str | Path, *, step: Step) -> None:
        """Apply manifests and return once the API server serves every kind they define.

        Raises:
            CommandFailedError: one was refused.
            TimeoutError: one is not served within a minute.
        """
        definitions = [name for name in self.apply(manifests) if name.startswith("customresourcedefinition.")]

        # Not `kubectl wait`: it ends with an error on a definition too new to have any condition.
        def served() -> bool:
            return established(json.loads(self.kubectl("get", *definitions, "--output=json")))

        wait_until(served, seconds=60, what=f"{len(definitions)} definitions", step=step)

    def accepts(self, manifest: Manifest) -> bool:
        """Whether the API server, with every admission webhook it asks, would take `manifest` now."""
        try:
            self.kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(manifest))
        except CommandFailedError:
            return False
        return True

    def wait(self, what: str, condition: str, *, namespace: str = "default", seconds: int, step: Step) -> None:
        """Wait until `what` ("deployment/x") has `condition` ("condition=Available").

        Raises:
            CommandFailedError: it has not within `seconds`; the message names it.
        """
        step.wait(f"{what} in {namespace}")
        self.kubectl("wait", what, f"--for={condition}", f"--namespace={namespace}", f"--timeout={seconds}s")
        step.wait("")

    def helm_install(
        self, release: str, chart: str | Path, *options: str, namespace: str, values: Mapping[str, Any]
    ) -> None:
        """Install or upgrade a release; hooks are awaited, the rest is the caller's to wait for, or of `options`."""
        self.helm(
            "upgrade", "--install", release, chart, f"--namespace={namespace}", "--create-namespace",
            "--timeout=2m", *options, values=values,
        )  # fmt: skip

    def render(
        self,
        release: str,
        chart: str | Path,
        *options: str,
        namespace: str,
        values: Mapping[str, Any] | None = None,
    ) -> str:
        """Return the manifests of a chart, CRDs included, without asking the cluster."""
        place = (f"--namespace={namespace}", "--include-crds")
        return self.helm("template", release, chart, *place, *options, values=values or {})

    def helm(self, *arguments: str | Path, values: Mapping[str, Any] | None = None) -> str:
        """Run helm and return what it printed.

        Raises:
            CommandFailedError: it failed; the message is its own.
        """
        chosen = [f"--kube-context={self.context}"] if self.context else []
        given = [] if values is None else ["--values=-"]
        # Its caches and repositories in a folder of their own: the user's helm is neither read nor changed.
        with tempfile.TemporaryDirectory() as home:
            folders = {f"HELM_{name}_HOME": f"{home}/{name.lower()}" for name in ("CACHE", "CONFIG", "DATA")}
            return run(
                [self.tools / "helm", *chosen, *arguments, *given],
                env={"KUBECONFIG": str(self.kubeconfig), **folders},
                stdin=None if values is None else yaml.safe_dump(dict(values)),
            )


def established(answer: Manifest) -> bool:
    """Whether every definition in `answer` (one, or a list) is served by the API server."""
    return all(
        any(
            condition["type"] == "Established" and condition["status"] == "True"
            for condition in definition.get("status", {}).get("conditions") or []
        )
        for definition in answer.get("items", [answer])
    )


_SERVER_SIDE = ("--server-side", "--force-conflicts", f"--field-manager={_FIELD_MANAGER}")
