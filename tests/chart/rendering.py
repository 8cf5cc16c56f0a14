"""A `helm template` that returns objects, and the smallest values it takes."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "leeway"
VERSION: str = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["version"]
Manifest = dict[str, Any]

KSERVE = ("serving.kserve.io/v1beta1/InferenceService", "serving.kserve.io/v1alpha1/ServingRuntime")
GATEWAY_API = ("gateway.networking.k8s.io/v1/HTTPRoute",)
CERT_MANAGER = ("cert-manager.io/v1/Certificate",)
ENVOY_GATEWAY = ("gateway.envoyproxy.io/v1alpha1/EnvoyProxy",)
PROMETHEUS_OPERATOR = (
    "monitoring.coreos.com/v1/PodMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
    "monitoring.coreos.com/v1alpha1/AlertmanagerConfig",
)
LEEWAY = ("leeway.dev/v1alpha1/ModelRollout",)
EVERYTHING = (*KSERVE, *GATEWAY_API, *CERT_MANAGER, *ENVOY_GATEWAY, *PROMETHEUS_OPERATOR, *LEEWAY)

DIGEST = "sha256:" + "0123456789abcdef" * 4


class ChartError(Exception):
    """What helm says when it refuses."""


@dataclass(frozen=True)
class Rendered:
    """The objects of one rendering."""

    objects: list[Manifest] = field(repr=False)

    def all(self, kind: str) -> list[Manifest]:
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Manifest:
        found = [o for o in self.all(kind) if name in (None, o["metadata"]["name"])]
        assert len(found) == 1, f"one {kind} {name or ''} expected, found {[o['metadata']['name'] for o in found]}"
        return found[0]

    def pod_specs(self) -> Iterator[tuple[str, Manifest]]:
        """Every pod spec, also that of the ServingRuntime, whose pod level is the InferenceService's."""
        for found in self.objects:
            title = f"{found['kind']} {found['metadata']['name']}"
            match found["kind"]:
                case "Pod" | "ServingRuntime":
                    yield title, found["spec"]
                case "Deployment":
                    yield title, found["spec"]["template"]["spec"]


Render = Callable[..., Rendered]


def model(**changes: object) -> Manifest:
    """The smallest model, with changes to its top-level keys."""
    source = {"storageUri": "oci://docker.io/leeway/model-flights:1.0.0", "version": "1.0.0", "digest": DIGEST}
    return {"model": source, **changes}


@cache
def helm() -> str:
    """Path of helm.

    Raises:
        FileNotFoundError: it is nowhere where it is looked for.
    """
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leeway" / "tools" / "helm"
    given = os.environ.get("LEEWAY_HELM")
    found = given or (str(cached) if cached.exists() else shutil.which("helm"))
    if not found:
        raise FileNotFoundError(f"helm is neither $LEEWAY_HELM nor {cached} nor on PATH; fetch it: make tools")
    return found


def run_helm(*arguments: str, values: Manifest | None = None) -> str:
    """Runs helm with the values on standard input.

    Raises:
        ChartError: helm ended with an error.
    """
    return _run(arguments, json.dumps(values or {}))


@cache
def _run(arguments: tuple[str, ...], values: str) -> str:
    # What a test shows must not depend on the cluster that happens to be at hand.
    environment = {**os.environ, "KUBECONFIG": os.devnull}
    command = [helm(), *arguments, "--values=-"]
    done = subprocess.run(command, input=values, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChartError(done.stderr + done.stdout)
    return done.stdout
