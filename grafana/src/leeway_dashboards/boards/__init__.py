"""The dashboards, a topic per module and a panel per function."""

from leeway_dashboards.boards import drift, fleet, model, rollout, slo, telemetry

CONDITIONAL = {
    "What holds it": "something holds a rollout",
    "Replica that judges": "driftDetector.replicas is above 1",
    "Shared counts reached": "driftDetector.replicas is above 1",
    "Shared counts by outcome": "driftDetector.replicas is above 1",
}
"""Title of a panel → what has to be for it to show anything."""

BOARDS = (fleet.dashboard, model.dashboard, rollout.dashboard, drift.dashboard, telemetry.dashboard, slo.dashboard)
"""What builds each of them."""
