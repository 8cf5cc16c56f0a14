"""The command ``leeway-drift``."""

import argparse
import logging
import signal
import sys
import time
from collections.abc import Sequence

import uvicorn
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from leeway_drift.service.app import create_app
from leeway_drift.service.connection import Connection
from leeway_drift.service.logs import log_to_stdout
from leeway_drift.service.metrics import DetectorCollector
from leeway_drift.streaming.detector import Detector, Limits

EVERYWHERE = "0.0.0.0"  # noqa: S104 - a pod's own address; who may come in is the NetworkPolicy's business
DRAIN_SECONDS = 20
KEEP_ALIVE_SECONDS = 120  # KServe's logger drops idle connections after 90 s and never retries: it must be the first
CONNECTIONS = 512  # each may hold one body; KServe's logger opens at most five per pod

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the detector until SIGTERM; what is queued then is still processed."""
    options = _parser().parse_args(arguments)
    log_to_stdout()
    detector = Detector(Limits(), time.monotonic)
    registry = CollectorRegistry()
    registry.register(DetectorCollector(detector))
    ProcessCollector(registry=registry)
    start_http_server(options.metrics_port, EVERYWHERE, registry)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # uvicorn raises it again once all is done: that is success
    logger.info("starting", extra={"fields": {"port": options.port, "metrics_port": options.metrics_port}})
    uvicorn.run(
        create_app(detector),
        host=EVERYWHERE,
        port=options.port,
        loop="uvloop",
        http=Connection,
        access_log=False,  # two lines per inference
        log_config=None,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="leeway-drift", description="Leeway's drift detector.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="take events and answer the API")
    serve.add_argument("--port", type=int, default=8080, help="sink and API (default: %(default)s)")
    serve.add_argument("--metrics-port", type=int, default=8082, help="GET /metrics (default: %(default)s)")
    return parser
