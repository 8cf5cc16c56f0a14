"""What a release does without is read from its own configuration."""

import json
from typing import Any

import pytest

from leeway_operators.verify.core.parts import left_out
from tests.verify.world import Manifest, manifest


def detector(config: Manifest, *variables: str) -> tuple[list[Manifest], list[Manifest]]:
    config_map = manifest("ConfigMap", "leeway-drift-detector", data={"config.json": json.dumps(config)})
    containers = [{"env": [{"name": name} for name in variables]}]
    deployment = manifest("Deployment", "leeway-drift-detector", {"template": {"spec": {"containers": containers}}})
    for found in (config_map, deployment):
        found["metadata"]["labels"]["app.kubernetes.io/component"] = "drift-detector"
    return [config_map], [deployment]


FULL = {"backend": "alibi", "store": {"enabled": True}}


@pytest.mark.parametrize(
    ("config", "variables", "metric"),
    [
        ({**FULL, "backend": "native"}, ["LEEWAY_REDIS_URL"], "leeway_drift_worker_up"),
        ({**FULL, "store": {"enabled": False}}, ["LEEWAY_REDIS_URL"], "leeway_drift_labels_total"),
        (FULL, [], "leeway_drift_shared_up"),
        (FULL, ["LEEWAY_REDIS_URL"], "leeway_drift_snapshot_timestamp_seconds"),
    ],
)
def test_each_part_that_is_switched_off_takes_its_metrics_along(
    config: dict[str, Any], variables: list[str], metric: str
) -> None:
    assert any(metric.startswith(part.prefixes) for part in left_out(*detector(config, *variables)))


def test_what_is_switched_on_is_looked_for_and_without_a_detector_nothing_is_left_out() -> None:
    prefixes = [prefix for part in left_out(*detector(FULL)) for prefix in part.prefixes]
    assert prefixes == ["leeway_drift_shared_", "leeway_drift_evaluating"]
    other = manifest("ConfigMap", "leeway-test", data={"config.json": "{}"})
    assert list(left_out([other], [])) == []
