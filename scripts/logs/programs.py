"""Loki and an OpenTelemetry Collector, built from pinned Go modules like everything else here."""

from pathlib import Path

from cluster.fetch import golang

TOOLS = Path(__file__).with_name("tools")


def loki() -> Path:
    """Return Loki, all its parts in one process. Its licence is the AGPL: it is run here, and never given to anyone."""
    return golang.build("loki", ["github.com/grafana/loki/v3/cmd/loki"], tools=TOOLS) / "loki"


def collector() -> Path:
    """Return a Collector of the parts that docs/logs.md names."""
    return golang.build("collector", ["."], tools=TOOLS) / "collector"
