"""The running server: sockets, signals, and the model that arrives some time after the start."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from prometheus_client import CollectorRegistry, start_http_server

from leeway_serving.app import UNKNOWN_VERSION, Application
from leeway_serving.capture.capture import Capture
from leeway_serving.capture.settings import CaptureSettings
from leeway_serving.capture.sink import HttpSink
from leeway_serving.connection import Connection
from leeway_serving.errors import ModelError
from leeway_serving.http import Admission, Limits
from leeway_serving.loading import Served, Told, load
from leeway_serving.metrics import Metrics
from leeway_serving.tracing.settings import TracingSettings

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.05
_DRAIN_SECONDS = 30
_SINK_SECONDS = 5
"""Of connecting to the sink, and of each wait for it."""
_SINK_PAUSE_SECONDS = 1
"""Before a batch that was not taken is sent once more."""
_CAPTURE_DRAIN_SECONDS = 5
"""For the events that are still to be sent when the last request has been answered."""
_TRACING_DRAIN_SECONDS = 2
"""For the spans that are."""
_KEEP_ALIVE_SECONDS = 3900
"""Longer than Envoy's hour: the side that reuses idle connections has to be the one that closes them."""


@dataclass(frozen=True)
class Settings:
    """Where to listen and what to serve."""

    model_name: str
    model_dir: Path
    host: str
    http_port: int
    metrics_port: int
    told: Told
    capture: CaptureSettings | None
    limits: Limits
    tracing: TracingSettings | None = None


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which end the process by the signal they have just handled."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to `serve`."""
        yield


async def serve(settings: Settings, *, started: float, load: Callable[..., Served] = load) -> None:
    """Serves until SIGTERM or SIGINT, then answers what is in flight, sends the events that are left, and returns.

    Args:
        settings: where and what.
        started: `time.perf_counter()` of the start of the process.
        load: verifies and loads the model.

    Raises:
        OSError: when the metrics port is taken.
    """
    limits, told = settings.limits, settings.told
    admission = Admission(limits)
    registry = CollectorRegistry()
    metrics = Metrics(
        registry,
        model=settings.model_name,
        version=told.version or UNKNOWN_VERSION,
        # Not what is admitted: a request is, when its turn comes, and those that wait for theirs are what piles up.
        in_flight=lambda: len(server.server_state.tasks),
    )
    capture = None
    if settings.capture is not None:
        sink = HttpSink(settings.capture.url, timeout=_SINK_SECONDS, pause=_SINK_PAUSE_SECONDS)
        capture = Capture(settings.capture, sink, metrics.captured)
    tracing, tracer = None, None
    if settings.tracing is not None:
        from leeway_serving.tracing.otlp import Export, OtlpTracer  # noqa: PLC0415 - half a second that few want to spend

        tracing = Export(settings.tracing.endpoint)
        about = {"leeway.model": settings.model_name}
        if settings.tracing.namespace is not None:
            about["leeway.namespace"] = settings.tracing.namespace
        tracer = OtlpTracer(tracing.provider, settings.tracing.sample_ratio, about)
    app = Application(
        model=settings.model_name,
        version=told.version,
        admission=admission,
        metrics=metrics,
        capture=capture,
        tracer=tracer,
    )
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.http_port,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )
    exporter, exporter_thread = start_http_server(settings.metrics_port, addr=settings.host, registry=registry)

    def stop() -> None:
        _log.info("draining", extra={"fields": {"in_flight": len(server.server_state.tasks)}})
        app.drain()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loading = asyncio.create_task(_load(settings, app, metrics, started, load))
    try:
        await server.serve()
    finally:
        loading.cancel()
        if capture is not None:
            await asyncio.to_thread(capture.close, _CAPTURE_DRAIN_SECONDS)
        if tracing is not None:
            await asyncio.to_thread(tracing.close, _TRACING_DRAIN_SECONDS)
        exporter.shutdown()
        exporter.server_close()
        exporter_thread.join()
    _log.info("stopped")


async def _load(
    settings: Settings, app: Application, metrics: Metrics, started: float, load: Callable[..., Served]
) -> None:
    """Waits for the model and loads it; one that must not be served leaves the server up and not ready."""
    directory = settings.model_dir
    await _appearance(directory, app)
    app.loading("it is being loaded")
    try:
        served = await asyncio.to_thread(
            load, directory, name=settings.model_name, told=settings.told, max_rows=settings.limits.rows
        )
    except ModelError as error:
        app.refuse(str(error))
        fields = {"model_dir": str(directory)}
        _log.error("the model will not be served", extra={"error": str(error), "fields": fields})
        return
    except Exception as error:  # noqa: BLE001 - a process that ended here would be restarted for ever, and its reason lost
        app.refuse(f"loading failed: {type(error).__name__}")
        _log.exception("the model will not be served", extra={"fields": {"model_dir": str(directory)}})
        return
    seconds = time.perf_counter() - started
    metrics.loaded(version=served.version, digest=served.digest, seconds=seconds)
    app.serve(served)
    _log.info(
        "ready",
        extra={
            "model": served.name,
            "version": served.version,
            "fields": {
                "digest": served.digest,
                "golden_cases": served.golden_cases,
                "seconds": round(seconds, 3),
            },
        },
    )


async def _appearance(directory: Path, app: Application) -> None:
    """Returns once the directory is there: a modelcar's link appears a while after the start."""
    reason = ""
    while True:
        try:
            if directory.is_dir():  # noqa: ASYNC240 - a stat of a local path
                return
            now = f"{directory} is not there yet"
        except OSError as error:  # the link is there and what it leads to may not be entered
            now = f"{directory} cannot be read: {error.strerror}"
        if now != reason:
            reason = now
            app.loading(reason)
            _log.info("waiting for the model", extra={"fields": {"reason": reason}})
        await asyncio.sleep(_POLL_SECONDS)
