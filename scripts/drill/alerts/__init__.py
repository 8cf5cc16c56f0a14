"""Alerts, drilled: a fault for each of them on the built-in cluster, and the way of its message to Slack and back."""
