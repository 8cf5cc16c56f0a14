"""``leeway-drift serve``: wires everything and runs it until SIGTERM."""

import argparse
import gc
import logging
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leeway_drift.service.wiring import Replica

EVERYWHERE = "0.0.0.0"  # noqa: S104 - a pod's own address; who may come in is the NetworkPolicy's business
DRAIN_SECONDS = 20
KEEP_ALIVE_SECONDS = 120  # KServe's logger drops idle connections after 90 s and never retries: it must be the first
CONNECTIONS = 512  # each may hold one body; KServe's logger opens at most five per pod

logger = logging.getLogger(__name__)


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``serve`` to the command's subcommands."""
    serve = commands.add_parser("serve", help="take events, judge windows and answer the API")
    serve.add_argument("--config", type=Path, metavar="FILE.json", help="backend, window, lateness and store")
    serve.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="keeps state, profiles and predictions over restarts (default: a temporary one, so that nothing is kept)",
    )
    serve.add_argument("--port", type=int, default=8080, help="sink and API (default: %(default)s)")
    serve.add_argument("--metrics-port", type=int, default=8082, help="GET /metrics (default: %(default)s)")
    serve.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM; what is queued then is still processed and saved."""
    # The other subcommands need none of this, and some run without the extra `service`.
    import uvicorn  # noqa: PLC0415
    from prometheus_client import start_http_server  # noqa: PLC0415

    from leeway_drift.service.config import ConfigError, read_config  # noqa: PLC0415
    from leeway_drift.service.connection import Connection  # noqa: PLC0415
    from leeway_drift.service.logs import LevelError, configure, level_from  # noqa: PLC0415
    from leeway_drift.service.tracing import TracingError, tracing_from  # noqa: PLC0415
    from leeway_drift.service.wiring import StartError, wire  # noqa: PLC0415

    configure()
    try:
        configure(level_from(os.environ))
        config = read_config(options.config)
        service = wire(
            config,
            directory=options.data_dir or Path(tempfile.mkdtemp(prefix="leeway-drift-")),
            store_url=os.environ.get("LEEWAY_STORE_URL"),
            clock=time.time,
            epoch=secrets.token_hex(8),
            replica=_replica(os.environ, options.port),
            tracing=tracing_from(os.environ),
        )
    except (ConfigError, LevelError, StartError, TracingError) as error:
        logger.critical("cannot start", extra={"error": str(error)})
        return 2
    gc.freeze()  # what is loaded by now stays, and need not be searched for garbage again and again
    start_http_server(options.metrics_port, EVERYWHERE, service.registry)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # uvicorn raises it again once all is done: that is success
    logger.info("starting", extra={"fields": {"port": options.port, "metrics_port": options.metrics_port}})
    uvicorn.run(
        service.app,
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
    return 0


def _replica(environment: Mapping[str, str], port: int) -> "Replica | None":
    """Which of several replicas this is; None without an address of counts to share."""
    from leeway_drift.service.wiring import Replica, StartError  # noqa: PLC0415

    url = environment.get("LEEWAY_REDIS_URL")
    if not url:
        return None
    host = environment.get("POD_IP")
    if not host:
        raise StartError("POD_IP: expected the address under which other replicas reach this one")
    return Replica(url, f"http://{f'[{host}]' if ':' in host else host}:{port}")
