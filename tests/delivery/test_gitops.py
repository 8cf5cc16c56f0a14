"""Argo CD's health of a ModelRollout says what a person would, and both examples name files that are there."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaRuntime  # the Lua of Argo CD's interpreter, gopher-lua

ROOT = Path(__file__).resolve().parents[2]
ARGO = list(yaml.safe_load_all((ROOT / "deploy/gitops/argo-cd.yaml").read_text()))
FLUX = list(yaml.safe_load_all((ROOT / "deploy/gitops/flux.yaml").read_text()))
SERVING = {"Ready": (True, "Serving"), "Degraded": (False, "AsExpected"), "Progressing": (False, "Finished")}


def health(rollout: dict[str, Any]) -> tuple[str, str]:
    """Status and message, as Argo CD gets them."""
    (config,) = (found for found in ARGO if found["kind"] == "ConfigMap")
    script = config["data"]["resource.customizations.health.leeway.dev_ModelRollout"]
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(rollout, recursive=True)
    result = lua.execute(script)
    return result["status"], result["message"]


def rollout(phase: str = "Stable", *, observed: int = 3, **conditions: tuple[bool, str]) -> dict[str, Any]:
    said = [
        {"type": kind, "status": str(true), "reason": reason, "message": f"{kind}: {reason}"}
        for kind, (true, reason) in (SERVING | conditions).items()
    ]
    return {
        "metadata": {"generation": 3},
        "status": {"observedGeneration": observed, "phase": phase, "conditions": said},
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rollout(), ("Healthy", "Ready: Serving")),
        (rollout("Canary", Progressing=(True, "Comparing")), ("Healthy", "Ready: Serving")),
        (rollout(observed=2), ("Progressing", "the operator has not looked at this generation yet")),
        (rollout("Stable", Degraded=(True, "Errors")), ("Degraded", "Degraded: Errors")),
        (rollout("Deploying", Ready=(False, "NothingReleased")), ("Progressing", "Ready: NothingReleased")),
        (rollout("Deploying", Ready=(False, "RoutePending")), ("Progressing", "Ready: RoutePending")),
        (rollout(Ready=(False, "NoPodAvailable")), ("Degraded", "Ready: NoPodAvailable")),
        (
            rollout("AwaitingApproval", Progressing=(False, "AwaitingApproval")),
            ("Suspended", "Progressing: AwaitingApproval"),
        ),
        (rollout("Held", Progressing=(False, "TooFewRequests")), ("Suspended", "Progressing: TooFewRequests")),
        ({"metadata": {"generation": 1}}, ("Progressing", "the operator has not looked at this generation yet")),
    ],
    ids=lambda part: part[1] if isinstance(part, tuple) else part.get("status", {}).get("phase", "new"),
)
def test_health_is_what_a_person_would_say(given: dict[str, Any], expected: tuple[str, str]) -> None:
    assert health(given) == expected


def test_every_phase_that_waits_for_somebody_is_one_that_the_kind_has() -> None:
    crd = yaml.safe_load((ROOT / "charts/leeway/charts/crds/crds/modelrollouts.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["phase"]
    assert {"Paused", "AwaitingApproval", "Held"} <= set(schema["enum"])


def test_both_install_this_chart_with_the_same_values() -> None:
    (source,) = (found["spec"]["source"] for found in ARGO if found["kind"] == "Application")
    argo = [(ROOT / source["path"] / file).resolve() for file in source["helm"]["valueFiles"]]
    (spec,) = (found["spec"]["chart"]["spec"] for found in FLUX if found["kind"] == "HelmRelease")
    own, *flux = [(ROOT / file).resolve() for file in spec["valuesFiles"]]
    assert own == ROOT / "charts/leeway/values.yaml"  # Flux leaves out a chart's own values once files are named
    assert argo == flux == [ROOT / "deploy/values-prod.yaml", ROOT / "deploy/models-prod.yaml"]
    assert source["path"] == spec["chart"] == "charts/leeway"
