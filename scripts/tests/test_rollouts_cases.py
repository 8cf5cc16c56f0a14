"""What `make prove` runs, what it writes of it, and the objects that it makes for it."""

import json
import math
from typing import Any

import pytest

from rollouts import manifests
from rollouts.cases import FAULTS, RATES, SCRAPES, Case, plan, waves
from rollouts.manifests import Site
from rollouts.prometheus import QueryError, read
from rollouts.table import Result, markdown, result_of

BASE: dict[str, Any] = {
    "apiVersion": "leeway.dev/v1alpha1",
    "kind": "ModelRollout",
    "metadata": {"name": "flights", "namespace": "leeway", "uid": "1"},
    "spec": {
        "model": {"storageUri": "oci://old:1", "version": "1.0.0", "digest": "sha256:0", "env": [], "resources": {}},
        "endpoint": {"gateway": {"name": "leeway", "namespace": "leeway"}, "hostnames": ["flights.leeway.internal"]},
        "runtime": "leeway-onnx-1",
        "capture": {"mode": "kserve"},
        "paused": True,
        "strategy": {"steps": []},
    },
}
RUNTIME: dict[str, Any] = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "ServingRuntime",
    "metadata": {"name": "leeway-onnx-1", "namespace": "leeway", "resourceVersion": "7"},
    "spec": {"containers": [{"name": "kserve-container", "image": "leeway/onnx-server:1", "args": ["--x"]}]},
}
SITE = Site("extra", "leeway")


def test_each_fault_and_a_dozen_good_versions_run_at_each_rate_and_scrape_interval() -> None:
    cases = plan()

    assert len({case.name for case in cases}) == len(cases)
    assert {(case.kind, case.rate, case.scrape) for case in cases} == {
        (kind, rate, scrape) for kind in ("", *FAULTS) for rate in RATES for scrape in SCRAPES
    }
    assert sum(not case.kind for case in cases) >= 12
    assert sum(bool(case.kind) for case in cases) >= 12
    assert all(len(case.name) <= 40 for case in cases)


def test_no_wave_has_more_models_or_requests_than_allowed_and_none_is_forgotten() -> None:
    grouped = list(waves(plan(), models=6, rate=120))

    assert all(len(wave) <= 6 and sum(case.rate for case in wave) <= 120 for wave in grouped)
    assert sorted(case.name for wave in grouped for case in wave) == sorted(case.name for case in plan())


def test_a_case_over_the_limit_runs_alone() -> None:
    cases = [Case("big", "", 500, 10), Case("small", "", 5, 10)]

    assert [[case.name for case in wave] for wave in waves(cases, models=6, rate=120)] == [["big"], ["small"]]


def test_a_model_of_its_own_has_its_own_name_host_and_namespace_and_the_gateway_of_the_other() -> None:
    model = {"storageUri": "oci://new:2", "version": "1.0.1", "digest": "sha256:1"}
    made = manifests.rollout(BASE, SITE, model=model, runtime="bad", strategy={"steps": [{"weight": 50}]})

    assert made["metadata"] == {"name": "extra", "namespace": "leeway"}
    assert made["spec"]["endpoint"]["hostnames"] == ["extra.leeway.internal"]
    assert made["spec"]["endpoint"]["gateway"] == {"name": "leeway", "namespace": "leeway"}
    assert made["spec"]["model"] == {**model, "resources": {}}
    assert (made["spec"]["runtime"], made["spec"]["paused"]) == ("bad", False)
    assert made["spec"]["capture"] == {"mode": "kserve"}
    assert BASE["spec"]["model"]["version"] == "1.0.0"


def test_a_faulty_runtime_differs_in_its_name_image_and_fault_alone() -> None:
    made = manifests.runtime(RUNTIME, SITE, "extra-bad", image="leeway/onnx-server-faulty:1", fault="errors=0.05")

    assert made["metadata"] == {"name": "extra-bad", "namespace": "leeway"}
    assert made["spec"]["containers"] == [
        {
            "name": "kserve-container",
            "image": "leeway/onnx-server-faulty:1",
            "args": ["--x"],
            "env": [{"name": "FAULT", "value": "errors=0.05"}],
        }
    ]
    assert RUNTIME["spec"]["containers"][0]["image"] == "leeway/onnx-server:1"


