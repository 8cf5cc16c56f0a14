"""What deploy, rollback and health-check ask of helm and kubectl, and that a fault of either is theirs.

Stand-ins on PATH write down how they are called; the chart itself is rendered in tests/chart.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def told(tmp_path: Path) -> Path:
    return tmp_path / "told"


@pytest.fixture
def run(tmp_path: Path, told: Path) -> Run:
    """Runs a make target or a script with stand-ins for helm and kubectl, each a shell script's text."""

    def call(
        command: str, *arguments: str, helm: str = "", kubectl: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        for name, script in (("helm", helm), ("kubectl", kubectl)):
            program = tmp_path / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(f'#!/bin/sh\necho {name} "$@" >> {told}\n{script}\n')
            program.chmod(0o755)
        inherited = {
            k: v for k, v in os.environ.items() if k not in {"NAMESPACE", "CHART", "VERSION", "IMAGE_REGISTRY"}
        }
        environment = {**inherited, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", **variables}
        return subprocess.run(
            ["make", "-s", command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

    return call


def calls(told: Path) -> list[str]:
    return told.read_text().splitlines() if told.exists() else []


def test_deploy_installs_the_chart_with_the_environments_values_and_models(run: Run, told: Path) -> None:
    assert run("deploy", "ENVIRONMENT=staging").returncode == 0
    (call,) = calls(told)
    assert call.startswith("helm upgrade --install leeway charts/leeway --namespace leeway --create-namespace")
    assert "--values deploy/values-staging.yaml --values deploy/models-staging.yaml" in call
    assert "--rollback-on-failure --wait" in call


def test_deploy_takes_the_chart_and_the_images_that_were_verified(run: Run, told: Path, tmp_path: Path) -> None:
    chart = f"oci://ghcr.io/leeway-dev/charts/leeway@sha256:{'1' * 64}"
    (tmp_path / "chart").write_text(f"{chart}\n")
    assert run("deploy", "ENVIRONMENT=minikube", f"VERIFIED={tmp_path}", NAMESPACE="ml").returncode == 0
    (call,) = calls(told)
    assert f"--install leeway {chart} --namespace ml" in call
    assert f"--values deploy/values-minikube.yaml --values {tmp_path}/values.yaml --rollback-on-failure" in call
    assert "models-" not in call


def test_deploy_without_the_verified_chart_installs_nothing(run: Run, told: Path, tmp_path: Path) -> None:
    assert run("deploy", f"VERIFIED={tmp_path}/nothing").returncode != 0
    assert calls(told) == []


def test_deploy_to_an_environment_that_is_not_there_names_those_that_are(run: Run, told: Path) -> None:
    done = run("deploy", "ENVIRONMENT=production")
    assert done.returncode != 0
    assert "no deploy/values-production.yaml; ENVIRONMENT is one of dev minikube prod staging" in done.stderr
    assert calls(told) == []


@pytest.mark.parametrize("command", ["deploy", "rollback", "health-check"])
def test_what_helm_refuses_fails(run: Run, command: str) -> None:
    assert run(command, helm="exit 1").returncode != 0


def test_rollback_goes_back_by_one_or_to_a_revision(run: Run, told: Path) -> None:
    assert run("rollback").returncode == 0
    assert run("rollback", "REVISION=7").returncode == 0
    assert [call.split(" --")[0] for call in calls(told)] == ["helm rollback leeway 0", "helm rollback leeway 7"]


KUBECTL = """
case "$*" in
"get deployments"*) echo deployment.apps/leeway-operator; echo deployment.apps/leeway-drift-detector ;;
"get modelrollouts"*) echo modelrollout.leeway.dev/flights ;;
esac
"""


def test_health_check_waits_for_pods_and_models_and_asks_each_model(run: Run, told: Path) -> None:
    assert run("health-check", kubectl=KUBECTL).returncode == 0
    found = calls(told)
    for deployment in ("leeway-operator", "leeway-drift-detector"):
        assert any(f"rollout status deployment.apps/{deployment}" in call for call in found)
    assert any("wait modelrollout.leeway.dev/flights" in call and "condition=Ready" in call for call in found)
    assert found[-1] == "helm test leeway --namespace leeway --logs"


@pytest.mark.parametrize("fault", ["rollout status", "wait", "get modelrollouts"])
def test_health_check_fails_where_pods_or_models_are_not_ready(run: Run, fault: str) -> None:
    broken = f'case "$*" in "{fault}"*) exit 1 ;; esac\n{KUBECTL}'
    assert run("health-check", kubectl=broken).returncode != 0


def test_health_check_of_a_platform_without_models_says_so(run: Run) -> None:
    done = run("health-check", kubectl=KUBECTL.replace("echo modelrollout.leeway.dev/flights", ":"))
    assert done.returncode == 0
    assert "no models in namespace leeway" in done.stdout
