"""Everything put together, as the command runs it and as tests run it."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import httpx
import numpy as np
import orjson
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, ProcessCollector

from leeway_drift.detectors.native import native_detectors
from leeway_drift.profile import Profile
from leeway_drift.reading.events import Stream
from leeway_drift.service.alibi import AlibiBackend
from leeway_drift.service.app import create_app
from leeway_drift.service.backend import BackendThread
from leeway_drift.service.config import Config
from leeway_drift.service.coverage import CoverageThread, Scrape, http_scrape, resolve_host
from leeway_drift.service.engine import Engine
from leeway_drift.service.feedback import add_feedback
from leeway_drift.service.forwarding import Ask, Forwarding, http_ask
from leeway_drift.service.metrics import DetectorCollector, SharingCollector, WorkerCollector, evaluation_timer
from leeway_drift.service.pages import add_pages
from leeway_drift.service.predictions import PredictionLog
from leeway_drift.service.predictions_metrics import PredictionsCollector
from leeway_drift.service.profiles import Fetch, ProfileFetcher, ProfileSource, http_fetch
from leeway_drift.service.salt import read_salt
from leeway_drift.service.scores import Score
from leeway_drift.service.snapshots import SnapshotStore
from leeway_drift.service.status import StatusSource
from leeway_drift.service.store.database import Database, StoreUnavailable, sqlite_url
from leeway_drift.service.tracing import TracingSettings
from leeway_drift.service.views import Views
from leeway_drift.streaming.backend import RowBackend
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.limits import Limits
from leeway_drift.streaming.tracing import Traced, untraced

if TYPE_CHECKING:
    from leeway_drift.service.sharing import SharingThread

FETCH_SECONDS = 5.0
TRACING_DRAIN_SECONDS = 2.0


class StartError(RuntimeError):
    """It cannot start; the message says what is missing."""


class _Thread(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Service:
    """What the command runs.

    Attributes:
        app: the API; its lifespan starts and ends all threads.
        registry: for ``/metrics``.
        engine: takes the events.
    """

    app: FastAPI
    registry: CollectorRegistry
    engine: Engine


@dataclass(frozen=True, slots=True)
class Outside:
    """What reaches out of the process.

    Attributes:
        fetch: gets files of bundles.
        scrape: reads the servers' counters.
        ask: asks other replicas.
    """

    fetch: Fetch
    scrape: Scrape
    ask: Ask

    @classmethod
    def by_http(cls) -> "Outside":
        """The pods of the cluster; no proxy of the environment stands between."""
        client = httpx.Client(timeout=FETCH_SECONDS, trust_env=False)
        return cls(http_fetch(client), http_scrape(client, resolve_host), http_ask(client))


@dataclass(frozen=True, slots=True)
class Replica:
    """One of several that share their counts.

    Attributes:
        url: of the Redis or Valkey that holds them.
        address: ``http://host:port`` under which the others reach this one.
    """

    url: str
    address: str


def wire(
    config: Config,
    *,
    directory: Path,
    store_url: str | None,
    clock: Callable[[], float],
    epoch: str,
    outside: Outside | None = None,
    replica: Replica | None = None,
    tracing: TracingSettings | None = None,
) -> Service:
    """Build everything; nothing runs before the app's lifespan begins, but for the writer of predictions.

    Args:
        config: as the chart writes it.
        directory: keeps state, profiles and predictions over restarts.
        store_url: of the database for predictions, None for SQLite in the directory.
        clock: seconds since the epoch.
        epoch: names this start.
        outside: what reaches out of the process, by HTTP by default.
        replica: which one of several this is; None if it is alone.
        tracing: where traces go; None if nobody wants them.

    Raises:
        StartError: the directory, the store or the shared counts cannot be used.
    """
    _check(config, replica)
    limits = Limits(streams=config.streams)
    outside = outside or Outside.by_http()
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    backend: RowBackend | None = None
    closing = ExitStack()
    if config.backend == "alibi":
        worker = AlibiBackend(clock=monotonic, scratch=_folder(directory / "alibi"))
        closing.callback(worker.close)
        registry.register(WorkerCollector(worker))
        backend = worker
    timed = evaluation_timer(registry, monotonic)
    detector = Detector(
        limits,
        clock,
        lateness=config.lateness,
        lock=Lock(),
        loads=orjson.loads,
        random=None if backend is None else np.random.default_rng().random,
        timed=timed,
        traced=untraced if tracing is None else _traced(tracing, closing),
        shared=replica is not None,
    )
    source = ProfileSource(outside.fetch, _folder(directory / "profiles"), with_reference=backend is not None)
    engine = Engine(
        detector,
        epoch=epoch,
        detectors=native_detectors,
        windows=config.window,
        backend=None if backend is None else BackendThread(backend, timed),
        snapshots=SnapshotStore(directory, clock) if replica is None else None,
        kept=source.kept,
    )
    log = _log(config, directory, store_url, engine, clock) if config.store.enabled else None
    engine.log = log
    scores: Callable[[], dict[Stream, Score]] = dict
    if log is not None:
        registry.register(PredictionsCollector(log))
        scores = log.scores.latest
    registry.register(DetectorCollector(lambda: engine.views, scores))
    threads: list[_Thread] = [
        engine,
        ProfileFetcher(source, engine.wanted_profiles, engine.set_profile, clock),
        CoverageThread(
            outside.scrape,
            lambda: _evaluated(engine.views),
            found=engine.set_coverage,
            serving=engine.set_bundles,
            clock=clock,
        ),
    ]

    def start() -> None:
        for thread in threads:
            thread.start()

    def stop() -> None:
        for thread in threads:  # the engine first: it saves what it knows while a request of the others may hang
            thread.stop()
        if log is not None:
            log.close()
        closing.close()

    status = StatusSource(lambda: engine.views, scores)
    app = create_app(engine, status, start=start, stop=stop)
    add_pages(app, status)
    if replica is not None:
        sharing = _sharing(replica, engine, registry)
        threads.insert(1, sharing)  # stopped right after the engine: what that handed over last is handed in
        app.add_middleware(Forwarding, sharing=lambda: engine.views.sharing, ask=outside.ask)
    if log is not None:
        add_feedback(app, log)
    return Service(app, registry, engine)


def _traced(tracing: TracingSettings, closing: ExitStack) -> Traced:
    from leeway_drift.service.otlp import EventTracer, Export  # noqa: PLC0415 - half a second that few want to spend

    export = Export(tracing.endpoint)
    closing.callback(export.close, TRACING_DRAIN_SECONDS)
    return EventTracer(export.provider, tracing.sample_ratio)


def _log(
    config: Config, directory: Path, store_url: str | None, engine: Engine, clock: Callable[[], float]
) -> PredictionLog:
    def profile_of(stream: Stream) -> Profile | None:
        view = engine.views.streams.get(stream)
        return None if view is None or view.profile.loaded is None else view.profile.loaded.profile

    try:
        return PredictionLog(
            Database(store_url or sqlite_url(directory)),
            salt=read_salt(directory),
            clock=lambda: datetime.fromtimestamp(clock(), UTC),
            sample=config.store.sample,
            retention=config.store.retention,
            on_loss=engine.add_loss,
            profile_of=profile_of,
            watched=config.streams,
        )
    except (OSError, ValueError, StoreUnavailable) as error:
        raise StartError(f"the store of predictions: {error}") from error


def _check(config: Config, replica: Replica | None) -> None:
    if replica is not None and config.backend != "native":
        raise StartError(f"backend {config.backend}: expected native, since replicas share counts and no rows")


def _sharing(replica: Replica, engine: Engine, registry: CollectorRegistry) -> "SharingThread":
    # Only here: the Redis client loads OpenTelemetry's SDK where it finds it.
    from leeway_drift.service.shared import SharedCounts  # noqa: PLC0415
    from leeway_drift.service.sharing import SharingThread  # noqa: PLC0415

    try:
        counts = SharedCounts.connect(replica.url)
    except ValueError as error:
        raise StartError(f"the shared counts: {error}") from error
    engine.shared = sharing = SharingThread(counts, engine, replica=engine.epoch, address=replica.address)
    engine.publish()  # that nothing is evaluated here yet
    registry.register(SharingCollector(sharing, lambda: engine.views))
    return sharing


def _evaluated(views: Views) -> Views:
    """All rows, or none: what one replica has seen is no measure of what was served."""
    return views if views.sharing.evaluates else Views()


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}; --data-dir has to be writable") from error
    return path
