"""Alerts as Prometheus posts them, with the labels and annotations that the chart's rules give them."""

from typing import Any

from chart.rendering import Manifest

RUNBOOKS = "https://github.com/leeway-dev/leeway/blob/main/docs/runbooks"
LONG_AGO, FAR_OFF = "2026-11-01T14:31:00Z", "2999-01-01T00:00:00Z"


def alert(
    name: str,
    *,
    resolved: bool = False,
    description: str = "",
    summary: str = "",
    dashboard: str = "",
    **labels: str,
) -> Manifest:
    """An alert of the release in namespace leeway; `model` gets its namespace beside it."""
    there: dict[str, Any] = {"alertname": name, "namespace": "leeway", **labels}
    if "model" in labels:
        there.setdefault("model_namespace", "leeway")
    annotations = {
        "summary": summary or f"{name} is what it is.",
        "description": description or f"{name} has its reasons.",
        "runbook_url": f"{RUNBOOKS}/{name}.md",
        **({"dashboard_url": dashboard} if dashboard else {}),
    }
    return {
        "labels": there,
        "annotations": annotations,
        "startsAt": "2026-11-01T14:02:00Z",
        "endsAt": LONG_AGO if resolved else FAR_OFF,
        "generatorURL": "https://prometheus.example.com/graph?g0.expr=up",
    }
