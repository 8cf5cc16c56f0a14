"""The HTTP API: the sink of events, and what is known from them."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException as StarletteHTTPException

from leeway_drift.reading.events import Kind, MalformedEvent, Stream
from leeway_drift.service import compare as comparing
from leeway_drift.service import simulate
from leeway_drift.service.bodies import Bodies, Unread
from leeway_drift.service.engine import Engine
from leeway_drift.service.inbox import Busy
from leeway_drift.service.models import (
    Acknowledgement,
    CompareAnswer,
    DrillAnswer,
    DrillRequest,
    ErrorAnswer,
    ModelStatus,
    VersionStatus,
    WatchedModel,
    WindowAnswer,
)
from leeway_drift.service.status import StatusSource
from leeway_drift.streaming.drills import TooManyDrills
from leeway_drift.streaming.streams import Outcome, TooManyStreams

logger = logging.getLogger(__name__)

BATCH = "application/cloudevents-batch+json"
BODIES_BYTES = 32 * 2**20
"""Of all events that are being received."""
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI would send a span for each event and the texts of exceptions; what is traced is in `service.otlp`."""


def create_app(engine: Engine, status: StatusSource, *, start: Callable[[], None], stop: Callable[[], None]) -> FastAPI:
    """The API around an engine.

    Args:
        engine: takes the events.
        status: what is answered about them.
        start: called when the app's lifespan begins; starts the engine and all other threads.
        stop: called at its end; drains and ends them.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        start()
        logger.info("ready", extra={"fields": {"limits": asdict(engine.detector.limits)}})
        yield
        logger.info("draining", extra={"fields": {"backlog": len(engine.detector.intake)}})
        stop()
        logger.info("stopped")

    app = FastAPI(
        title="Leeway drift detector",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # the pages load scripts from elsewhere
        redoc_url=None,
        responses={"4XX": {"model": ErrorAnswer}},
        telemetry=_NO_TELEMETRY,
    )
    _answer_errors_in_one_shape(app)
    _add_sink(app, engine)
    _add_status(app, status)
    _add_windows(app, engine)
    _add_compare(app, engine)
    _add_simulate(app, engine)
    _add_health(app, engine)
    return app


def _answer_errors_in_one_shape(app: FastAPI) -> None:
    @app.exception_handler(StarletteHTTPException)
    async def refused(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        wrong = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return JSONResponse({"error": wrong}, status_code=400)

    @app.exception_handler(Busy)
    async def busy(_: Request, error: Busy) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_code=503, headers={"Retry-After": "5"})

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 - the server logs it
        return JSONResponse({"error": "a fault of the detector; its log says of what"}, status_code=500)


def _add_sink(app: FastAPI, engine: Engine) -> None:
    limits, intake = engine.detector.limits, engine.detector.intake
    bodies = Bodies(BODIES_BYTES)
    taken = Response(Acknowledgement().model_dump_json(), media_type="application/json")  # made once, not per event

    @app.post("/", summary="Take an event, or a batch of them", response_model=Acknowledgement)
    async def take(request: Request) -> Response:
        """A CloudEvent in HTTP binary mode, or a JSON batch; 200 says no more than that it came and is queued."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw}
        if headers.get("content-type", "").partition(";")[0].strip() == BATCH:
            body = await _body(bodies, request, limits.batch_bytes, lambda gone: intake.give_up(None, gone))
            intake.offer_batch(body)
        else:
            try:
                admitted = intake.admit(headers)
            except MalformedEvent as error:
                raise HTTPException(400, str(error)) from error
            except TooManyStreams as error:
                raise HTTPException(503, str(error), headers={"Retry-After": "60"}) from error
            body = await _body(bodies, request, limits.body_bytes, lambda gone: intake.give_up(admitted, gone))
            intake.offer(admitted, body)
        engine.notify()
        return taken


async def _body(bodies: Bodies, request: Request, limit: int, give_up: Callable[[Outcome], None]) -> bytes:
    try:
        return await bodies.read(request, limit)
    except Unread as error:
        give_up(error.outcome)
        raise


