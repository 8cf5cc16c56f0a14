"""The objects we make, as golden files; and what comparing them means."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_operators.core import documents, objects
from leeway_operators.core.model import Arm, Rollout, Weights
from leeway_operators.core.strategy import Match
from tests.world import SINK, World, defaulted, rollout_schema, spec

GOLDEN = Path(__file__).parent / "golden"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def rollout(**changes: Any) -> Rollout:
    world = World()
    model = {"resources": {"requests": {"cpu": "500m"}}, "env": [{"name": "LOG", "value": "1"}]}
    world.release(spec("2", **model) | changes)
    return documents.rollout_of(world.body)


def arm(wished: Rollout) -> Arm:
    return Arm(slot="b", release=wished.release, since=SINCE)


def built(name: str) -> dict[str, Any]:
    wished = rollout()
    bearers = objects.Bearers(match=Match(header="x-group", value="b"), slot="b", opened=True)
    source = {
        "spec": {"supportedModelFormats": [{"name": "onnx", "autoSelect": True, "priority": 1}], "containers": []}
    }
    return {
        "inference-service": objects.inference_service(wished, arm(wished), SINK),
        "inference-service-direct": objects.inference_service(
            direct := rollout(capture={"mode": "direct", "sample": 0.5}), arm(direct), SINK
        ),
        "bundle-service": objects.bundle_service(wished, "b"),
        "http-route": objects.http_route(wished, Weights(a=100), ["a", "b"]),
        "http-route-header": objects.http_route(wished, Weights(a=100), ["a", "b"], bearers=bearers),
        "http-route-header-closed": objects.http_route(
            wished, Weights(a=100), ["a", "b"], bearers=replace(bearers, opened=False)
        ),
        "http-route-mirror": objects.http_route(wished, Weights(a=100), ["a", "b"], mirror="b"),
        "runtime-copy": objects.runtime_copy(wished, arm(wished), source),
        "min-replicas": objects.min_replicas(wished, "b", 3),
    }[name]


@pytest.mark.parametrize("name", [path.stem for path in sorted(GOLDEN.glob("*.json"))])
def test_objects_are_the_golden_ones(name: str) -> None:
    assert built(name) == json.loads((GOLDEN / f"{name}.json").read_text())


def test_there_are_golden_files() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {
        "bundle-service",
        "http-route",
        "http-route-header",
        "http-route-header-closed",
        "http-route-mirror",
        "inference-service",
        "inference-service-direct",
        "min-replicas",
        "runtime-copy",
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(live=st.dictionaries(st.text(max_size=3), JSON, max_size=3), extra=JSON)
def test_an_object_covers_itself_whatever_the_api_server_adds(live: dict[str, Any], extra: object) -> None:
    assert objects.covers(live | {"added": extra}, {key: value for key, value in live.items() if key != "added"})


def test_a_changed_missing_or_surplus_list_element_is_a_difference() -> None:
    live = {"rules": [{"weight": 1, "kind": "Service"}]}
    assert objects.covers(live, {"rules": [{"weight": 1}]})
    assert not objects.covers(live, {"rules": [{"weight": 2}]})
    assert not objects.covers(live, {"rules": []})
    assert not objects.covers({}, {"rules": [{"weight": 1}]})


# ------------------------------------------------------------------------------------------------- the CRD


def check(value: dict[str, Any]) -> None:
    # CRDs write exclusive bounds as OpenAPI 3.0 does, which is JSON Schema's draft 4.
    jsonschema.Draft4Validator(rollout_schema()).validate({"spec": value})


def test_without_a_sink_nobody_reports_anything() -> None:
    for mode in ("kserve", "direct"):
        wished = rollout(capture={"mode": mode})
        predictor = objects.inference_service(wished, arm(wished), None)["spec"]["predictor"]
        assert "logger" not in predictor
        assert not [entry for entry in predictor["model"]["env"] if entry["name"].startswith("LEEWAY_CAPTURE")]


@pytest.mark.parametrize("sample", [0, -0.1, 1.5])
def test_the_schema_refuses_a_share_of_the_requests_that_is_none(sample: float) -> None:
    check(spec() | {"capture": {"mode": "direct", "sample": 0.001}})
    with pytest.raises(jsonschema.ValidationError):
        check(spec() | {"capture": {"mode": "direct", "sample": sample}})


@pytest.mark.parametrize(
    "broken",
    [
        {"version": "-1"},
        {"version": "1" * 64},
        {"digest": "sha256:0"},
        {"storageUri": "model-flights:1"},
    ],
)
def test_the_schema_refuses_what_no_server_could_be_told(broken: dict[str, Any]) -> None:
    check(spec())
    with pytest.raises(jsonschema.ValidationError):
        check(spec() | {"model": spec()["model"] | broken})


def test_defaults_are_valid_and_complete() -> None:
    full = defaulted(rollout_schema()["properties"]["spec"], spec())
    check(full)
    assert full["strategy"]["rollbackWindow"] == "1h"
    assert full["capture"] == {"mode": "kserve", "sample": 1}
    assert full["scaling"] == {"minReplicas": 1}


def test_a_status_that_we_write_passes_the_schema_and_survives_the_way_back() -> None:
    world = World()
    for version in ("1", "2"):
        world.release(spec(version))
        world.settle()
    world.release(spec("3"))
    world.settle(2)
    status = rollout_schema()["properties"]["status"]
    jsonschema.Draft4Validator(status | {"additionalProperties": False}).validate(world.status)
    assert {"stable", "candidate", "history", "conditions"} <= set(world.status)
    assert documents.status_document(documents.status_of(world.body)) == world.status
