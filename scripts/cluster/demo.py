"""The flights model on the cluster: train it, put its bundle into an image, name it in the chart's values."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import paths
from cluster.locked import locked
from cluster.shell import run
from images.build import build_model, bundle_identity

NAMESPACE = "leeway"
RELEASE = "leeway"
MODEL = "flights"
HOSTNAME = "flights.leeway.internal"
VERSION = "1.0.0"
_TRAINING = paths.REPOSITORY / "model/training"
# The flights are data of the example, not of the package.
_ENVIRONMENT = ("--frozen", "--no-dev", "--extra", "examples")
_SOURCES = (_TRAINING, paths.REPOSITORY / "drift-detector")


@dataclass(frozen=True)
class ModelImage:
    """A bundle as an image that KServe mounts: what `models.<name>.model` in the values says of it."""

    storage_uri: str
    version: str
    digest: str
    archive: Path

    def values(self) -> dict[str, str]:
        """Return the fields of `models.<name>.model` that name this release."""
        return {"storageUri": self.storage_uri, "version": self.version, "digest": self.digest}


def train(version: str, settings: Sequence[str] = ()) -> Path:
    """Return the bundle of the flights model, trained once per content of the sources.

    Args:
        version: the version it is to have.
        settings: overrides of the configuration, as `leeway-train --set` takes them.

    Raises:
        CommandFailedError: training refused; the message is its own.
    """
    arguments = ["--version", version, *(part for setting in settings for part in ("--set", setting))]
    bundle = paths.cache() / "bundles" / f"{MODEL}-{version}-{_key(arguments)}"
    # A demonstration and a test run may want the same one.
    with locked(bundle.parent / "lock"):
        if not bundle.exists():
            for stale in bundle.parent.glob(f"{MODEL}-{version}-*"):
                shutil.rmtree(stale)
            _training("leeway-train", *arguments, "--output", bundle)
    return bundle


def samples(rows: int) -> list[dict[str, Any]]:
    """Return `rows` flights of the test period: each as an object (`instance`) and as a V2 request (`v2`)."""
    file = paths.cache() / "bundles" / f"samples-{rows}-{_key([])}.ndjson"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        _training("leeway-samples", "--rows", str(rows), "--output", file)
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def image(bundle: Path) -> ModelImage:
    """Return the modelcar image of a bundle of the flights model."""
    version, digest = bundle_identity(bundle)
    built = build_model(bundle, MODEL)
    return ModelImage(f"oci://{built.reference}", version, digest, built.archive)


def _training(command: str, *arguments: str | Path) -> None:
    log = paths.cache() / "logs" / "training.log"
    environment = {"VIRTUAL_ENV": ""}  # this program's own is not training's
    run([paths.uv(), "run", *_ENVIRONMENT, command, *arguments], log=log, cwd=_TRAINING, env=environment)


def _key(arguments: Sequence[str]) -> str:
    digest = hashlib.sha256(repr(list(arguments)).encode())
    for folder in _SOURCES:
        files = [folder / "pyproject.toml", folder / "uv.lock", *folder.glob("src/**/*.py"), *folder.glob("examples/*")]
        for file in sorted(file for file in files if file.is_file()):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
