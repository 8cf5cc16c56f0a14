"""The way of an alert: the chart's AlertmanagerConfig, what the operator makes of it, what Alertmanager then sends.

Nothing of the operator or of Alertmanager is imitated: `delivery/` asks their own packages.
"""

import base64
import json
import os
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from chart.rendering import ROOT, Manifest

from cluster.addons import monitoring

_SOURCE = Path(__file__).parent / "delivery"
EXTERNAL_URL = "https://alertmanager.example.com"


def version(module: str) -> str:
    """Return the version of a Go module that Leeway is proven with, such as v0.34.2 (scripts/cluster/versions.toml)."""
    modules = tomllib.loads((ROOT / "scripts/cluster/versions.toml").read_text())["modules"]
    return str(modules[module]["version"])


@cache
def program() -> Path:
    """Return `delivery`, built; Go's own cache makes that quick from the second time on."""
    target = ROOT / "build" / "delivery"
    command = ["go", "build", "-mod=readonly", "-trimpath", "-o", str(target), "."]
    subprocess.run(command, cwd=_SOURCE, env=_environment(), check=True)
    return target


def _environment() -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}


def convert(configs: Iterable[Manifest], secrets: Mapping[str, Mapping[str, str]], *, namespace: str = "leeway") -> str:
    """Return the configuration of an Alertmanager that selects these AlertmanagerConfigs.

    Args:
        configs: as rendered.
        secrets: name → key → value, of `namespace`.
        namespace: that the Secrets are in.

    Raises:
        AssertionError: the operator would refuse one; the message is its own.
    """
    given = {
        "version": version("alertmanager").removeprefix("v"),
        "alertmanagerConfigs": list(configs),
        "secrets": [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": namespace},
                "data": {key: base64.b64encode(value.encode()).decode() for key, value in keys.items()},
            }
            for name, keys in secrets.items()
        ],
    }
    return _run([program(), "convert"], json.dumps(given))


def deliver(config: Path, alerts: Iterable[Manifest]) -> Manifest:
    """Have Alertmanager inhibit, route, group and send these alerts at once; return what became of each.

    Raises:
        AssertionError: something could not be sent.
    """
    given = {"externalURL": EXTERNAL_URL, "alerts": list(alerts)}
    found: Manifest = json.loads(_run([program(), "deliver", "-config", config], json.dumps(given)))
    return found


def amtool(*arguments: str | Path) -> str:
    """Return what amtool printed.

    Raises:
        AssertionError: it ended with an error.
    """
    return _run([monitoring.amtool(), *arguments])


def _run(command: list[str | Path], given: str = "") -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert not done.returncode, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
