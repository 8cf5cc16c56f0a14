"""Pictures of dashboards for the documentation, close to what Grafana shows."""
