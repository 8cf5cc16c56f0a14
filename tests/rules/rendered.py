"""The chart's rules as Prometheus reads them: a file per alert and per group of recording rules, as in files/rules."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from chart.rendering import CHART, EVERYTHING, Manifest, model, run_helm

from cluster.addons import monitoring

FILES = CHART / "files/rules"
ALERTS = sorted(path.stem for path in (FILES / "alerts").glob("*.yaml"))
GRAFANA = "https://grafana.example.com"

# What the rules are tested as: a platform with two models, one with a team, one with an objective of its own.
VALUES: Manifest = {
    "models": {
        "flights": model(team="aviation"),
        "fares": model(hostnames=["fares.leeway.internal"], slo={"availability": 0.9}),
    },
    "monitoring": {"grafana": {"url": GRAFANA}},
}


@dataclass(frozen=True)
class Rules:
    """Groups of rules by the file of Prometheus that they are in, `alerts/<Alert>.yaml` or `recording/<group>.yaml`."""

    files: dict[str, list[Manifest]] = field(repr=False)

    def of(self, kind: str) -> list[Manifest]:
        """All rules that have the key `alert`, or `record`."""
        return [rule for groups in self.files.values() for group in groups for rule in group["rules"] if kind in rule]

    def write(self, folder: Path) -> None:
        """Write them as files."""
        for name, groups in self.files.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000))


def rules(values: Manifest | None = None) -> Rules:
    """The rules of a release `leeway` in namespace `leeway`."""
    apis = [f"--api-versions={api}" for api in EVERYTHING]
    text = run_helm(
        "template", "leeway", str(CHART), "--namespace=leeway", *apis, values=VALUES if values is None else values
    )
    files: dict[str, list[Manifest]] = {}
    for found in yaml.load_all(text, yaml.CSafeLoader):
        if not found or found["kind"] != "PrometheusRule":
            continue
        for group in found["spec"]["groups"]:
            for name, part in _parts(group):
                files.setdefault(name, []).append(part)
    return Rules(files)


def _parts(group: Manifest) -> list[tuple[str, Manifest]]:
    """A group of recording rules is a file, and each alert: a test reads no more than it needs."""
    if "record" in group["rules"][0]:
        return [(f"recording/{group['name'].removeprefix('leeway.')}.yaml", group)]
    names: dict[str, list[Any]] = {}
    for rule in group["rules"]:
        names.setdefault(rule["alert"], []).append(rule)
    return [(f"alerts/{name}.yaml", {"name": name, "rules": found}) for name, found in names.items()]


def promtool() -> str:
    """Path of promtool: `LEEWAY_PROMTOOL`, or the one of the built-in cluster, which is built if need be."""
    return os.environ.get("LEEWAY_PROMTOOL") or str(monitoring.promtool())