def _add_status(app: FastAPI, status: StatusSource) -> None:
    @app.get("/v1/status", summary="Which models are watched")
    def models() -> list[WatchedModel]:
        """Every model that has a stream."""
        return [WatchedModel(namespace=namespace, model=model) for namespace, model in status.models()]

    @app.get("/v1/status/{namespace}/{model}", summary="What is known of a model")
    def model(namespace: str, model: str) -> ModelStatus:
        """Of all its versions."""
        answer = status.model(namespace, model)
        if answer is None:
            raise HTTPException(404, f"no events of model {model!r} in namespace {namespace!r}")
        return answer

    @app.get("/v1/status/{namespace}/{model}/{version}", summary="What is known of a version, or of a drill on it")
    def version(
        namespace: str, model: str, version: str, drill: str | None = None, *, distributions: bool = False
    ) -> VersionStatus:
        """What each detector says, with its reasons."""
        stream = Stream(namespace, model, version)
        answer = status.version(stream, drill=drill, distributions=distributions)
        if answer is None:
            raise _unknown(stream) if drill is None else HTTPException(404, f"no drill {drill!r} of this version is on")
        return answer


def _add_windows(app: FastAPI, engine: Engine) -> None:
    @app.get("/v1/windows/{namespace}/{model}/{version}", summary="The latest events of a version")
    def window(namespace: str, model: str, version: str, type: Kind) -> WindowAnswer:  # noqa: A002 - the field's word
        """Counts, columns and request ids of the latest requests or responses, late ones included."""
        stream = Stream(namespace, model, version)

        def answer() -> WindowAnswer | None:
            state = engine.detector.streams.get(stream)
            return None if state is None else WindowAnswer.of(stream, type, state.recent[type])

        found = engine.ask(answer)
        if found is None:
            raise _unknown(stream)
        return found


def _add_compare(app: FastAPI, engine: Engine) -> None:
    @app.get("/v1/compare/{namespace}/{model}", summary="Two slots in the same ticks")
    def compare(
        namespace: str,
        model: str,
        candidate: Literal["a", "b"],
        cursor: Annotated[str, Query(max_length=100)] = "",
    ) -> CompareAnswer:
        """The closed ticks after the cursor, each of them once; another epoch than before is a gap."""
        answer = engine.ask(lambda: comparing.compare(engine, namespace, model, candidate, cursor))
        if answer is None:
            raise HTTPException(404, f"no closed tick of model {model!r} in namespace {namespace!r}")
        return answer


def _add_simulate(app: FastAPI, engine: Engine) -> None:
    @app.post("/v1/simulate", summary="Register a drill")
    def begin(request: DrillRequest) -> DrillAnswer:
        """Requests whose x-request-id has the prefix are watched apart, in the drill's time."""
        try:
            answer = engine.ask(lambda: simulate.begin(engine, request))
        except TooManyDrills as error:
            raise HTTPException(429, str(error), headers={"Retry-After": "60"}) from error
        if answer is None:
            raise _unknown(Stream(request.namespace, request.model, request.version))
        return answer

    @app.delete("/v1/simulate/{drill}", summary="End a drill")
    def end(drill: str) -> Acknowledgement:
        """What it counted is forgotten."""
        if not engine.ask(lambda: engine.detector.drills.end(drill)):
            raise HTTPException(404, f"no drill {drill!r} is on")
        return Acknowledgement()


def _add_health(app: FastAPI, engine: Engine) -> None:
    @app.get("/health/live", summary="Whether a restart would help")
    @app.get("/health/ready", summary="Whether events are taken")
    async def health() -> Acknowledgement:
        """503 if the engine has died."""
        if not engine.alive:
            raise HTTPException(503, "the engine has died; the log says of what")
        return Acknowledgement()


def _unknown(stream: Stream) -> HTTPException:
    return HTTPException(
        404, f"no events of model {stream.model!r} version {stream.version!r} in namespace {stream.namespace!r}"
    )
