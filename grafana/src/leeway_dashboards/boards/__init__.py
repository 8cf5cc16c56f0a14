"""The dashboards, a topic per module and a panel per function."""

from leeway_dashboards.boards import drift, fleet, model, rollout, slo, telemetry

BOARDS = (fleet.dashboard, model.dashboard, rollout.dashboard, drift.dashboard, telemetry.dashboard, slo.dashboard)
"""What builds each of them."""
