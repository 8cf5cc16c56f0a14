"""What a PodMonitor or ServiceMonitor has Prometheus throw away."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from leeway_operators.verify.core.selection import place
from leeway_operators.verify.core.uses import Manifest


def drops(monitors: Iterable[Manifest], job: str, metric: str) -> bool:
    """Whether every endpoint of the monitor that a job is made of drops a metric by its name."""
    for monitor in monitors:
        if place(monitor) == job:
            spec = monitor.get("spec", {})
            endpoints = spec.get("podMetricsEndpoints") or spec.get("endpoints") or []
            return bool(endpoints) and all(_drops(endpoint, metric) for endpoint in endpoints)
    return False


def _drops(endpoint: Mapping[str, Any], metric: str) -> bool:
    for rule in endpoint.get("metricRelabelings") or []:
        if rule.get("sourceLabels") != ["__name__"]:
            continue
        fits = re.fullmatch(rule.get("regex", "(.*)"), metric) is not None
        if (rule.get("action", "replace").lower(), fits) in (("keep", False), ("drop", True)):
            return True
    return False
