"""Parts of a release that its configuration leaves out, and the metrics that go with them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from leeway_operators.verify.core.uses import Manifest


@dataclass(frozen=True)
class Part:
    """A part that is not there.

    Attributes:
        why: that is so, in the words of the values.
        prefixes: of the names of its metrics.
    """

    why: str
    prefixes: tuple[str, ...]


def left_out(config_maps: Iterable[Manifest], deployments: Iterable[Manifest]) -> Iterator[Part]:
    """What the drift detector of the release does without, as its own configuration says."""
    for found in config_maps:
        text = (found.get("data") or {}).get("config.json")
        if _component(found) != "drift-detector" or text is None:
            continue
        config = json.loads(text)
        if config.get("backend") != "alibi":
            yield Part(f"driftDetector.backend is {config.get('backend')}", ("leeway_drift_worker_",))
        if not config.get("store", {}).get("enabled"):
            yield Part("driftDetector.store.enabled is false", ("leeway_drift_predictions_", "leeway_drift_label"))
    for found in deployments:
        containers = found["spec"]["template"]["spec"]["containers"]
        names = {variable["name"] for container in containers for variable in container.get("env") or []}
        if _component(found) != "drift-detector":
            continue
        if "LEEWAY_REDIS_URL" in names:
            yield Part(
                "driftDetector.redis.existingSecret keeps the state: nothing is saved", ("leeway_drift_snapshot_",)
            )
        else:
            prefixes = ("leeway_drift_shared_", "leeway_drift_evaluating")
            yield Part("driftDetector.redis.existingSecret is empty: no counts are shared", prefixes)


def _component(found: Manifest) -> str:
    return str((found["metadata"].get("labels") or {}).get("app.kubernetes.io/component", ""))