def test_a_pod_monitor_of_other_models_differs_in_its_models_and_interval_alone() -> None:
    spec = {
        "selector": {"matchExpressions": [{"key": "leeway.dev/model", "operator": "In", "values": ["flights"]}]},
        "podTargetLabels": ["leeway.dev/slot"],
        "podMetricsEndpoints": [{"port": "http1", "interval": "10s"}],
    }
    metadata = {"name": "leeway-models", "namespace": "leeway", "uid": "1"}
    servers = {"apiVersion": "v1", "kind": "PodMonitor", "metadata": metadata, "spec": spec}
    others = {**servers, "spec": {"podMetricsEndpoints": []}}

    made = manifests.pod_monitor(manifests.monitor_of_servers([others, servers]), "slow", ["extra"], interval="30s")

    assert made["metadata"] == {"name": "slow", "namespace": "leeway"}
    assert made["spec"]["podMetricsEndpoints"] == [{"port": "http1", "interval": "30s"}]
    assert made["spec"]["podTargetLabels"] == ["leeway.dev/slot"]
    assert made["spec"]["selector"]["matchExpressions"][0]["values"] == ["extra"]
    with pytest.raises(LookupError, match="exactly one was expected"):
        manifests.monitor_of_servers([others])


def _result(kind: str, verdict: str, reason: str, **changes: Any) -> Result:
    values: dict[str, Any] = {
        "case": Case(f"{kind or 'same'}-5-10s", kind, 5, 10),
        "verdict": verdict,
        "reason": reason,
        "seconds": 310.4,
        "candidate_requests": 812,
        "failed": 0,
        "candidate_failed": 0,
        "flagger": "Promoted",
        "flagger_seconds": 180.0,
        "flagger_checks": (0, 5),
    }
    return Result(**values | changes)


def test_the_page_names_every_miss_and_marks_its_row() -> None:
    results = [
        _result("", "Promoted", "EvidencePassed"),
        _result("errors", "RolledBack", "Errors", seconds=90.0, failed=12, candidate_failed=12, flagger="Undecided"),
        _result("flipped", "Promoted", "EvidencePassed"),
    ]
    page = markdown(results, how="Somewhere.")

    assert "1 rollouts of a version as good as the stable one: 1 Promoted; Flagger's rule: 1 Promoted." in page
    assert "2 rollouts of a version with a fault: 1 Promoted, 1 RolledBack;" in page
    assert "| flipped-5-10s | labels=flipped | 5 | 10 s | Promoted (EvidencePassed) **miss** | 310 | 812 |" in page
    assert "- flipped-5-10s: Promoted (EvidencePassed), expected RolledBack\n" in page
    assert "`errors=0.05` was caught after 90 s and 812 requests (medians)." in page


def test_a_page_without_misses_says_so() -> None:
    assert markdown([_result("", "Promoted", "EvidencePassed")], how="Somewhere.").endswith("## Misses\n\nNone.\n")


def test_a_good_version_that_was_rolled_back_or_never_decided_is_a_miss() -> None:
    assert _result("", "RolledBack", "Errors").miss == "same-5-10s: RolledBack (Errors), expected Promoted"
    assert _result("", "Undecided", "NoTraffic").miss is not None
    assert _result("", "Promoted", "EvidencePassed").miss is None


def test_a_result_survives_its_json_and_unknown_seconds_are_null() -> None:
    known, unknown = _result("", "Promoted", "EvidencePassed"), _result("", "Undecided", "x", seconds=math.nan)

    assert result_of(json.loads(json.dumps(known.document()))) == known
    assert json.loads(json.dumps(unknown.document(), allow_nan=False))["seconds"] is None
    assert math.isnan(result_of(json.loads(json.dumps(unknown.document()))).seconds)


def test_recorded_counters_are_read_with_what_they_count() -> None:
    series = [
        {"metric": {"code": "200"}, "values": [[10.5, "3"], [20.5, "NaN"]]},
        {"metric": {"code": "503"}, "values": [[10.5, "1"]]},
    ]
    answer = {"status": "success", "data": {"resultType": "matrix", "result": series}}

    assert [(one.failed, one.samples) for one in read(json.dumps(answer))] == [
        (False, [(10.5, 3.0)]),
        (True, [(10.5, 1.0)]),
    ]


@pytest.mark.parametrize("text", ["<html>", "{}", '{"status": "error", "error": "no"}', "[]"])
def test_an_answer_that_is_no_record_is_refused_with_its_words(text: str) -> None:
    with pytest.raises(QueryError, match="samples were expected"):
        read(text)
