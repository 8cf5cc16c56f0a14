"""`make logs-check`: what docs/logs.md says of collecting logs, with a real Collector and a real Loki."""
