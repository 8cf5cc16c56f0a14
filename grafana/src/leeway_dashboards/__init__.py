"""Leeway's Grafana dashboards as code."""
