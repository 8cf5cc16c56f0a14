"""Helm 3 installs the same objects as Helm 4, and refuses the same values in the same words."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from chart.rendering import CHART, EVERYTHING, ROOT, Manifest, helm, model
from cluster.fetch import tools

MODELS = {"flights": model()}
ALL: Manifest = {
    "models": {
        "flights": model(
            autoscaling={"targetCPUUtilizationPercentage": 0, "targetRequestsInFlight": 4, "maxReplicas": 2},
            capture={"mode": "direct", "sample": 0.25},
            slo={"availability": 0.99, "latency": {"objective": 0.95}},
        ),
        "fares": model(autoscaling={"enabled": False}, hostnames=["fares.leeway.internal"]),
    },
    "logs": {"level": "debug"},
    "tracing": {"endpoint": "http://collector:4318", "sampleRatio": 1},
    "driftDetector": {"persistence": {"enabled": True}},
    "operator": {"prometheus": {"url": "http://prometheus:9090"}, "replicas": 2},
    "monitoring": {"alertmanagerConfig": {"enabled": True, "slack": {"existingSecret": "slack", "channel": "#ml"}}},
}


@pytest.fixture(scope="module")
def helm3() -> Path:
    """The program."""
    return tools.fetch_helm_3() / "helm"


def ask(program: str | Path, values: Manifest, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [program, "template", "leeway", CHART, "--namespace=leeway", "--values=-", *options]
    command += [f"--api-versions={api}" for api in EVERYTHING]
    environment = {**os.environ, "KUBECONFIG": os.devnull}
    return subprocess.run(
        list(map(str, command)), input=json.dumps(values), env=environment, capture_output=True, text=True, check=False
    )


def objects(program: str | Path, values: Manifest, *options: str) -> dict[tuple[str, str], Manifest]:
    done = ask(program, values, *options)
    assert done.returncode == 0, done.stderr
    found = [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def environment(name: str) -> Manifest:
    files = [ROOT / "deploy" / f"{kind}-{name}.yaml" for kind in ("values", "models")]
    merged: Manifest = {}
    for file in files:
        merged |= yaml.safe_load(file.read_text())
    return merged


def test_the_other_helm_is_a_helm_3(helm3: Path) -> None:
    said = subprocess.run([helm3, "version", "--template={{.Version}}"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("v3.")


@pytest.mark.parametrize(
    "values",
    [{}, {"models": MODELS}, ALL, *map(environment, ("dev", "staging", "prod"))],
    ids=["platform", "one model", "much", "dev", "staging", "prod"],
)
def test_both_install_the_same_objects(helm3: Path, values: Manifest) -> None:
    assert objects(helm3, values) == objects(helm(), values)


def test_an_upgrade_is_the_same_but_for_the_kind_which_helm_3_would_stumble_over(helm3: Path) -> None:
    by_3, by_4 = (objects(program, {"models": MODELS}, "--is-upgrade") for program in (helm3, helm()))
    assert by_4.pop(("CustomResourceDefinition", "modelrollouts.leeway.dev"))
    assert by_3 == by_4


@pytest.mark.parametrize("program", ["3", "4"])
def test_each_shows_the_kind_to_whoever_brings_it_up_to_date(helm3: Path, program: str) -> None:
    command = [helm3 if program == "3" else helm(), "show", "crds", str(CHART)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (kind,) = [one for one in yaml.safe_load_all(shown) if one]
    assert kind == yaml.safe_load((CHART / "charts/crds/crds/modelrollouts.yaml").read_text())


@pytest.mark.parametrize(
    "values",
    [
        {"models": {"flights": model(autoscaling={"targetCPUUtilizationPercentage": 0})}},
        {"models": {"flights": model(scaling={"minReplicas": 5})}},
        {"models": {"flights": model(capture={"mode": "kserve", "sample": 0.5})}},
        {"models": MODELS, "gateway": {"hostname": ""}},
        {"models": MODELS, "driftDetector": {"replicas": 2}},
        {"monitoring": {"alertmanagerConfig": {"enabled": True}}},
    ],
    ids=["no metric", "replicas", "sample", "no hostname", "detectors", "nobody to tell"],
)
def test_both_refuse_what_contradicts_itself_in_the_same_words(helm3: Path, values: Manifest) -> None:
    # Which template came to it first, said in parentheses, is Helm's affair.
    told = [ask(program, values).stderr.partition("): ")[2].splitlines()[:1] for program in (helm3, helm())]
    assert told[0] == told[1] != []


@pytest.mark.parametrize(
    "values",
    [
        {"models": {"flights": model(autoscaling={"targetRequestsInFlight": -1})}},
        {"models": {"flights": model(autoscaling={"targetRequests": 4})}},
        {"logs": {"level": "loud"}},
        {"images": {"operators": {"tag": "0.1.0@sha256:abc"}}},
    ],
    ids=["too small", "unknown", "not one of", "pattern"],
)
def test_both_refuse_what_the_schema_refuses(helm3: Path, values: Manifest) -> None:
    for program in (helm3, helm()):
        done = ask(program, values)
        assert done.returncode != 0
        assert "values don't meet the specifications of the schema" in done.stderr
